"""How a run ends: its report is made, its plan is kept, people hear of it, the history grows, old files are
deleted.

Whatever fails after the report is made is a warning in it, or a line of the log; it never changes the result.
"""

from __future__ import annotations

import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from shared.cleanup import layer_counting
from shared.cleanup.run import Run
from shared.cloud import log
from shared.errors import JanitorError, StateError
from shared.report import report as reports
from shared.report.announce import announce
from shared.report.legend import of_run
from shared.report.report import Report
from shared.report.sentence import sentence
from shared.retention import plan
from shared.retention.moments import duration
from shared.settings.channels import Recipient
from shared.state import history, plans
from shared.state.expiry import sweep

SWEEPING = 2.0


def end(run: Run, report: Report, recipients: list[Recipient], ends_at: float, *, remembers: bool) -> Report:
    """Ends the run, and returns its report with the warnings that came up.

    Nothing is sent or swept after ``ends_at`` (monotonic). ``remembers``: the run belongs into the history.
    """
    for notice in announce(run, report, recipients, ends_at):
        run.warn(notice.code, notice.message)
    if keep(run, report) and run.journal and run.surveys and remembers:
        try:
            history.keep(run.journal.state, _history_row(run, report))
        except StateError as error:
            log.warn(f"The history of the runs has a gap. {error}")
        sweep(run.journal.state, min(ends_at, time.monotonic() + SWEEPING))
    return _with_warnings(run, report)


def keep(run: Run, report: Report) -> bool:
    """Puts the report with all its images into the journal, if there is one, and says whether it is there."""
    if run.journal is None:
        return False
    try:
        head = reports.head(_with_warnings(run, report))
        run.journal.finish(head, reports.image_rows(run, report.mode))
    except StateError as error:
        run.warn("state-dir", f"The report could not be kept. {error}")
        return False
    return True


def _with_warnings(run: Run, report: Report) -> Report:
    return msgspec.structs.replace(report, warnings=list(run.warnings))


def _history_row(run: Run, report: Report) -> history.Row:
    return history.Row(
        report.run_id,
        report.mode,
        report.status,
        report.started_at,
        report.finished_at or "",
        report.totals,
        run.only is None,
    )


def with_plan(run: Run, report: Report) -> Report:
    """The report with the id of the plan that the run carried out, or that is kept here; without one if there
    is none.
    """
    if run.plan:
        return msgspec.structs.replace(report, plan_id=run.plan.plan_id)
    if run.settings.mode != "plan" or report.status in ("unfinished", "failed"):
        return report
    takers = {
        survey.repository.full_name: plan.takers(survey.results, survey.rules)
        for survey in run.surveys
        if survey.going_count
    }
    if not takers:
        return report
    head = plans.head(takers, reports.head(report), msgspec.to_builtins(of_run(run)))
    try:
        valid = duration(run.settings.plans.valid_for)
        state = plans.kept_in(run.journal.state if run.journal else None)
        plan_id = plans.save(state, head, lambda: reports.plan_rows(run), run.started_at, valid)
    except StateError as error:
        run.refuse("plan-not-kept", f"The plan could not be kept. {error}")
        return msgspec.structs.replace(report, status="refused")
    page = f"; its page is at {run.settings.webhook_url}" if run.settings.webhook_url else ""
    log.info(f"A plan waits for a decision{page}; the command plans gives its link.", plan_id=plan_id)
    return msgspec.structs.replace(report, plan_id=plan_id)


def report_of(
    heading: reports.Heading, run: Run | None, error: JanitorError | None, rows: int | None
) -> Report:
    """The report of a run, or of an event for which none began."""
    if run is None:
        report = reports.of_error(heading, error or JanitorError("The run did not begin."), datetime.now(UTC))
    else:
        layer_counting.count_layers(run)
        report = with_plan(run, reports.build(heading, run, error, datetime.now(UTC), rows))
    say = log.info if report.status == "ok" else log.fatal if report.status == "failed" else log.warn
    words = sentence(report, of_run(run) if run else None, names=False)
    totals = msgspec.structs.asdict(report.totals)
    say(words, run_id=heading.run_id, mode=report.mode, status=report.status, **totals)
    if error is not None:
        log.error(str(error), where=error.where)
    return report


def fault(error: Exception) -> JanitorError:
    """A fault of the bundle itself.

    The report and the log name its place only, since its text might hold a secret.
    """
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    return JanitorError(
        f"The bundle has a fault ({type(error).__name__} at {place}); please report it. Images that the"
        " report does not list as deleted may or may not have been deleted.",
        where=place,
    )
