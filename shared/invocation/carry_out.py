"""From a task to a report: settings, credentials, the work. Errors end here, as reports."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.cleanup.run import Run
from shared.cloud import heap, log
from shared.errors import JanitorError
from shared.invocation import finish, opening, preparation
from shared.invocation.plan_link import plan_link
from shared.invocation.task import Task
from shared.report import report
from shared.settings.channels import Recipient, recipients


def refused(error: JanitorError) -> dict[str, Any]:
    """The report of a call that is not carried out, as JSON."""
    log.warn(str(error), where=error.where)
    now = datetime.now(UTC)
    return report.as_json(report.of_error(report.Heading(_run_id(), "dry-run", now), error, now))


def carry_out(task: Task) -> tuple[report.Report, JanitorError | None]:
    """Does the task, and returns its report and the error that ended it, if any."""
    heading = report.Heading(_run_id(), task.kind.mode or "dry-run", datetime.now(UTC))
    ends_at = task.invocation.ends_at
    log.start("INFO")
    run: Run | None = None
    error: JanitorError | None = None
    audience: list[Recipient] = []
    try:
        log.start(task.invocation.access.log_level)
        run, idle = preparation.prepare(task, heading)
        heading = msgspec.structs.replace(heading, mode=run.settings.mode)
        if idle or not task.kind.announced:
            run.narrow(preparation.silent(run.narrowed))
        audience = recipients(run.settings.notify, task.invocation.environment)
        if not idle:
            heap.share()
            if task.kind.kept:
                opening.open_journal(run, task.invocation)
            task.work(run, opening.open_cloud(run, task.invocation))
    except JanitorError as known:
        error = known
    except Exception as unknown:
        error = finish.fault(unknown)
    try:
        document = finish.report_of(heading, run, error, None if task.all_rows else report.ROWS)
        if run:
            key = task.invocation.access.webhook_key
            run.lead_to(plan_link(key, run.settings, document.plan_id))
            document = finish.end(run, document, audience, ends_at, remembers=task.kind.remembered)
        return document, error
    finally:
        if run and run.leases:
            run.leases.release()


def _run_id() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(4)}"
