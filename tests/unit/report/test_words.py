"""The page's words: its headline, its numbers, its times."""

from __future__ import annotations

from typing import Any

import pytest

from shared.report.page import words
from tests.support.channels import report

HEADLINES: dict[str, tuple[dict[str, Any], bool, str]] = {
    "nothing goes": ({"mode": "dry-run"}, False, "Nothing to delete"),
    "a limit keeps some": (
        {"mode": "plan", "totals": {"images": 9, "candidates": 5, "protected": 1, "remaining": 1}},
        True,
        "Delete 3 of 9 images?",
    ),
    "a dry run": (
        {"mode": "dry-run", "totals": {"images": 1, "candidates": 1}},
        False,
        "1 of 1 image would be deleted",
    ),
    "a clean-up": (
        {"totals": {"images": 2000, "candidates": 1500, "deleted": 1200}},
        False,
        "1,200 of 2,000 images deleted",
    ),
    "a clean-up of nothing": ({}, False, "Nothing was deleted"),
}


@pytest.mark.parametrize(("changes", "asks", "headline"), HEADLINES.values(), ids=HEADLINES)
def test_the_headline(changes: dict[str, Any], asks: bool, headline: str) -> None:
    assert words.headline(report(**changes), asks=asks) == headline


def test_the_numbers_show_a_price_and_what_needs_a_look() -> None:
    shown = words.numbers(
        report(
            totals={"failed": 1, "remaining": 2, "already_gone": 3},
            price={"currency": "RUB", "reclaimed_per_month": 1234.5},
        )
    )

    assert [(number.name, number.value) for number in shown] == [
        *(("Deleted", "0"), ("Freed", "0 B"), ("Saved", "1,234.50"), ("Protected", "0")),
        *(("Failed", "1"), ("Left", "2"), ("Already gone", "3")),
    ]
    assert [number.name for number in shown if number.kind == "bad"] == ["Failed"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-11-24T06:00:00+03:00", "24 November 2026, 03:00 UTC"),
        ("yesterday", "yesterday"),
        (None, "not known"),
    ],
)
def test_a_time(text: str | None, shown: str) -> None:
    assert words.moment(text) == shown
