"""The page's words: its headline, its numbers, its times."""

from __future__ import annotations

from typing import Any

import pytest

from shared.report.legend import Legend
from shared.report.page import words
from tests.support import pages
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
    "a plan that was carried out": (
        {"plan_id": "p1", "totals": {"images": 9, "candidates": 5, "deleted": 4}},
        False,
        "4 of the plan's 5 images deleted",
    ),
    "a clean-up that was cut off, of which the journal knows the candidates alone": (
        {"finished_at": None, "totals": {"candidates": 5, "deleted": 1}},
        False,
        "1 of 5 images deleted so far",
    ),
    "a run that goes on": (
        {"plan_id": "p1", "finished_at": None, "totals": {"candidates": 5, "deleted": 1}},
        False,
        "1 of the plan's 5 images deleted so far",
    ),
}


@pytest.mark.parametrize(("changes", "asks", "headline"), HEADLINES.values(), ids=HEADLINES)
def test_the_headline(changes: dict[str, Any], asks: bool, headline: str) -> None:
    assert words.headline(report(**changes), asks=asks) == headline


def test_the_place_is_named_with_its_folder() -> None:
    named = Legend(folder_id="b1g", registries={"crp1": "shop"})
    shown = pages.report([pages.image(1)])

    assert words.headline(shown, asks=True, legend=named) == "Delete 1 of 18 images in registry shop?"
    assert words.where(shown, named) == "registry shop (crp1) · folder b1g"
    assert words.where(report(), None) == ""


def test_several_registries_are_named() -> None:
    named = Legend(registries={"crp1": "shop"})
    two = pages.report([pages.image(1), pages.image(2, registry_id="crp2")])
    five = pages.report([pages.image(n, registry_id=f"crp{n}") for n in range(1, 6)])

    assert words.headline(two, asks=True, legend=named) == "Delete 2 of 19 images in 2 registries?"
    assert words.where(two, named) == "2 registries: shop, crp2"
    assert words.where(five, named) == "5 registries: shop, crp2, crp3 and 2 more"


def test_the_status_agrees_with_the_warnings() -> None:
    warned = report(warnings=[{"code": "c", "message": "odd"}])

    assert (words.status(warned), words.chip(warned)) == ("Done, with 1 warning", "warned")
    assert (words.status(report()), words.chip(report())) == ("Done", "ok")
    held = report(status="held-back", warnings=[{"code": "c", "message": "odd"}])
    assert (words.status(held), words.chip(held)) == ("A guard or a limit held something back", "held-back")


def test_what_stays_is_named_with_what_keeps_it() -> None:
    rows = [pages.image(n, "ci", outcome="remaining", kept_by=f"reason {n % 4}") for n in range(10)]
    held = report(mode="plan", totals={"candidates": 10, "remaining": 10}, images=rows)

    assert words.stays(held) == (
        "What a limit or a guard holds back stays: 3 in ci: reason 0; 3 in ci: reason 1."
    )
    assert words.stays(report()) == ""
    [number] = [one for one in words.numbers(held) if one.name == "Held back"]
    assert (number.value, number.note) == ("10", "reason 0 3, reason 1 3 and more")


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


def test_a_run_that_goes_on_does_not_know_yet_what_it_frees_and_holds_back_nothing() -> None:
    planned = report(mode="plan", totals={"candidates": 5, "reclaimed_bytes": 2**30})
    so_far = report(plan_id="p1", finished_at=None, totals={"candidates": 5, "deleted": 2, "remaining": 3})

    shown = {number.name: (number.value, number.note) for number in words.numbers(so_far, planned)}

    assert shown["Deleted"] == ("2", "of 5 planned")
    assert shown["Freed"] == ("–", "of 1.0 GB planned")
    assert shown["Still to go"] == ("3", "as far as is known by now")
    alone = {number.name: (number.value, number.note) for number in words.numbers(so_far)}
    assert alone["Freed"] == ("–", "known when the run ends")
    assert alone["Deleted"] == ("2", "of 5 images to delete")


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
