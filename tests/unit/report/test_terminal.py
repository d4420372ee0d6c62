"""What a person at a terminal sees of a report."""

from __future__ import annotations

from typing import Any

import pytest

from shared.invocation.open_plans import OpenPlan
from shared.report import terminal
from shared.report.difference import difference_between
from shared.report.legend import Legend
from tests.support.channels import report
from tests.support.pages import image, kinds, policy

PROBLEM = {"where": "w", "code": 7, "message": "not allowed"}


def test_the_report_shows_what_needs_a_look_first_and_counts_the_rest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = report(
        mode="plan",
        plan_id="p1",
        status="held-back",
        totals={"candidates": 6},
        images=kinds(),
        policies=[policy("team-a/app")],
        warnings=[{"code": "c", "message": "look\x1b[31m"}],
        errors=[{"where": "w", "code": 7, "message": "not [bold]allowed"}],
    )

    terminal.show(shown)

    out = capsys.readouterr().out
    first, second, *_ = out.splitlines()
    assert first == (
        "Would delete 6 of 6 images in registry crp1, which would free 0 B; held back 1 in team-a/app: it has"
        " gained a tag"
    )
    assert second == "plan: held-back (a guard or a limit would hold something back)"
    assert "in use: serverless container web" in out
    assert "would-delete" not in out
    assert "warning: look\N{REPLACEMENT CHARACTER}[31m" in out
    assert "error: not [bold]allowed" in out
    assert "python -m functions apply p1" in out


def test_every_image_is_shown_to_whoever_wants_it(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show(report(mode="dry-run", images=kinds()), verbose=True)

    out = capsys.readouterr().out
    assert out.count("would-delete") == 3
    assert "team-a/app:build-1" in out


def test_what_stays_is_cut_after_forty(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show(report(images=[image(number, outcome="failed") for number in range(50)]))

    assert "… and 10 more that stay" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({}, "There are no images."),
        ({"status": "failed", "errors": [PROBLEM]}, "Nothing could be validated."),
        (
            {"totals": {"images": 5}},
            "Every index has its images and every signature its image: 5 images in the registries.",
        ),
        (
            {"totals": {"images": 5}, "warnings": [{"code": "broken-index", "message": "app: lost"}]},
            "1 of 5 images in the registries are damaged.",
        ),
        (
            {"totals": {"images": 5}, "errors": [PROBLEM]},
            "Every index has its images and every signature its image: 5 images in the registries. Not"
            " everything could be looked at.",
        ),
    ],
)
def test_a_validation_says_what_it_found(
    changes: dict[str, Any], first: str, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.show_validated(report(**changes), Legend())

    assert capsys.readouterr().out.replace("\n", " ").startswith(first)


def test_the_difference_shows_what_is_newly_taken_and_newly_kept(capsys: pytest.CaptureFixture[str]) -> None:
    before = report(images=[image(1), image(2)])
    after = report(
        images=[image(2), image(3)], warnings=[{"code": "c", "message": "some rules match nothing"}]
    )

    terminal.show_difference(difference_between(before, after))

    out = capsys.readouterr().out
    assert "Newly taken" in out
    assert "not-taken" in out
    assert "some rules match nothing" in out
    assert out.startswith("1 image newly taken, 1 newly kept\n")


def test_without_a_terminal_there_are_no_bars(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.progress() as progress:
        progress("images", 1, 2)

    assert capsys.readouterr() == ("", "")


def test_plans_that_wait_are_shown_with_their_links(capsys: pytest.CaptureFixture[str]) -> None:
    plan = OpenPlan("p1", "2026-12-01T03:00:00Z", "Would delete 4 of 27 images", "https://h/?plan=p1&token=t")

    terminal.show_plans([plan], "https://h/?token=l")
    terminal.show_plans([], "")

    assert capsys.readouterr().out.splitlines() == [
        "Would delete 4 of 27 images",
        "  until 2026-12-01T03:00:00Z: python -m functions apply p1",
        "  https://h/?plan=p1&token=t",
        "All of them, for a day, for whoever may approve them: https://h/?token=l",
        "No plan waits for a decision.",
    ]
