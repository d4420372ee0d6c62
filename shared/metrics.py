"""A run's numbers for Yandex Monitoring: one gauge a number and registry, labelled ``registry_id``.

``POST /monitoring/v2/data/write?folderId=..&service=custom`` takes ``{"ts", "labels", "metrics": [{"name", "labels",
"type", "value"}]}``, at most 10,000 metrics, and may answer 200 with an ``errorMessage`` (Yandex Cloud's
documentation: monitoring/api-ref/MetricsData/write, monitoring/concepts/limits).
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import msgspec

from shared.errors import JanitorError
from shared.http import Cloud
from shared.pace import Pace
from shared.run import Run, Survey

LABELS = {"app": "registry-janitor"}
ROLE = "monitoring.editor on the folder"
PATH = "/monitoring/v2/data/write"


class _Written(msgspec.Struct, rename="camel"):
    error_message: str = ""


def write(run: Run, finished_at: datetime, ends_at: float) -> str:
    """Writes the run's numbers, and returns why that failed, or nothing. ``ends_at`` is a monotonic time."""
    if run.cloud is None or run.cloud.credentials is None:
        return "there are no credentials"
    metrics = gauges(run, (finished_at - run.started_at).total_seconds())
    if not metrics:
        return ""
    cloud = Cloud(run.cloud.endpoint, Pace(1, ends_at))
    cloud.credentials = run.cloud.credentials
    try:
        written = cloud.call(
            "POST",
            "monitoring",
            PATH,
            _Written,
            params={"folderId": run.settings.metrics.folder_id, "service": "custom"},
            body={"ts": finished_at.isoformat(), "labels": LABELS, "metrics": metrics},
            role=ROLE,
        )
    except JanitorError as error:
        return str(error)
    return written.error_message[:200]


def gauges(run: Run, seconds: float) -> list[dict[str, Any]]:
    """The metrics of every registry that the run looked at."""
    return [
        {"name": name, "labels": {"registry_id": registry_id}, "type": "DGAUGE", "value": value}
        for registry_id in run.layers
        for name, value in _numbers(run, registry_id, seconds).items()
    ]


def _numbers(run: Run, registry_id: str, seconds: float) -> dict[str, float]:
    """``images``, ``candidates`` and ``protected`` are left out when not all of the registry was looked at."""
    surveys = [survey for survey in run.surveys if survey.registry.registry_id == registry_id]
    outcomes = Counter(outcome.outcome for survey in surveys for outcome in survey.outcomes.values())
    apply = run.settings.mode == "apply"
    done = {
        "deleted": outcomes["deleted"],
        "failed": outcomes["failed"],
        "bytes_reclaimed": run.layers[registry_id].freed_bytes() if apply else 0,
        "seconds": round(seconds, 3),
    }
    if run.pushed is not None or any(survey.images is None for survey in surveys):
        return done
    return {**_held(surveys), "protected": outcomes["protected"], **done}


def _held(surveys: list[Survey]) -> dict[str, float]:
    return {
        "images": sum(survey.images or 0 for survey in surveys),
        "candidates": sum(len(survey.candidates) for survey in surveys),
    }
