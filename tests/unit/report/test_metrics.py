"""The numbers of a run for Yandex Monitoring."""

from __future__ import annotations

import pytest

from shared.cleanup.run import Run, Survey
from shared.report.metrics import gauges
from shared.retention.layers import LayerCount
from shared.retention.records import DELETED, Outcome, Registry, Repository, RepositoryName
from shared.settings.overrides import Narrowed
from shared.settings.settings import Settings

ALL = {"images", "candidates", "protected", "deleted", "failed", "bytes_reclaimed", "seconds"}


def run(pushed: frozenset[RepositoryName] | None = None, images: int | None = 9) -> Run:
    settings = Settings(folder_id="b1g", mode="apply")
    survey = Survey(
        Registry("crp1", "b1g", ""), Repository("", "crp1", "crp1/app"), [], images=images, candidate_count=3
    )
    survey.outcomes = {"a": DELETED, "b": Outcome("protected", "grace"), "c": Outcome("failed")}
    return Run(
        narrowed=Narrowed(settings, settings, settings),
        only=pushed,
        surveys=[survey],
        layers={"crp1": LayerCount()},
    )


def test_every_registry_has_its_numbers() -> None:
    numbers = {gauge["name"]: gauge["value"] for gauge in gauges(run(), 1.23456)}

    assert numbers == {
        "images": 9,
        "candidates": 3,
        "protected": 1,
        "deleted": 1,
        "failed": 1,
        "bytes_reclaimed": 0,
        "seconds": 1.235,
    }
    assert {gauge["labels"]["registry_id"] for gauge in gauges(run(), 1)} == {"crp1"}


@pytest.mark.parametrize(
    "partial", [run(pushed=frozenset({RepositoryName("crp1", "crp1/app")})), run(images=None)]
)
def test_what_only_a_whole_registry_tells_is_left_out_after_a_part_of_it(partial: Run) -> None:
    assert {gauge["name"] for gauge in gauges(partial, 1)} == ALL - {"images", "candidates", "protected"}
