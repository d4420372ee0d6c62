"""The lists of a report: where most goes first, newest first, and reasons in words."""

from __future__ import annotations

from shared.report import lists
from shared.report.legend import Legend
from tests.support.pages import image, kinds, report

LEGEND = Legend(says={"policy old-builds": "tags build-.*, older than 30 days"})


def test_repositories_count_what_goes_and_what_stays_where_most_goes_first() -> None:
    shown = lists.repositories(report([*kinds(), image(9, "team-c/big", size_bytes=2**40)]))

    assert [row.name for row in shown] == ["team-c/big", "team-a/app", "team-b/web"]
    assert [(row.go, row.kept, row.held, row.failed) for row in shown] == [
        *((1, 0, 0, 0), (2, 0, 1, 1), (1, 1, 0, 0)),
    ]
    assert lists.unchanged(report(kinds())) == 1


def test_repositories_of_several_registries_are_told_apart() -> None:
    shown = report([image(1), {**image(2), "registry_id": "crp2"}])

    assert {row.name for row in lists.repositories(shown)} == {"crp1/team-a/app", "team-a/app"}


def test_images_come_newest_first_in_their_repository() -> None:
    rows = lists.newest_first(report([image(5), image(2), image(9, "a")]).images)

    assert [row.image_id[-1] for row in rows] == ["9", "2", "5"]


def test_what_stays_comes_first_that_needs_a_look_and_not_what_a_limit_keeps() -> None:
    many = [image(number, outcome="remaining", kept_by="MAX_SHARE") for number in (7, 8)]

    rows = lists.notable(report([*kinds(), *many]))

    assert [row.outcome for row in rows] == ["failed", "protected", "remaining"]


def test_why_is_said_in_words() -> None:
    [gone, kept] = report(
        [image(1), image(2, outcome="protected", guard="index-child", kept_by=f"sha256:{'a' * 64} (latest)")]
    ).images

    assert lists.why(gone, LEGEND) == "policy old-builds: tags build-.*, older than 30 days"
    assert lists.why(kept, None) == (
        "part of an image that stays: sha256:aaaaaaaaaaaa… (latest); taken by policy old-builds"
    )
    assert (
        lists.why(kept, None, reasons=False) == "part of an image that stays: sha256:aaaaaaaaaaaa… (latest)"
    )
