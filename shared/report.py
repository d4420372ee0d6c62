"""The report: what a run found and did, as the contract's JSON object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import msgspec

from shared.errors import JanitorError, without_secrets
from shared.records import Candidate, Outcome
from shared.run import REMAINING, Run, Survey

ROWS = 1000
GIB = 2**30
EXIT_STATUS = {"ok": 0, "partial": 1, "failed": 1, "refused": 3, "unfinished": 4}
OUTCOMES = ("would-delete", "deleted", "already-gone", "protected", "failed", "remaining")
WOULD_DELETE = Outcome("would-delete")


class Heading(msgspec.Struct, frozen=True):
    """What a report says of the run itself."""

    run_id: str
    mode: str
    started_at: datetime


def timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def build(
    heading: Heading, run: Run, error: JanitorError | None, finished_at: datetime, rows: int | None = ROWS
) -> dict[str, Any]:
    """The report of a run, or of what there is of it when ``error`` ended it; at most ``rows`` images are listed."""
    outcomes = Counter(outcome.outcome for *_, outcome in _outcomes(run, heading.mode))
    candidates = outcomes.total()
    listed = [
        _row(survey, candidate, outcome)
        for survey, candidate, outcome in islice(_outcomes(run, heading.mode), rows)
    ]
    report = empty(heading, finished_at)
    report["status"] = status(run, error)
    report["totals"] = {
        "images": sum(survey.images or 0 for survey in run.surveys),
        "candidates": candidates,
        **{name.replace("-", "_"): outcomes[name] for name in OUTCOMES if name != "would-delete"},
        "candidate_bytes": sum(
            c.image.size_bytes for survey in run.surveys for c in survey.candidates.values()
        ),
        "reclaimed_bytes": sum(layers.freed_bytes() for layers in run.layers.values()),
    }
    report["policies"] = [_policy(result) for survey in run.surveys for result in survey.results]
    report["images"] = listed
    report["images_truncated"] = len(listed) < candidates
    report["warnings"] = msgspec.to_builtins(run.warnings)
    report["errors"] = msgspec.to_builtins(run.errors) + ([_problem(error)] if error else [])
    price = run.settings.price
    if price.per_gb_month is not None:
        saved = report["totals"]["reclaimed_bytes"] / GIB * price.per_gb_month
        report["price"] = {"currency": price.currency, "reclaimed_per_month": round(saved, 2)}
    return report


def of_error(heading: Heading, error: JanitorError, finished_at: datetime) -> dict[str, Any]:
    """The report of a run that ended before it began."""
    report = empty(heading, finished_at)
    report["status"] = error.report_status
    report["errors"] = [_problem(error)]
    return report


def empty(heading: Heading, finished_at: datetime) -> dict[str, Any]:
    """The report of a run that had nothing to do."""
    counts = ("images", "candidates", "protected", "deleted", "already_gone", "failed", "remaining")
    return {
        "run_id": heading.run_id,
        "plan_id": None,
        "mode": heading.mode,
        "status": "ok",
        "started_at": timestamp(heading.started_at),
        "finished_at": timestamp(finished_at),
        "totals": dict.fromkeys((*counts, "candidate_bytes", "reclaimed_bytes"), 0),
        "policies": [],
        "images": [],
        "images_truncated": False,
        "warnings": [],
        "errors": [],
    }


def status(run: Run, error: JanitorError | None) -> str:
    if error and error.report_status != "unfinished":
        return error.report_status
    if run.refused:
        return "refused"
    if error or (run.settings.mode == "apply" and any(survey.going() for survey in run.surveys)):
        return "unfinished"
    if run.errors:
        policies = any(survey.policies for survey in run.surveys)
        nothing_done = policies and not any(survey.results for survey in run.surveys)
        return "failed" if nothing_done else "partial"
    return "ok"


def _outcomes(run: Run, mode: str) -> Iterator[tuple[Survey, Candidate, Outcome]]:
    unsettled = REMAINING if mode == "apply" else WOULD_DELETE
    for survey in run.surveys:
        for image_id, candidate in survey.candidates.items():
            yield survey, candidate, survey.outcomes.get(image_id, unsettled)


def _row(survey: Survey, candidate: Candidate, outcome: Outcome) -> dict[str, Any]:
    image = candidate.image
    return {
        "image_id": image.image_id,
        "registry_id": survey.registry.registry_id,
        "repository": survey.repository.name,
        "digest": image.digest,
        "tags": list(image.tags),
        "created_at": image.created_at,
        "size_bytes": image.size_bytes,
        "outcome": outcome.outcome,
        "reason": ", ".join(candidate.reasons),
        "guard": outcome.guard,
        "kept_by": outcome.kept_by or None,
    }


def _policy(result: Any) -> dict[str, Any]:
    return {
        "policy_id": result.policy.policy_id,
        "policy_name": result.policy.name,
        "registry_id": result.registry_id,
        "repository": result.repository,
        "status": result.policy.status,
        "applied": result.applied,
        "dry_run_result_id": result.dry_run_result_id,
        "candidates": result.candidates,
    }


def _problem(error: JanitorError) -> dict[str, Any]:
    return {"where": error.where, "code": error.code, "message": without_secrets(str(error)), "image_id": ""}
