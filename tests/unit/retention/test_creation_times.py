"""Whether nearly all images of a registry seem to have been created on one day."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.retention.creation_times import hours, one_day, same

MIGRATED = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def days(*offsets: float) -> list[str]:
    """Times so many days after the migration."""
    return [text(MIGRATED + timedelta(days=offset)) for offset in offsets]


CASES = {
    "all at once": (days(*[0] * 20), "2026-11-20"),
    "over a midnight": (days(*[0.5] * 10, *[0.7] * 10), "2026-11-20"),
    "too few to tell": (days(*[0] * 19), ""),
    "a day apart": (days(*range(-100, 0)), ""),
    "one in twenty is older": (days(*[0] * 19, -30, *[0] * 9), "2026-11-20"),
    "one in ten is older": (days(*[0] * 27, -30, -31, -32), ""),
    "fewer were pushed since": (days(*[0] * 30, *range(1, 30)), "2026-11-20"),
    "more were pushed since": (days(*[0] * 30, *range(1, 33)), ""),
    "before anybody had to migrate": (days(*[-60] * 30), ""),
    "the first day of the migrations": (["2026-10-13T00:10:00Z"] * 20, "2026-10-13"),
    "just before it": (["2026-10-12T23:50:00Z"] * 20, ""),
    "no times at all": ([""] * 30, ""),
    "some times that cannot be read": (days(*[0] * 57) + ["yesterday"] * 3, "2026-11-20"),
    "many times that cannot be read": (days(*[0] * 50) + ["yesterday"] * 10, ""),
    "none": ([], ""),
}


@pytest.mark.parametrize(("created", "day"), CASES.values(), ids=CASES)
def test_a_day_of_copying_is_seen(created: list[str], day: str) -> None:
    assert one_day(hours(created)) == day


@given(st.lists(st.integers(0, 20 * 24), min_size=1, max_size=200), st.randoms())
def test_neither_order_nor_parts_matter(offsets: list[int], random: object) -> None:
    created = [text(MIGRATED + timedelta(hours=offset)) for offset in offsets]
    parts: Counter[str] = Counter()
    for each in created:
        parts.update(hours([each]))

    assert one_day(parts) == one_day(hours(sorted(created)))


@given(st.lists(st.integers(0, 23), min_size=20, max_size=100))
def test_images_of_one_day_are_always_seen(offsets: list[int]) -> None:
    assert one_day(hours(text(MIGRATED + timedelta(hours=offset)) for offset in offsets))


def test_times_are_the_same_whatever_their_fractions() -> None:
    assert same("2026-11-20T09:30:00Z", "2026-11-20T09:30:00.125Z")
    assert not same("2026-11-20T09:30:00Z", "2026-11-20T09:30:01Z")
