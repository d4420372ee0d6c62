"""A run in one sentence, and what holds its images back."""

from __future__ import annotations

from typing import Any

import pytest

from shared.report import sentence
from shared.report.contract import STATUSES
from shared.report.legend import Legend
from tests.support import pages
from tests.support.channels import report
from tests.support.pages import image

GB = 2**30
NAMED = Legend(registries={"crp1": "shop"})


def row(number: int, repository: str, kept_by: str, outcome: str = "remaining") -> dict[str, Any]:
    return image(number, repository, outcome=outcome, kept_by=kept_by)


HELD = [row(number, "tools/ci", "MAX_SHARE") for number in range(120)]
DONE = {"images": 3811, "candidates": 2483, "deleted": 2363, "remaining": 120, "reclaimed_bytes": 245.8 * GB}
SENTENCES: dict[str, tuple[dict[str, Any], str]] = {
    "a clean-up": (
        {"totals": {**DONE, "reclaimed_bytes": int(245.8 * GB)}, "images": HELD},
        "Deleted 2,363 of 3,811 images in registry shop (crp1), freed 245.8 GB; held back 120 in tools/ci:"
        " MAX_SHARE",
    ),
    "a dry run": (
        {"mode": "dry-run", "totals": {"images": 9, "candidates": 2, "reclaimed_bytes": 2048}},
        "Would delete 2 of 9 images, which would free 2.0 KB",
    ),
    "a price": (
        {
            "totals": {"images": 2, "candidates": 2, "deleted": 2},
            "price": {"currency": "RUB", "reclaimed_per_month": 1234.5},
        },
        "Deleted 2 of 2 images, freed 0 B (1,234.50 RUB a month)",
    ),
    "a plan that is carried out": (
        {"plan_id": "p1", "totals": {"images": 9, "candidates": 3, "deleted": 2, "already_gone": 1}},
        "Deleted 2 of the plan's 3 images, freed 0 B; 1 were gone before",
    ),
    "nothing goes": (
        {"mode": "plan", "totals": {"images": 9, "candidates": 1, "protected": 1}},
        "Would delete none of 9 images",
    ),
    "time ran out": (
        {"status": "unfinished", "totals": {"images": 9, "candidates": 5, "deleted": 2, "remaining": 3}},
        "Deleted 2 of 9 images, freed 0 B; left 3",
    ),
    "something failed": (
        {"totals": {"images": 9, "candidates": 2, "failed": 2}},
        "Deleted none of 9 images; failed to delete 2",
    ),
    "nothing was looked at": ({"mode": "dry-run", "status": "failed"}, "Nothing was looked at."),
    "nothing was done": ({"status": "refused"}, "Nothing was done."),
    "many reasons": (
        {
            "totals": {"images": 9, "candidates": 6, "remaining": 6},
            "images": [
                *(row(number, f"r{number}", "MAX_SHARE") for number in range(4)),
                *(row(4, "app", "it has gained a tag"), row(5, "app", "guard-unavailable")),
            ],
        },
        "Deleted none of 9 images in registry shop (crp1); held back 4 in r0, r1, r2 and 1 more: MAX_SHARE;"
        " held back 1 in app: it has gained a tag; held back 1 for other reasons",
    ),
    "Cloud Registry": (
        {
            "totals": {"images": 1, "candidates": 1, "deleted": 1},
            "images": [image(1, outcome="deleted", service="cloud-registry")],
        },
        "Deleted 1 of 1 image in registry shop (Cloud Registry, crp1), freed 0 B",
    ),
}


@pytest.mark.parametrize(("changes", "words"), SENTENCES.values(), ids=SENTENCES)
def test_a_run_in_a_sentence(changes: dict[str, Any], words: str) -> None:
    assert sentence.sentence(report(**changes), NAMED) == words


def test_without_names_nothing_comes_from_strangers() -> None:
    said = sentence.sentence(report(totals={"images": 120, "remaining": 120}, images=HELD), names=False)

    assert said == "Deleted none of 120 images in registry crp1; held back 120"


def test_several_registries_are_counted() -> None:
    two = pages.report([image(1), {**image(2), "registry_id": "crp2"}])

    assert sentence.places(two, NAMED) == "2 registries"
    assert sentence.places(report()) == ""


def test_a_run_that_was_cut_off_does_not_say_what_it_freed() -> None:
    cut = report(
        finished_at=None, status="unfinished", totals={"candidates": 3, "deleted": 2, "remaining": 1}
    )

    assert sentence.sentence(cut) == "Deleted 2 of 3 images; left 1"


@pytest.mark.parametrize("mode", ["dry-run", "plan", "apply"])
@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_words(mode: str, status: str) -> None:
    assert sentence.status(report(mode=mode, status=status))


def test_every_guard_has_words_and_what_is_new_its_name() -> None:
    assert sentence.guard("in-use") == "in use"
    assert sentence.guard("new-guard") == "new-guard"
