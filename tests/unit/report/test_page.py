"""The page of a plan and of a report, in a real browser: whatever is in it, it is read, searched and answered
safely.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.report.page import page as pages
from shared.report.page import pictures, words
from tests.support.pages import HIDDEN, PLAN, image, kinds, plan, report, runs


@pytest.mark.parametrize(
    ("change", "headline"),
    [
        ({"mode": "dry-run"}, "4 of 33 images would be deleted in registry crp1"),
        ({"mode": "apply"}, "Nothing was deleted in registry crp1"),
        ({"mode": "plan"}, "4 of 33 images would be deleted in registry crp1"),
    ],
)
def test_a_report_that_asks_nothing_has_nothing_to_answer(change: dict[str, Any], headline: str) -> None:
    html = pages.report_page(report(kinds(), **change), [])

    assert f"<h1>{headline}</h1>" in html
    assert "<form" not in html


@pytest.mark.parametrize("status", ["ok", "partial", "refused", "held-back", "unfinished", "failed"])
@pytest.mark.parametrize("mode", ["dry-run", "plan", "apply"])
def test_a_report_of_nothing_has_a_page_in_every_state(mode: str, status: str) -> None:
    nothing = report(
        [], mode=mode, status=status, plan_id=None, policies=[], finished_at=None, repositories=[]
    )

    assert words.status(nothing) in pages.report_page(nothing, [])


def test_why_a_plan_is_not_open_is_said() -> None:
    html = pages.plan_page(
        report(kinds()), plan={**PLAN, "state": "This plan has run out."}, approve=None, trend=[]
    )

    assert "This plan has run out." in html
    assert "<form" not in html


def test_images_of_several_registries_are_told_apart() -> None:
    html = pages.report_page(report([image(1), {**image(2), "registry_id": "crp2"}]), [])

    assert "crp1/team-a/app" in html
    assert "crp2/team-a/app" in html


@pytest.mark.parametrize(("text", "shown"), HIDDEN.items(), ids=HIDDEN.values())
def test_characters_that_hide_are_shown(text: str, shown: str) -> None:
    assert words.visible(text) == shown


@given(st.text())
def test_what_is_shown_can_be_seen_and_is_shown_once(text: str) -> None:
    shown = words.visible(text)

    assert shown.isprintable()
    assert words.visible(shown) == shown


def test_no_token_is_in_an_address_of_the_page() -> None:
    html = plan(kinds())

    assert html.count("approve-it") == html.count("reject-it") == 1
    assert 'name="token" value="approve-it"' in html


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_bar_is_whole_and_shows_all_that_there_is(stay: int, kept: int, go: int) -> None:
    one = pictures.Repository("app", images=stay + kept + go, size_bytes=0, go=go, kept=kept)

    assert [part.kind for part in one.before] == [
        kind for kind, count in (("stay", stay), ("kept", kept), ("go", go)) if count
    ]
    assert sum(part.length for part in one.before) == pytest.approx(100 if one.images else 0, abs=0.1)
    assert all(part.length > 0.5 for part in one.before)
    assert one.after == [part for part in one.before if part.kind != "go"]


def test_repositories_that_lose_most_come_first_and_too_many_are_counted() -> None:
    images = [image(n, f"app-{n % 100}") for n in range(250)]

    found = pictures.repositories(report(images))

    assert [one.go for one in found.pictured] == [3] * 50 + [2] * 10
    assert (found.not_pictured, found.others) == (40, 1)


def test_the_trend_is_of_the_last_ninety_runs_and_counts_only_whole_ones() -> None:
    history = runs(100)
    history[50] = msgspec.structs.replace(history[50], all_repositories=False)

    found = pictures.trend(reversed(history))

    assert [run.run_id for run in found.runs] == [f"run-{n}" for n in range(10, 100)]
    assert len(found.bars) == 90
    assert len(found.images) == len(found.line.split()) == 89
    assert found.troubled == 0


@pytest.mark.parametrize(
    ("count", "says"), [(1, "1 did not end well, and is marked."), (0, "All ended well.")]
)
def test_runs_that_did_not_end_well_are_counted(count: int, says: str) -> None:
    html = pages.report_page(report(kinds()), runs(3)[1 - count :])

    assert says in html
