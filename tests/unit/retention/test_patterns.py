"""Patterns of the settings: the ordinary match as they should and at once; what could fill the memory is
none.
"""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from shared.errors import SettingsError
from shared.retention import matching
from shared.retention.patterns import pattern, repository_matcher, whole_tag
from tests.support.patterns import ORDINARY, TAGS, TEXTS

pytestmark = pytest.mark.usefixtures("new_run")


@pytest.mark.parametrize(("text", "match", "other"), ORDINARY.values(), ids=ORDINARY)
def test_an_ordinary_pattern_matches_what_it_should_and_at_once(text: str, match: str, other: str) -> None:
    whole = whole_tag(text)
    began = time.thread_time()
    for _ in range(20_000):
        whole(match)
        whole(other)
    assert time.thread_time() - began < 3
    assert whole(match)
    assert not whole(other)


@given(TEXTS, TAGS)
def test_a_matcher_agrees_with_pythons_own(text: str, tag: str) -> None:
    matching.renew()
    try:
        own = re.compile(text)
        pattern(text)
    except (re.error, ValueError):
        return
    assert bool(whole_tag(text)(tag)) == bool(own.fullmatch(tag))


TOO_MUCH = {
    "counts of counts": "(?:a{1000}){1000}",
    "counts of counts of counts": "(?:(?:a{100}){100}){100}",
    "twenty times twice": "(?:" * 20 + "a" + "){2}" * 20,
    "a count of a count": "a{100}{100}{100}",
    "spread out": "(?x)(?: a {1000} ) {1000}",
    "a million": "a{1000000}",
    "at least": "(?:(?:a{200,}){200,}){200,}",
    "a pattern in itself": "(?R)?a",
    "a group in itself": "(a(?1)?b)",
    "a named group in itself": "(?P<x>a(?&x)?b)",
    "the same otherwise": "(?P<x>a(?P>x)?b)",
}


@pytest.mark.parametrize("text", TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_could_fill_the_memory_is_no_pattern(text: str) -> None:
    began = time.thread_time()
    with pytest.raises(ValueError, match=r"counts come to too much|calls itself"):
        pattern(text)
    assert time.thread_time() - began < 2


# --- repositories ---

NAMES = st.lists(st.text("ab-", min_size=1, max_size=4), min_size=1, max_size=4).map("/".join)

GLOBS = st.lists(
    st.lists(st.sampled_from(["a", "b", "*", "**", "/", "?", "[ab]", "-", "!"]), min_size=1, max_size=7).map("".join),
    min_size=1,
    max_size=3,
)  # fmt: skip


@given(GLOBS, NAMES)
def test_patterns_of_repositories_are_gits(globs: list[str], name: str) -> None:
    matching.renew()
    try:
        covers = repository_matcher(tuple(globs))
    except ValueError:
        return
    assert covers(name) == GitIgnoreSpec.from_lines(globs).match_file(name)


HARD_GLOBS = {
    "many stars": ("*a" * 12 + "*b", "a" * 250 + "b!"),
    "more stars": ("*a" * 60 + "*b", "a" * 250 + "b!"),
    "many double stars": ("**/a" * 12 + "/b", "a/" * 125 + "b!"),
    "both": ("**/*a*a*a*b" * 6, "aaaa/" * 50 + "b!"),
    "question marks": ("*?" * 30 + "b", "a" * 250 + "b!"),
    "classes": ("*[ab]" * 30 + "c", "ab" * 125 + "c!"),
}


@pytest.mark.parametrize(("text", "name"), HARD_GLOBS.values(), ids=HARD_GLOBS)
def test_a_pattern_of_repositories_ends_or_is_named(text: str, name: str) -> None:
    began = time.thread_time()
    try:
        assert not repository_matcher((text,), "wide")(name)
    except SettingsError as error:
        assert 'The rule "wide"' in str(error)
        assert text[:40] in str(error)
    assert time.thread_time() - began < 5
