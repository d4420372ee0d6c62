"""From an event to a report: settings, credentials, the work. Errors end here, as reports."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.auth import sources
from shared.auth.environment import Access, read_access
from shared.cleanup import job
from shared.cleanup.run import Run
from shared.cloud import log
from shared.cloud.client import Cloud
from shared.cloud.pace import Pace
from shared.errors import JanitorError, StateError
from shared.invocation import bursts, events, finish
from shared.report import report
from shared.retention import moments
from shared.retention.plan import Plan
from shared.retention.records import RepositoryName
from shared.settings import settings
from shared.settings.channels import Recipient, recipients
from shared.settings.overrides import Narrowed, narrow
from shared.state import plans
from shared.state.directory import StateDir
from shared.state.journal import Begin, Journal
from shared.state.leases import Leases

RESERVE = 2.0
TELLING, TELLING_SHARE = 3.0, 0.1

Work = Callable[[Run, Cloud], None]


def refused(error: JanitorError) -> dict[str, Any]:
    """The report of a call that is not carried out."""
    log.warn(str(error), where=error.where)
    now = datetime.now(UTC)
    return report.of_error(report.Heading(_run_id(), "dry-run", now), error, now)


def carry_out(
    event: object,
    context: object,
    environment: Mapping[str, str],
    *,
    mode: str | None,
    plan_id: str | None = None,
    work: Work = job.clean_up,
    rows: int | None = report.ROWS,
    announces: bool = True,
    remembers: bool = True,
    each_push: bool = False,
) -> tuple[dict[str, Any], JanitorError | None]:
    """Does ``work`` as the event asks, and returns its report and the error that ended it, if any.

    ``mode`` stands instead of the settings' and the event's; ``plan_id`` names the plan that is to be carried
    out. ``announces``: people and Yandex Monitoring are told, where the settings say so; ``remembers``: the
    run goes into the history; ``each_push``: whether there was a push to the same repository a moment ago
    does not matter.
    """
    heading = report.Heading(_run_id(), "dry-run", datetime.now(UTC))
    ends_at = _ends_at(context)
    log.start("INFO")
    run: Run | None = None
    error: JanitorError | None = None
    told_to: list[Recipient] = []
    access = Access()
    try:
        access = read_access(environment)
        log.start(access.log_level)
        run = _prepared(_read(event, environment, mode, plan_id), heading, access, each_push)
        heading = msgspec.structs.replace(heading, mode=run.settings.mode)
        if not announces or run.pushed == frozenset():
            run.narrowed = _silent(run.narrowed)
        told_to = recipients(run.settings.notify, environment)
        if run.pushed != frozenset():
            _open_journal(run)
            run.cloud = _cloud(run.settings, access, ends_at)
            sources.sign_in(run.cloud, access, context)
            work(run, run.cloud)
    except JanitorError as known:
        error = known
    except Exception as unknown:
        error = finish.fault(unknown)
    try:
        told = finish.report_of(heading, run, error, rows)
        if run:
            run.link = finish.plan_link(access.webhook_key, run.settings, told["plan_id"])
            finish.end(run, told, told_to, ends_at, remembers=remembers)
        return told, error
    finally:
        if run and run.leases:
            run.leases.release()


def _cloud(asked: settings.Settings, access: Access, ends_at: float) -> Cloud:
    return Cloud(access.api_endpoint, Pace(asked.limits.concurrency, _works_until(ends_at, asked)))


class _Asked(msgspec.Struct, frozen=True):
    """What a run is to do: with which settings, on which repositories (None for all), by which plan."""

    narrowed: Narrowed
    pushed: frozenset[RepositoryName] | None
    plan: Plan | None = None


def _read(event: object, environment: Mapping[str, str], mode: str | None, plan_id: str | None) -> _Asked:
    configured = settings.load(environment)
    request = event if isinstance(event, events.Request) else events.parse(event)
    narrowed = _in_mode(narrow(configured, request.overrides), mode)
    if plan_id is not None:
        plan = plans.to_carry_out(narrowed.settings, plan_id)
        return _Asked(_in_mode(narrowed, "apply"), plan.repositories, plan)
    if narrowed.settings.mode == "plan":
        plans.directory(narrowed.settings)
    return _Asked(narrowed, request.pushed)


def _in_mode(narrowed: Narrowed, mode: str | None) -> Narrowed:
    if mode is None:
        return narrowed
    return msgspec.structs.replace(narrowed, settings=msgspec.structs.replace(narrowed.settings, mode=mode))


def _prepared(asked: _Asked, heading: report.Heading, access: Access, each_push: bool) -> Run:
    pushed = asked.pushed if asked.plan or each_push else _fresh(asked.narrowed.settings, asked.pushed)
    run = Run(asked.narrowed, pushed, heading.run_id, heading.started_at, access.registry_endpoint)
    run.plan = asked.plan
    if pushed != asked.pushed:
        run.warnings.append(bursts.CLEANED)
    return run


def _fresh(
    asked: settings.Settings, pushed: frozenset[RepositoryName] | None
) -> frozenset[RepositoryName] | None:
    """Those of the pushed repositories that were not cleaned a moment ago, as far as that is known.

    Raises StateError.
    """
    if not pushed or not asked.state_dir:
        return pushed
    try:
        return bursts.fresh(StateDir(asked.state_dir), asked.mode, pushed, time.time())
    except StateError:
        if asked.mode != "dry-run":
            raise
        return pushed


def _silent(narrowed: Narrowed) -> Narrowed:
    """The same settings for a run that nobody is told of."""
    silent = msgspec.structs.replace(narrowed.settings, notify=[], metrics=settings.Metrics())
    return msgspec.structs.replace(narrowed, settings=silent)


def _open_journal(run: Run) -> None:
    """Begins the run's journal, if there is a place for it; without it nothing is deleted.

    Raises StateError.
    """
    if not run.settings.state_dir:
        return
    begin = Begin(run.run_id, run.settings.mode, moments.timestamp(run.started_at))
    try:
        state = StateDir(run.settings.state_dir)
        run.journal = Journal(state, begin)
        if run.settings.mode == "apply":
            run.leases = Leases(state, run.run_id)
            run.leases.start()
    except StateError as error:
        if run.settings.mode != "dry-run":
            raise
        run.warn("state-dir", str(error))


def _ends_at(context: object) -> float:
    """The monotonic time at which no call may be under way any more, so that the report still gets out."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    if not callable(remaining):
        return float("inf")
    return time.monotonic() + float(remaining()) / 1000 - RESERVE


def _works_until(ends_at: float, asked: settings.Settings) -> float:
    """The monotonic time at which the work ends, so that there is time left for telling of it where that is
    asked.
    """
    if not asked.notify and not asked.metrics.folder_id:
        return ends_at
    return ends_at - min(TELLING, max(0.0, ends_at - time.monotonic()) * TELLING_SHARE)


def _run_id() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(4)}"
