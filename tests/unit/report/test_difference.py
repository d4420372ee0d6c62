"""How two dry runs of the same images differ."""

from __future__ import annotations

from shared.report.difference import difference_between
from tests.support.channels import report
from tests.support.pages import image

PROBLEM = {"where": "GET /", "code": 7, "message": "too much", "image_id": ""}


def test_an_image_is_newly_taken_or_newly_kept_or_neither() -> None:
    before = report(images=[image(1), image(2), image(3)])
    after = report(
        images=[image(1), image(3, outcome="protected", guard="grace"), image(4)],
        warnings=[{"code": "c", "message": "m"}],
    )

    difference = difference_between(before, after)

    assert [row.image_id for row in difference.newly_taken] == [image(4)["image_id"]]
    assert [(row.image_id, row.outcome) for row in difference.newly_kept] == [
        (image(2)["image_id"], "not-taken"),
        (image(3)["image_id"], "protected"),
    ]
    assert difference.warnings == after.warnings


def test_an_error_of_both_runs_is_there_once() -> None:
    other = {**PROBLEM, "message": "another"}

    difference = difference_between(report(errors=[PROBLEM]), report(errors=[PROBLEM, other]))

    assert [problem.message for problem in difference.errors] == ["too much", "another"]
