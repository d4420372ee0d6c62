"""From an event to an answer: settings, credentials, the job, the report. Errors end here, as reports."""

from __future__ import annotations

import json
import os
import secrets
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from shared import auth, events, job, log, report, settings
from shared.errors import JanitorError
from shared.http import Cloud
from shared.overrides import Narrowed, narrow
from shared.run import Run

RESERVE = 2.0


def silent(what: str, done: int, total: int) -> None:
    """No progress bar."""


def answer(event: object, context: object, *, deletes: bool) -> dict[str, Any]:
    """What a handler returns: the report, or for an HTTP call a response with the report as its JSON body."""
    told, error = carry_out(event, context, os.environ, deletes=deletes)
    if not events.is_http(event):
        return told
    status = error.http_status if error and told["status"] in ("failed", "refused") else 200
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": json.dumps(told)}


def carry_out(
    event: object,
    context: object,
    environment: Mapping[str, str],
    *,
    deletes: bool,
    work: Callable[[Run, Cloud], None] = lambda run, cloud: job.clean_up(run, cloud, silent),
    rows: int | None = report.ROWS,
) -> tuple[dict[str, Any], JanitorError | None]:
    """Does ``work`` as the event asks, and returns its report and the error that ended it, if any."""
    started_at = datetime.now(UTC)
    heading = report.Heading(_run_id(started_at), "dry-run", started_at)
    run: Run | None = None
    error: JanitorError | None = None
    try:
        access = settings.access(environment)
        log.start(access.log_level)
        narrowed, request = _read(event, environment, deletes=deletes)
        heading = msgspec.structs.replace(heading, mode=narrowed.settings.mode)
        run = Run(narrowed, request.pushed, started_at, access.registry_endpoint)
        if request.pushed != frozenset():
            cloud = Cloud(
                access.api_endpoint,
                concurrency=narrowed.settings.limits.concurrency,
                ends_at=_ends_at(context),
            )
            auth.sign_in(cloud, access, context)
            work(run, cloud)
    except JanitorError as known:
        error = known
    except Exception as unknown:
        error = _fault(unknown)
    return _told(heading, run, error, rows), error


def _told(
    heading: report.Heading, run: Run | None, error: JanitorError | None, rows: int | None
) -> dict[str, Any]:
    if run is not None:
        job.count_layers(run)
        told = report.build(heading, run, error, datetime.now(UTC), rows)
    elif error is not None:
        told = report.of_error(heading, error, datetime.now(UTC))
    say = log.info if told["status"] == "ok" else log.fatal if told["status"] == "failed" else log.warn
    say(f"{heading.mode}: {told['status']}", run_id=heading.run_id, **told["totals"])
    if error is not None:
        log.error(str(error), where=error.where)
    return told


def _read(event: object, environment: Mapping[str, str], *, deletes: bool) -> tuple[Narrowed, events.Request]:
    configured = settings.load(environment)
    request = events.parse(event)
    narrowed = narrow(configured, request.overrides)
    if not deletes:
        dry = msgspec.structs.replace(narrowed.settings, mode="dry-run")
        narrowed = msgspec.structs.replace(narrowed, settings=dry)
    return narrowed, request


def _ends_at(context: object) -> float:
    """The monotonic time at which no call may be under way any more, so that the report still gets out."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    if not callable(remaining):
        return float("inf")
    return time.monotonic() + float(remaining()) / 1000 - RESERVE


def _run_id(started_at: datetime) -> str:
    return f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def _fault(error: Exception) -> JanitorError:
    """A fault of the bundle itself: the report says where, the log says no more, for it might hold a secret."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    return JanitorError(
        f"The bundle has a fault ({type(error).__name__} at {place}); please report it. What was not told as deleted"
        " was left alone, or its deletion is unknown.",
        where=place,
    )
