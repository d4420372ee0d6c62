"""The report: what a run found and did, as the contract's JSON object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec

from shared.cleanup.run import Run, Survey
from shared.errors import JanitorError, SettingsError, without_secrets
from shared.retention.moments import timestamp
from shared.retention.records import REMAINING, WOULD_DELETE, Candidate, Outcome
from shared.state import journal
from shared.state.directory import StateDir
from shared.state.journal import Entry, Intent, Row

ROWS = 1000
GIB = 2**30
EXIT_STATUS = {"ok": 0, "partial": 1, "failed": 1, "refused": 3, "held-back": 3, "unfinished": 4}
OUTCOMES = ("would-delete", "deleted", "already-gone", "protected", "failed", "remaining")
HELD = ("failed", "protected", "remaining")


class Heading(msgspec.Struct, frozen=True):
    """What a report says of the run itself."""

    run_id: str
    mode: str
    started_at: datetime


def build(
    heading: Heading, run: Run, error: JanitorError | None, finished_at: datetime, rows: int | None = ROWS
) -> dict[str, Any]:
    """The report of a run, or of what there is of it when ``error`` ended it; at most ``rows`` images are
    listed.
    """
    tally = _tally(run, heading.mode)
    outcomes, candidates = tally.outcomes, tally.outcomes.total()
    listed = list(islice(_most_notable(run, heading.mode, whole=rows is None or candidates <= rows), rows))
    report = empty(heading, finished_at)
    report["status"] = status(run, error, tally)
    report["totals"] = {
        "images": sum(survey.images or 0 for survey in run.surveys),
        "candidates": candidates,
        **{name.replace("-", "_"): outcomes[name] for name in OUTCOMES if name != "would-delete"},
        "candidate_bytes": tally.candidate_bytes,
        "reclaimed_bytes": sum(layers.freed_bytes() for layers in run.layers.values()),
    }
    report["retries"] = run.cloud.pace.retries if run.cloud else 0
    report["repositories"] = [_repository(survey) for survey in run.surveys if survey.images]
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


class Tally(msgspec.Struct):
    """The candidates by outcome, those that nothing has settled, and their bytes."""

    outcomes: Counter[str] = msgspec.field(default_factory=Counter)
    unsettled: int = 0
    candidate_bytes: int = 0


def _tally(run: Run, mode: str) -> Tally:
    tally = Tally()
    for survey, candidate, outcome in _outcomes(run, mode):
        tally.outcomes[outcome.outcome] += 1
        tally.unsettled += candidate.image.image_id not in survey.outcomes
        tally.candidate_bytes += candidate.image.size_bytes
    return tally


def _most_notable(run: Run, mode: str, *, whole: bool) -> Iterator[dict[str, Any]]:
    """The rows, with those that need a look first unless there is room for all."""
    if whole:
        yield from image_rows(run, mode)
        return
    for held in (True, False):
        yield from (_row(*one) for one in _outcomes(run, mode) if (one[2].outcome in HELD) is held)


def image_rows(run: Run, mode: str) -> Iterator[dict[str, Any]]:
    """Every candidate's row."""
    return (_row(survey, candidate, outcome) for survey, candidate, outcome in _outcomes(run, mode))


def plan_rows(run: Run) -> Iterator[dict[str, Any]]:
    """The rows of a plan: the same images always make the same rows, whatever order the cloud lists them
    in.
    """
    for survey in run.surveys:
        with survey.opened():
            for image_id, one in sorted(survey.candidates.items()):
                image = msgspec.structs.replace(one.image, tags=tuple(sorted(one.image.tags)))
                candidate = Candidate(image, tuple(sorted(one.reasons)))
                row = _row(survey, candidate, survey.outcomes.get(image_id, WOULD_DELETE))
                yield {**row, "reasons": candidate.reasons}


def kept(state_dir: str | None, run_id: str | None = None) -> dict[str, Any]:
    """The report of a run as the state directory has it, by default of the last one. Raises JanitorError."""
    if not state_dir:
        raise SettingsError(
            "STATE_DIR is not set, so no report is kept; set it to a directory.", where="STATE_DIR"
        )
    state = StateDir(state_dir)
    run_id = run_id or next(reversed(journal.runs(state)), "")
    entry = journal.entry(state, run_id) if run_id in journal.runs(state) else None
    if entry is None:
        raise SettingsError(f"STATE_DIR ({state_dir}) has no run {run_id}.", where="STATE_DIR")
    return journal.written_report(state, run_id) or of_journal(entry, None)


def of_journal(entry: Entry, rows: int | None = ROWS) -> dict[str, Any]:
    """What is known of a run that was cut off before its report."""
    outcomes = [
        (intent, row, entry.outcomes.get(intent.number, {}).get(row.image_id))
        for intent in entry.intents
        for row in intent.images
    ]
    counts = Counter((outcome or REMAINING).outcome for *_, outcome in outcomes)
    unknown = sum(len(intent.images) for intent in entry.open())
    started_at = datetime.fromisoformat(entry.begin.started_at)
    report = empty(Heading(entry.begin.run_id, entry.begin.mode, started_at), started_at)
    report["status"] = "unfinished"
    report["finished_at"] = None
    report["totals"] |= {name.replace("-", "_"): counts[name] for name in OUTCOMES if name != "would-delete"}
    report["totals"]["candidates"] = len(outcomes)
    report["totals"]["candidate_bytes"] = sum(row.size_bytes for _, row, _ in outcomes)
    report["images"] = [_journal_row(*one) for one in outcomes[:rows]]
    report["images_truncated"] = len(report["images"]) < len(outcomes)
    if unknown:
        message = (
            f"The run was cut off; of {unknown} images it is not known yet whether they are gone."
            " The next run looks."
        )
        report["warnings"] = [{"code": "run-cut-off", "message": message}]
    return report


def _journal_row(intent: Intent, row: Row, outcome: Outcome | None) -> dict[str, Any]:
    known = outcome or REMAINING
    return {
        "image_id": row.image_id,
        "registry_id": intent.registry_id,
        "repository": intent.repository,
        "digest": row.digest,
        "tags": list(row.tags),
        "created_at": row.created_at,
        "size_bytes": row.size_bytes,
        "outcome": known.outcome,
        "reason": row.reason,
        "guard": known.guard,
        "kept_by": known.kept_by or None,
    }


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
        "repositories": [],
        "policies": [],
        "images": [],
        "images_truncated": False,
        "warnings": [],
        "errors": [],
    }


def status(run: Run, error: JanitorError | None, tally: Tally) -> str:
    """The worst that holds of the run."""
    if error and error.report_status == "failed" and tally.outcomes["deleted"]:
        return "partial"
    if error and error.report_status != "unfinished":
        return error.report_status
    if run.refused:
        return "refused"
    if error or (run.settings.mode == "apply" and tally.unsettled):
        return "unfinished"
    if len(run.errors) > (run.guard_errors if run.held_back else 0):
        asked = [survey for survey in run.surveys if survey.policies or survey.rules]
        done = any(survey.results or (survey.rules and survey.images is not None) for survey in asked)
        return "partial" if done or run.held_back or (run.surveys and not asked) else "failed"
    return "held-back" if run.held_back else "ok"


def _outcomes(run: Run, mode: str) -> Iterator[tuple[Survey, Candidate, Outcome]]:
    unsettled = REMAINING if mode == "apply" else WOULD_DELETE
    for survey in run.surveys:
        for candidate in survey.each():
            yield survey, candidate, survey.outcomes.get(candidate.image.image_id, unsettled)


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


def _repository(survey: Survey) -> dict[str, Any]:
    """How much a repository held; ``size_bytes`` counts a layer that images share in each of them."""
    return {
        "registry_id": survey.registry.registry_id,
        "repository": survey.repository.name,
        "images": survey.images,
        "size_bytes": survey.size_bytes,
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
