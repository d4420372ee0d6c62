"""From a task to its run: what the event asks for, within what the settings allow, and the plan to carry
out.
"""

from __future__ import annotations

import time

import msgspec

from shared.cleanup.run import Run
from shared.errors import StateError
from shared.invocation import bursts, events
from shared.invocation.task import Invocation, Task
from shared.report.report import Heading
from shared.retention.plan import Plan
from shared.retention.records import RepositoryName
from shared.settings.overrides import Narrowed, narrow
from shared.settings.settings import Metrics, Settings
from shared.state import plans


class _Order(msgspec.Struct, frozen=True):
    """With which settings the run works, on which repositories (None for all), and by which plan."""

    narrowed: Narrowed
    only: frozenset[RepositoryName] | None
    idle: bool = False
    plan: Plan | None = None


def prepare(task: Task, heading: Heading) -> tuple[Run, bool]:
    """The run of a task, and whether it has nothing to do: then it signs in to nothing and keeps and
    announces nothing.

    Raises JanitorError.
    """
    order = _order(task)
    only, idle = order.only, order.idle
    if only and not order.plan and not task.kind.each_push:
        only = _fresh(task.invocation, order.narrowed.settings, only)
        idle = not only
    access = task.invocation.access
    run = Run(
        narrowed=order.narrowed,
        only=only,
        run_id=heading.run_id,
        started_at=heading.started_at,
        docker_endpoints={
            "container-registry": access.registry_endpoint,
            "cloud-registry": access.cloud_registry_endpoint,
        },
        plan=order.plan,
    )
    if only != order.only:
        run.warn(bursts.CLEANED.code, bursts.CLEANED.message)
    return run, idle


def _order(task: Task) -> _Order:
    configured = task.invocation.settings
    request = task.event if isinstance(task.event, events.Request) else events.parse(task.event)
    narrowed = _in_mode(narrow(configured, request.overrides), task.kind.mode)
    if task.plan_id is not None:
        state = task.invocation.store(narrowed.settings)
        plan = plans.to_carry_out(state, narrowed.settings, task.plan_id)
        return _Order(_in_mode(narrowed, "apply"), plan.repositories, plan=plan)
    if narrowed.settings.mode == "plan":
        plans.kept_in(task.invocation.store(narrowed.settings))
    return _Order(narrowed, request.only, request.idle)


def _in_mode(narrowed: Narrowed, mode: str | None) -> Narrowed:
    if mode is None:
        return narrowed
    return msgspec.structs.replace(narrowed, settings=msgspec.structs.replace(narrowed.settings, mode=mode))


def _fresh(
    invocation: Invocation, settings: Settings, pushed: frozenset[RepositoryName]
) -> frozenset[RepositoryName]:
    """The pushed repositories that no other run has cleaned in the last minutes. Raises StateError."""
    try:
        state = invocation.store(settings)
        return bursts.fresh(state, settings.mode, pushed, time.time()) if state else pushed
    except StateError:
        if settings.mode != "dry-run":
            raise
        return pushed


def silent(narrowed: Narrowed) -> Narrowed:
    """The same settings for a run that is announced to nobody."""
    settings = msgspec.structs.replace(narrowed.settings, notify=[], metrics=Metrics())
    return msgspec.structs.replace(narrowed, settings=settings)
