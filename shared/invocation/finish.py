"""How a run ends: its report is made, its plan is kept, people are told, the history grows, old files go.

Whatever fails after the report is made is a warning in it, or a line of the log; it never changes the result.
"""

from __future__ import annotations

import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from shared.auth import plan_links
from shared.cleanup import job
from shared.cleanup.run import Run
from shared.cloud import log
from shared.errors import JanitorError, StateError
from shared.report import report
from shared.report.announce import announce
from shared.retention import plan
from shared.retention.moments import duration
from shared.settings.channels import Recipient
from shared.settings.settings import Settings
from shared.state import history, plans
from shared.state.expiry import sweep

SWEEPING = 2.0


def end(
    run: Run, told: dict[str, Any], recipients: list[Recipient], ends_at: float, *, remembers: bool
) -> None:
    """Ends the run; ``told`` is its report, which gets the warnings.

    Nothing is sent or swept after ``ends_at`` (monotonic). ``remembers``: it belongs into the history.
    """
    for notice in announce(run, told, recipients, ends_at):
        run.warn(notice.code, notice.message)
    if keep(run, told) and run.journal and run.surveys and remembers:
        try:
            history.keep(run.journal.state, told, whole=run.pushed is None)
        except StateError as error:
            log.warn(f"The history of the runs has a gap. {error}")
        sweep(run.journal.state, min(ends_at, time.monotonic() + SWEEPING))
    told["warnings"] = msgspec.to_builtins(run.warnings)


def keep(run: Run, told: dict[str, Any]) -> bool:
    """Puts the whole report into the journal, if there is one, and says whether it is there."""
    if run.journal is None:
        return False
    told["warnings"] = msgspec.to_builtins(run.warnings)
    try:
        run.journal.finish(told, report.image_rows(run, told["mode"]))
    except StateError as error:
        run.warn("state-dir", f"The report could not be kept. {error}")
        return False
    return True


def keep_plan(run: Run, told: dict[str, Any]) -> str | None:
    """Keeps what the run, whose report is ``told``, would delete, and returns the plan's id; None without
    such images.
    """
    if run.settings.mode != "plan" or told["status"] in ("unfinished", "failed"):
        return None
    takers = {
        survey.repository.full_name: plan.takers(survey.results, survey.rules)
        for survey in run.surveys
        if survey.going_count
    }
    if not takers:
        return None
    head, rows = plans.head(takers, told), lambda: report.plan_rows(run)
    try:
        valid = duration(run.settings.plans.valid_for)
        return plans.save(plans.directory(run.settings), head, rows, run.started_at, valid)
    except StateError as error:
        run.refuse("plan-not-kept", f"The plan could not be kept. {error}")
        told["status"] = "refused"
        return None


def plan_link(key: bytes, settings: Settings, plan_id: str | None) -> str:
    """The address of the plan's page, if there can be one."""
    if not key or not settings.webhook_url or not plan_id:
        return ""
    ends_at = plans.ends_at(plan_id, duration(settings.plans.valid_for))
    return plan_links.link(settings.webhook_url, key, plan_id, ends_at)


def report_of(
    heading: report.Heading, run: Run | None, error: JanitorError | None, rows: int | None
) -> dict[str, Any]:
    if run is None:
        told = report.of_error(heading, error or JanitorError("The run did not begin."), datetime.now(UTC))
    else:
        job.count_layers(run)
        told = report.build(heading, run, error, datetime.now(UTC), rows)
        told["plan_id"] = run.plan.plan_id if run.plan else keep_plan(run, told)
    say = log.info if told["status"] == "ok" else log.fatal if told["status"] == "failed" else log.warn
    say(f"{heading.mode}: {told['status']}", run_id=heading.run_id, **told["totals"])
    if error is not None:
        log.error(str(error), where=error.where)
    return told


def fault(error: Exception) -> JanitorError:
    """A fault of the bundle itself: the report says where, the log says no more, for it might hold a
    secret.
    """
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    return JanitorError(
        f"The bundle has a fault ({type(error).__name__} at {place}); please report it. What was not told as"
        " deleted was left alone, or its deletion is unknown.",
        where=place,
    )
