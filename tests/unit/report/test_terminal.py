"""What a person at a terminal sees of a report."""

from __future__ import annotations

import pytest

from shared.report import terminal
from shared.report.difference import difference_between
from tests.support.channels import report
from tests.support.pages import image, kinds, policy


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

    terminal.show(shown, most=2)

    out = capsys.readouterr().out
    assert "plan: held-back" in out
    assert "failed" in out
    assert "protected (in-use)" in out
    assert "would-delete" not in out
    assert "… and 4 more" in out
    assert "warning: look\N{REPLACEMENT CHARACTER}[31m" in out
    assert "error: not [bold]allowed" in out
    assert "python -m functions apply p1" in out


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
    assert out.endswith("1 images newly taken, 1 newly kept\n")


def test_without_a_terminal_there_are_no_bars(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.progress() as progress:
        progress("images", 1, 2)

    assert capsys.readouterr() == ("", "")
