"""A run's numbers for Yandex Monitoring: one gauge a number and registry, labelled ``registry_id``."""

from __future__ import annotations

from collections import Counter
from typing import Any

from shared.cleanup.run import Run


def gauges(run: Run, seconds: float) -> list[dict[str, Any]]:
    """The metrics of every registry that the run looked at, which took it so many seconds."""
    return [
        {"name": name, "labels": {"registry_id": registry_id}, "type": "DGAUGE", "value": value}
        for registry_id in run.layers
        for name, value in _numbers(run, registry_id, seconds).items()
    ]


def _numbers(run: Run, registry_id: str, seconds: float) -> dict[str, float]:
    """``images``, ``candidates`` and ``protected`` are left out when not all of the registry was looked
    at.
    """
    surveys = [survey for survey in run.surveys if survey.registry.registry_id == registry_id]
    outcomes: Counter[str] = Counter()
    for survey in surveys:
        outcomes.update(outcome.outcome for outcome in survey.outcomes.values())
    done = {
        "deleted": outcomes["deleted"],
        "failed": outcomes["failed"],
        "bytes_reclaimed": run.layers[registry_id].freed_bytes() if run.settings.mode == "apply" else 0,
        "seconds": round(seconds, 3),
    }
    if run.only is not None or any(survey.images is None for survey in surveys):
        return done
    return {
        "images": sum(survey.images or 0 for survey in surveys),
        "candidates": sum(survey.candidate_count for survey in surveys),
        "protected": outcomes["protected"],
        **done,
    }
