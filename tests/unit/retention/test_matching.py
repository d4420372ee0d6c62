"""A match that takes for ever is stopped and its pattern named; which patterns never do is known."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SettingsError
from shared.retention import matching
from shared.retention.matching import few_ways
from shared.retention.patterns import pattern, whole_tag
from tests.support.patterns import BAD, TAGS, TEXTS

pytestmark = pytest.mark.usefixtures("new_run")


@pytest.mark.parametrize(("text", "tag"), BAD.values(), ids=BAD)
def test_a_pattern_that_takes_for_ever_is_stopped_on_its_tag_and_named(text: str, tag: str) -> None:
    assert not few_ways(text)
    began = time.thread_time()
    with pytest.raises(SettingsError) as caught:
        whole_tag(text, "slow", "tags")(tag)
    assert time.thread_time() - began < 5
    for part in ('The rule "slow"', text[:50], "tags", "write it without"):
        assert part in str(caught.value)


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
