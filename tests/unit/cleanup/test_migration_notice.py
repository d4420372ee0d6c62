"""What a plan says before a read-only service refuses it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.cleanup import migration_notice
from shared.cleanup.run import Run, Survey
from shared.retention.records import REMAINING, Candidate, Image, Registry, Repository, Service
from shared.settings.overrides import Narrowed
from shared.settings.settings import Settings

BEFORE, ON_IT = datetime(2026, 11, 9, 23, 59, tzinfo=UTC), datetime(2026, 11, 10, tzinfo=UTC)
OLD: Service = "container-registry"
NEW: Service = "cloud-registry"


def warnings(mode: Any, day: datetime, *services: Service, stays: bool = False) -> list[str]:
    """What a run of one image in each of the services warns of."""
    settings = Settings(folder_id="b1g", mode=mode)
    run = Run(narrowed=Narrowed(settings, settings, settings), started_at=day)
    for number, service in enumerate(services):
        registry = Registry(f"crp{number}", "b1g", "shop", service)
        survey = Survey(registry, Repository("", f"crp{number}", f"crp{number}/app", service), [])
        with survey.opened():
            survey.take({"i": Candidate(Image("i", "sha256:1", (), "", 1, b""), ("policy old",))})
            if stays:
                survey.settle({"i": REMAINING})
        run.add(registry, [survey])
    migration_notice.foresee_refusals(run)
    return [f"{notice.code}: {notice.message}" for notice in run.warnings]


CASES: dict[str, tuple[tuple[Any, datetime, tuple[Service, ...]], int]] = {
    "a plan": (("plan", ON_IT, (OLD,)), 1),
    "a plan of several": (("plan", ON_IT, (OLD, NEW, OLD)), 2),
    "a plan of before": (("plan", BEFORE, (OLD,)), 0),
    "a plan of the other service": (("plan", ON_IT, (NEW,)), 0),
    "a clean-up, which tries": (("apply", ON_IT, (OLD,)), 0),
    "a dry run": (("dry-run", ON_IT, (OLD,)), 0),
}


@pytest.mark.parametrize(("case", "count"), CASES.values(), ids=CASES)
def test_a_plan_says_that_a_read_only_service_will_refuse(case: Any, count: int) -> None:
    mode, day, services = case
    said = warnings(mode, day, *services)

    assert len(said) == (count > 0)
    for text in said:
        assert text.startswith(f"read-only: {count} of these images are in Container Registry")
        assert "Since 2026-11-10" in text
        assert "yc cloud-registry v1 migration start-folder" in text


def test_nothing_is_said_of_images_that_stay() -> None:
    assert warnings("plan", ON_IT, OLD, stays=True) == []
