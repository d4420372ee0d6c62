"""How a report is made, of a run, of the journal of a run that was cut off, or of an error; and how it leaves
as JSON.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any, cast

import msgspec
from msgspec import UNSET, UnsetType

from shared.cleanup.run import Run, Survey
from shared.errors import JanitorError, SettingsError, without_secrets
from shared.report.contract import ImageRow, PlanRow, PolicyRow, Price, RepositoryRow
from shared.report.contract import Report as Report
from shared.retention.moments import timestamp
from shared.retention.records import (
    REMAINING,
    WOULD_DELETE,
    Candidate,
    Image,
    Notice,
    Outcome,
    PolicyResult,
    Problem,
    Service,
    Totals,
)
from shared.state import journal
from shared.state.journal import Entry, Row
from shared.state.store import Store

ROWS = 1000
GIB = 2**30
EXIT_STATUS = {"ok": 0, "partial": 1, "failed": 1, "refused": 3, "held-back": 3, "unfinished": 4}
OUTCOMES = ("would-delete", "deleted", "already-gone", "protected", "failed", "remaining")
OPTIONAL = ("price", "retries")
HELD = ("failed", "protected", "remaining")
NO_RUN_YET = "yet; dry-run, plan and cleanup keep theirs there"


class Heading(msgspec.Struct, frozen=True):
    """What a report says of the run itself."""

    run_id: str
    mode: str
    started_at: datetime


def build(
    heading: Heading, run: Run, error: JanitorError | None, finished_at: datetime, rows: int | None = ROWS
) -> Report:
    """The report of a run, or of what there is of it when ``error`` ended it; at most ``rows`` images are
    listed.
    """
    tally = _tally(run, heading.mode)
    candidates = tally.outcomes.total()
    has_room = rows is None or candidates <= rows
    listed = list(islice(_most_notable(run, heading.mode, has_room=has_room), rows))
    totals = _totals(run, tally)
    return msgspec.structs.replace(
        empty(heading, finished_at),
        status=status(run, error, tally),
        totals=totals,
        repositories=[_repository(survey) for survey in run.surveys if survey.images],
        policies=_policies(run),
        images=listed,
        images_truncated=len(listed) < candidates,
        warnings=list(run.warnings),
        errors=[*run.errors, *([_problem(error)] if error else [])],
        retries=run.cloud.pace.retries if run.cloud else 0,
        price=_price(run, totals.reclaimed_bytes),
    )


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


def _totals(run: Run, tally: Tally) -> Totals:
    return Totals(
        images=sum(survey.images or 0 for survey in run.surveys),
        **_counts(tally.outcomes),
        candidate_bytes=tally.candidate_bytes,
        reclaimed_bytes=sum(layers.freed_bytes() for layers in run.layers.values()),
    )


def _counts(outcomes: Counter[str]) -> dict[str, int]:
    """The candidates, and how many of them came to which end; what would be deleted has no count of its
    own.
    """
    counts = {name.replace("-", "_"): outcomes[name] for name in OUTCOMES if name != "would-delete"}
    return {"candidates": outcomes.total(), **counts}


def _price(run: Run, reclaimed_bytes: int) -> Price | UnsetType:
    price = run.settings.price
    if price.per_gb_month is None:
        return UNSET
    saved = reclaimed_bytes / GIB * price.per_gb_month
    return Price(currency=price.currency, reclaimed_per_month=round(saved, 2))


def _most_notable(run: Run, mode: str, *, has_room: bool) -> Iterator[ImageRow]:
    """The rows, with those that need a look first unless there is room for all."""
    if has_room:
        yield from image_rows(run, mode)
        return
    for held in (True, False):
        for survey, candidate, outcome in _outcomes(run, mode):
            if (outcome.outcome in HELD) is held:
                yield _candidate_row(survey, candidate, outcome)


def image_rows(run: Run, mode: str) -> Iterator[ImageRow]:
    """Every candidate's row."""
    return (_candidate_row(survey, candidate, outcome) for survey, candidate, outcome in _outcomes(run, mode))


def plan_rows(run: Run) -> Iterator[PlanRow]:
    """The rows of a plan: the same images always make the same rows, whatever order the cloud lists them
    in.
    """
    for survey in run.surveys:
        with survey.opened():
            for image_id, listed in sorted(survey.candidates.items()):
                image = msgspec.structs.replace(listed.image, tags=tuple(sorted(listed.image.tags)))
                candidate = Candidate(image, tuple(sorted(listed.reasons)))
                row = _candidate_row(survey, candidate, survey.outcomes.get(image_id, WOULD_DELETE))
                yield PlanRow(**msgspec.structs.asdict(row), reasons=candidate.reasons)


def as_json(report: Report) -> dict[str, Any]:
    """The report as the JSON object that leaves the bundle."""
    document = cast(dict[str, Any], msgspec.to_builtins(report))
    for row in document["images"]:
        row["tags"] = list(row["tags"])
    return document


def head(report: Report) -> dict[str, Any]:
    """The report as a file begins: without its images, which follow row by row."""
    document = as_json(msgspec.structs.replace(report, images=[]))
    return {name: value for name, value in document.items() if name not in ("images", "images_truncated")}


def schema() -> dict[str, Any]:
    """The JSON Schema of a report as this version writes it."""
    document = msgspec.json.schema(Report)
    for definition in document["$defs"].values():
        definition["description"] = " ".join(definition["description"].replace("``", "`").split())
        definition["required"] = [name for name in definition["properties"] if name not in OPTIONAL]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "registry-janitor report",
        **document,
    }


def kept_in(state: Store | None) -> Store:
    """Where reports are kept. Raises SettingsError."""
    if state is None:
        raise SettingsError(
            "Neither STATE_BUCKET nor STATE_DIR is set, so no report is kept; set STATE_BUCKET to a"
            " bucket, or STATE_DIR to a directory of this machine.",
            where="STATE_BUCKET",
        )
    return state


def kept(state: Store, run_id: str | None = None) -> Report:
    """The report of a run as the state has it, by default of the last one. Raises JanitorError."""
    runs = journal.runs(state)
    run_id = run_id or next(reversed(runs), "")
    entry = journal.entry(state, run_id, runs[run_id]) if run_id in runs else None
    if entry is None:
        rest = f"{run_id}; report without a run's id shows the last one" if run_id else NO_RUN_YET
        raise SettingsError(f"{state.where} has no run {rest}.", where="STATE_DIR")
    return journal.written_report(state, run_id, Report) or of_journal(entry, None)


def of_journal(entry: Entry, rows: int | None = ROWS) -> Report:
    """What is known of a run that was cut off before its report. Images that a further batch has again count
    once.
    """
    last = {
        (intent.full_name, row.image_id): (
            intent,
            row,
            entry.outcomes.get(intent.number, {}).get(row.image_id, REMAINING),
        )
        for intent in entry.intents
        for row in intent.images
    }
    outcomes = list(last.values())
    counts: Counter[str] = Counter(outcome.outcome for *_, outcome in outcomes)
    started_at = datetime.fromisoformat(entry.begin.started_at)
    listed = [
        _row(intent.service, intent.registry_id, intent.repository, row, row.reason, outcome)
        for intent, row, outcome in outcomes[:rows]
    ]
    return msgspec.structs.replace(
        empty(Heading(entry.begin.run_id, entry.begin.mode, started_at), started_at),
        status="unfinished",
        finished_at=None,
        totals=Totals(**_counts(counts), candidate_bytes=sum(row.size_bytes for _, row, _ in outcomes)),
        images=listed,
        images_truncated=len(listed) < len(outcomes),
        warnings=_cut_off(sum(len(intent.images) for intent in entry.open())),
    )


def _cut_off(unknown: int) -> list[Notice]:
    if not unknown:
        return []
    message = f"The run was cut off. Whether {unknown} images are gone is not known yet; the next run looks."
    return [Notice("run-cut-off", message)]


def of_error(heading: Heading, error: JanitorError, finished_at: datetime) -> Report:
    """The report of a run that ended before it began."""
    return msgspec.structs.replace(
        empty(heading, finished_at), status=error.report_status, errors=[_problem(error)]
    )


def empty(heading: Heading, finished_at: datetime) -> Report:
    """The report of a run that had nothing to do."""
    return Report(
        run_id=heading.run_id,
        plan_id=None,
        mode=heading.mode,
        status="ok",
        started_at=timestamp(heading.started_at),
        finished_at=timestamp(finished_at),
        totals=Totals(),
        policies=[],
        images=[],
        images_truncated=False,
        warnings=[],
        errors=[],
    )


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
        covered = [survey for survey in run.surveys if survey.policies or survey.rules]
        done = any(survey.results or (survey.rules and survey.images is not None) for survey in covered)
        return "partial" if done or run.held_back or (run.surveys and not covered) else "failed"
    return "held-back" if run.held_back else "ok"


def _outcomes(run: Run, mode: str) -> Iterator[tuple[Survey, Candidate, Outcome]]:
    unsettled = REMAINING if mode == "apply" else WOULD_DELETE
    for survey in run.surveys:
        for candidate in survey.each():
            yield survey, candidate, survey.outcomes.get(candidate.image.image_id, unsettled)


def _candidate_row(survey: Survey, candidate: Candidate, outcome: Outcome) -> ImageRow:
    registry, reason = survey.registry, ", ".join(candidate.reasons)
    return _row(
        registry.service, registry.registry_id, survey.repository.name, candidate.image, reason, outcome
    )


def _row(
    service: Service, registry_id: str, repository: str, image: Image | Row, reason: str, outcome: Outcome
) -> ImageRow:
    return ImageRow(
        service=service,
        image_id=image.image_id,
        registry_id=registry_id,
        repository=repository,
        digest=image.digest,
        tags=image.tags,
        created_at=image.created_at,
        size_bytes=image.size_bytes,
        outcome=outcome.outcome,
        reason=reason,
        guard=outcome.guard,
        kept_by=outcome.kept_by or None,
    )


def _repository(survey: Survey) -> RepositoryRow:
    return RepositoryRow(
        registry_id=survey.registry.registry_id,
        repository=survey.repository.name,
        images=survey.images or 0,
        size_bytes=survey.size_bytes,
    )


def _policies(run: Run) -> list[PolicyRow]:
    """A row for each policy; the candidates of a registry's policy in all its repositories are one sum."""
    rows: dict[tuple[str, str], PolicyRow] = {}
    for survey in run.surveys:
        for result in survey.results:
            row, key = _policy(survey, result), (result.policy.policy_id, result.repository)
            known = rows[key].candidates if key in rows else 0
            rows[key] = msgspec.structs.replace(row, candidates=row.candidates + known)
    return list(rows.values())


def _policy(survey: Survey, result: PolicyResult) -> PolicyRow:
    return PolicyRow(
        service=survey.registry.service,
        policy_id=result.policy.policy_id,
        policy_name=result.policy.name,
        registry_id=result.registry_id,
        repository=result.repository,
        status=result.policy.status,
        applied=result.applied,
        dry_run_result_id=result.dry_run_result_id,
        candidates=result.candidates,
    )


def _problem(error: JanitorError) -> Problem:
    return Problem(error.where, error.code, without_secrets(str(error)))
