"""The page's pictures: repositories before and after, and the trend of the last runs."""

from __future__ import annotations

import msgspec

from shared.report.page import pictures
from shared.retention.records import Totals
from tests.support.pages import image, report, runs


def test_a_repository_counts_what_goes_and_what_is_kept() -> None:
    images = [
        image(1),
        image(2, outcome="deleted"),
        image(3, outcome="protected"),
        image(4, outcome="failed"),
    ]

    [app] = pictures.repositories(report(images)).pictured

    assert (app.name, app.images, app.go, app.kept) == ("team-a/app", 14, 2, 1)
    assert app.go_bytes == 5 * 2**20
    assert [part.kind for part in app.after] == ["stay", "kept"]


def test_an_image_of_a_repository_that_is_not_listed_is_left_out() -> None:
    assert pictures.repositories(report([image(1)], repositories=[])).pictured == []


def test_the_trend_counts_what_clean_ups_deleted_and_runs_that_ended_badly() -> None:
    history = runs(3)
    history[1] = msgspec.structs.replace(history[1], mode="dry-run", totals=Totals(images=5, candidates=5))

    trend = pictures.trend(history)

    assert (trend.deleted, trend.reclaimed_bytes, trend.troubled, trend.most) == (20, 2 * 2**30, 1, 10)
    assert [bar.height for bar in trend.bars] == [100, 0, 100]


def test_no_runs_have_an_empty_trend() -> None:
    assert (pictures.trend([]).bars, pictures.trend([]).line) == ([], "")
