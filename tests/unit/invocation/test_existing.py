"""Listings that a warm instance remembers for ten minutes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.errors import JanitorError
from shared.invocation import existing
from shared.invocation.existing import LISTED_FOR, remembered


@pytest.fixture(autouse=True)
def cold() -> Iterator[None]:
    existing._listed.clear()
    yield
    existing._listed.clear()


def test_a_listing_is_asked_for_once_and_again_when_it_is_old() -> None:
    listings = iter([frozenset({"crp1/app"}), frozenset({"crp1/app", "crp1/web"})])

    assert remembered("crp1", lambda: next(listings)) == {"crp1/app"}
    assert remembered("crp1", lambda: next(listings)) == {"crp1/app"}
    at, names = existing._listed["crp1"]
    existing._listed["crp1"] = (at - LISTED_FOR, names)
    assert remembered("crp1", lambda: next(listings)) == {"crp1/app", "crp1/web"}


def test_a_listing_that_fails_is_not_repeated_at_once() -> None:
    def fail() -> frozenset[str]:
        raise JanitorError("The cloud does not answer.")

    with pytest.raises(JanitorError):
        remembered("crp1", fail)
    assert remembered("crp1", fail) == frozenset()
