"""Patterns of the settings: the ordinary match as they should and at once, the bad are stopped and named."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from shared.errors import SettingsError
from shared.retention import matching
from shared.retention.matching import few_ways
from shared.retention.patterns import pattern, repository_matcher, whole_tag
from shared.retention.rule import Rule
from shared.settings.hard_tags import try_out
from shared.settings.settings import Guards, Settings


@pytest.fixture(autouse=True)
def new_run() -> Iterator[None]:
    matching.renew()
    yield
    matching.renew()


# A pattern, and a tag on which it takes (nearly) for ever.
BAD = {
    "forty alternatives that begin alike": ("(?:a|aa)" * 40 + "b", "a" * 70),
    "a repeated alternative": ("(a|aa)+b", "a" * 126 + "b!"),
    "without a group": ("(?:a|aa)+b", "a" * 126 + "b!"),
    "of digits": (r"v(?:\d|\d\d)+x", "v" + "0" * 125 + "x!"),
    "behind a prefix": ("feature-(a|aa)+b", "feature-" + "a" * 118 + "b!"),
    "behind alternatives": ("(dev|test)-(?:x|xx)+y", "dev-" + "x" * 120 + "y!"),
    "behind anything": (".*x(?:a|aa)+b", "x" + "a" * 125 + "b!"),
    "in a named group": ("(?P<group>(?:a|aa)+)b", "a" * 126 + "b!"),
    "of three lengths": ("(?:a|aa|aaa)+b", "a" * 126 + "b!"),
    "of classes that overlap": (r"(?:[a-z]|[a-f]|\d)+z", "a" * 126 + "z!"),
    "of anything and a letter": ("(?:.|a)+b", "a" * 126 + "b!"),
    "of two letters": ("(a|ab|b)+c", "ab" * 63 + "c!"),
    "of words that share letters": ("(?:dev|de|d|v|ev)+x", "dev" * 42 + "x!"),
    "of alternatives of alternatives": ("(?:(?:a|ab)|(?:b|ba))+c", "ab" * 63 + "c!"),
    "in any case": ("(?i)(?:a|aa)+B", "a" * 126 + "b!"),
    "at least twice": ("(?:x|y|xy){2,}z", "xy" * 63 + "z!"),
    "with captures": ("(?:(a)|(aa))+b", "a" * 126 + "b!"),
    "with an empty alternative": ("(?:(?:ab|a)(?:b|))+c", "ab" * 63 + "c!"),
    "in a look ahead": ("(?=(?:a|aa)+b)a+b.+", "a" * 125 + "cb"),
    "behind a possessive repetition": ("(?:aa|a)*+b(?:c|cc)+d", "ab" + "c" * 124 + "d!"),
    "before an extension": (r"(?:a|aa)+\.tmp", "a" * 122 + ".tmp!"),
    "between words": (r"release-(?:\d|\d\d|\d\d\d)+-final", "release-" + "0" * 110 + "-final!"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "tag"), BAD.values(), ids=BAD)
def test_a_pattern_that_takes_for_ever_is_stopped_on_its_tag_and_named(text: str, tag: str) -> None:
    assert not few_ways(text)
    began = time.thread_time()
    with pytest.raises(SettingsError) as caught:
        whole_tag(text, "slow", "tags")(tag)
    assert time.thread_time() - began < 5
    for part in ('The rule "slow"', text[:50], "tags", "write it without"):
        assert part in str(caught.value)


@pytest.mark.parametrize("text", [text for text, _ in BAD.values()], ids=BAD)
@pytest.mark.parametrize("key", ["tags", "group_by", "guards.keep_tags"])
def test_check_finds_it_without_any_tag(text: str, key: str) -> None:
    if key == "group_by" and "(?i)" in text:
        pytest.skip("flags begin a pattern")
    grouped = text if "(?P<group>" in text else f"(?P<group>{text})"
    rules = {
        "tags": Rule("slow", tags=text, older_than="1d"),
        "group_by": Rule("slow", tags=".*", keep_newest=1, group_by=grouped),
        "guards.keep_tags": Rule("quick", tags=".*", keep_newest=1),
    }
    guards = Guards(keep_tags=[text] if key == "guards.keep_tags" else [])
    with pytest.raises(SettingsError) as caught:
        try_out(Settings(rules=[rules[key]], guards=guards))
    assert key in str(caught.value)
    assert key == "guards.keep_tags" or 'The rule "slow"' in str(caught.value)


# A pattern, a tag that it matches, and one that it does not.
ORDINARY = {
    "all": (".*", "latest", "two\nlines"),
    "a word": ("latest", "latest", "latest1"),
    "one of several": ("latest|stable|prod", "stable", "stable-1"),
    "a prefix": ("feature-.*", "feature-x", "a-feature-x"),
    "a suffix": (".*-dev", "app-dev", "app-dev2"),
    "a part": (".*-rc-.*", "v1-rc-2", "v1-rc2"),
    "a branch": ("feature-(?P<group>[^-]+)-.*", "feature-login-12", "feature-login"),
    "a pull request": (r"pr-\d+", "pr-12", "pr-x"),
    "a release": (r"v\d+\.\d+\.\d+", "v1.2.3", "v1.2"),
    "a release or a candidate": (r"v?\d+\.\d+\.\d+(-rc\d+)?", "1.2.3-rc4", "1.2.3-rc"),
    "any number of numbers": (r"v?\d+(\.\d+)*", "v1.2.3.4", "v1..2"),
    "a version as semver.org has it": (
        r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
        r"(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?",
        "1.0.0-alpha.1", "01.0.0",
    ),
    "a commit": ("[0-9a-f]{40}", "0123456789" * 4, "0123456789"),
    "a short commit": ("(sha-)?[0-9a-f]{7,12}", "sha-abcdef0", "sha-abc"),
    "a branch and a commit": ("^main-[0-9a-f]{7,40}$", "main-abcdef0", "main-xyz"),
    "an environment": ("(dev|test|stage)-.*", "test-1", "prod-1"),
    "all but": (r"(?!latest$|v\d).*", "x", "v1"),
    "a date": (r"\d{4}-\d{2}-\d{2}", "2026-11-26", "26-11-2026"),
    "a date and a number": (r"nightly\.20\d{6}(\.\d+)?", "nightly.20261126.1", "nightly.2026"),
    "in any case": ("(?i)snapshot-.*", "SNAPSHOT-1", "SHOT-1"),
    "words with hyphens": (r"[a-z0-9]+(-[a-z0-9]+)*", "a-b-c", "a--b"),
    "three words": (r"\w+-\w+-\w+", "a-b-c", "a-b"),
    "a signature": (r"sha256-[0-9a-f]{64}\.(sig|att|sbom)", f"sha256-{'0' * 64}.sig", "sha256-0.sig"),
    "a repetition of repetitions": ("(a+)+b", "aab", "aac"),
    "letters of any alphabet": (r"\p{L}+", "тег", "тег1"),
}  # fmt: skip


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
    try_out(Settings(guards=Guards(keep_tags=[text])))


# What looks like few ways, and is not.
MANY_WAYS = [
    "a*a*a*b",
    "a?" * 20 + "a" * 20,
    ".*a.*b.*",
    "(a*)*b",
    "(a|b)*c",
    "[]a]+b*b*c",
    "(?i)a*",
    r"(a)\1*",
    "a**",
]
FEW_WAYS = ["", "a", ".*", "a*b", r"[^-]+-.*", r"\d+\.\d+\.\d+", "(a|b|c)x?", r"a\|b+", "a{3,9}[bc]", "(x*)?"]


@pytest.mark.parametrize("text", MANY_WAYS)
def test_what_may_have_many_ways_is_not_free(text: str) -> None:
    assert not few_ways(text)


@pytest.mark.parametrize("text", FEW_WAYS)
def test_what_has_few_ways_is_free(text: str) -> None:
    assert few_ways(text)


PIECES = ["a", "b", ".", "[ab]", "[^a]", "(a|b)", "(?:ab|a)", "-", r"\w", r"\d", "|", "(", ")"]
COUNTS = ["", "", "", "*", "+", "?", "{2}", "{1,2}", "*?", "{,2}"]
TEXTS = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(COUNTS)), max_size=6).map(
    lambda pairs: "".join(piece + count for piece, count in pairs)
)
TAGS = st.text("ab-0", max_size=12)


@given(TEXTS, TAGS)
def test_a_matcher_agrees_with_pythons_own(text: str, tag: str) -> None:
    matching.renew()
    try:
        own = re.compile(text)
        pattern(text)
    except (re.error, ValueError):
        return
    assert bool(whole_tag(text)(tag)) == bool(own.fullmatch(tag))


@given(TEXTS, st.sampled_from("ab-0"), st.integers(0, 128), TAGS)
def test_a_pattern_that_is_free_never_takes_long(text: str, letter: str, count: int, end: str) -> None:
    try:
        match = pattern(text).fullmatch
    except ValueError:
        return
    if few_ways(text):
        began = time.thread_time()
        match((letter * count + end)[:128])
        assert time.thread_time() - began < 1


def test_many_quick_matches_in_many_threads_are_no_slow_one() -> None:
    """The timeout of the regex package counts the computing time of all threads."""
    whole = whole_tag("(a|aa)+b")
    failures: list[SettingsError] = []

    def work(number: int) -> None:
        try:
            whole(f"{'a' * 26}b{number}")
        except SettingsError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=[number]) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_all_slow_matches_of_a_run_together_have_a_limit_that_names_the_worst(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(matching, "RUN_SECONDS", 0.5)
    tags = [f"{number:04}{'a' * 25}b!" for number in range(10_000)]
    slow, quick = whole_tag(r"\d+(a|aa)+b", "slow"), whole_tag(r"(\d|x)+(a|b)*!", "quick")
    began = time.thread_time()
    with pytest.raises(SettingsError, match=r'The rule "slow".*in this run'):
        for tag in tags:
            slow(tag)
            quick(tag)
    assert time.thread_time() - began < 5

    with pytest.raises(SettingsError, match='The rule "slow"'):
        quick("1!")
    matching.renew()
    assert quick("1!")


def test_what_a_run_has_decided_slowly_costs_nothing_again() -> None:
    whole, tag = whole_tag("(a|aa)+b"), "a" * 28 + "b!"
    whole(tag)
    began = time.thread_time()
    for _ in range(10_000):
        assert not whole(tag)
    assert time.thread_time() - began < 1


def test_a_tag_that_is_too_long_for_a_tag_has_limits_for_every_pattern() -> None:
    text = ".*a.*"
    assert few_ways(text)
    assert whole_tag(text)("a" * 5_000)
    with pytest.raises(SettingsError, match="for one tag"):
        whole_tag(text)("a" * 100_000 + "\n")


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
