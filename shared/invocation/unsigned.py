"""Events that nobody has signed: whoever sends one gets the same answer, and at most a dry run is made for
it.

A Container Registry trigger cannot sign, and anybody can send what it sends to a function that browsers
reach. So every event that is no signed call is answered with 202 and the same body, whatever it is, whether
what it names exists, and whatever came of it. The log and ``STATE_DIR`` tell that.

A repository of the settings' registries that exists is looked at in a dry run, in every mode, and at most
once in ten minutes. Nothing is deleted for it, no plan is made and nobody is notified: a stranger could have
people approve from habit. Without ``STATE_DIR`` no run is started: a function's instances have no other
memory in common that could keep to ten minutes, and nobody would see the report.

What exists is listed at most once in ten minutes by each warm instance, so that made-up names cost no calls
and leave no trace. A repository that is new since then is left to the timer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from shared.auth import sources
from shared.auth.environment import Access, read_access
from shared.cleanup import job
from shared.cleanup.run import Run
from shared.cloud import log, registry
from shared.cloud.client import Cloud
from shared.cloud.pace import Pace
from shared.errors import JanitorError
from shared.invocation import bursts, events, http_call
from shared.invocation.carry_out import carry_out
from shared.invocation.events import Request
from shared.invocation.finish import fault
from shared.retention.records import RepositoryName
from shared.settings import settings
from shared.settings.settings import Settings
from shared.state.directory import StateDir

ANSWER = json.dumps({"status": "accepted"})
LISTED_FOR = 600.0
LOOKING = 10.0

_listed: dict[str, tuple[float, frozenset[str]]] = {}


def take(event: object, context: object, environment: Mapping[str, str]) -> dict[str, Any]:
    """The answer to an event of a stranger, after what is done for it."""
    try:
        _look(event, context, environment)
    except JanitorError as known:
        log.warn(f"An unsigned event is left. {known}", where=known.where)
    except Exception as unknown:
        error = fault(unknown)
        log.error(str(error), where=error.where)
    return http_call.response(202, "application/json", ANSWER, {})


def _look(event: object, context: object, environment: Mapping[str, str]) -> None:
    pushed = events.parse(event).pushed
    if not pushed:
        log.info("An unsigned event is no push, and is left.")
        return
    configured = settings.load(environment)
    if not configured.state_dir:
        log.warn("STATE_DIR is not set, so no run is started for an event that is not signed.")
        return
    existing = _existing(pushed, configured, context, read_access(environment))
    fresh = bursts.unsigned(StateDir(configured.state_dir), existing, time.time())
    if not fresh:
        log.info("An unsigned event is about nothing that exists, or that was not looked at a moment ago.")
        return

    def work(run: Run, cloud: Cloud) -> None:
        job.clean_up(run, cloud)
        if configured.mode != "dry-run":
            run.warn(
                "push-not-signed",
                "Anybody can send such an event to the webhook, so nothing is deleted or planned for it; to"
                " clean up after pushes, point the trigger to cleanup.handler.",
            )

    carry_out(
        Request(pushed=fresh),
        context,
        environment,
        mode="dry-run",
        work=work,
        announces=False,
        remembers=False,
        each_push=True,
    )


def _existing(
    pushed: frozenset[RepositoryName], configured: Settings, context: object, access: Access
) -> frozenset[RepositoryName]:
    """Those of the repositories that are in the settings' registries. Raises JanitorError."""

    @cache
    def cloud() -> Cloud:
        made = Cloud(access.api_endpoint, Pace(configured.limits.concurrency, time.monotonic() + LOOKING))
        sources.sign_in(made, access, context)
        return made

    def registries() -> frozenset[str]:
        found = registry.registries(cloud(), configured.folder_id or "")
        return frozenset(one.registry_id for one in found)

    def exists(one: RepositoryName) -> bool:
        ours = configured.registries or _remembered("", registries)
        return one.registry_id in ours and one.full_name in _remembered(
            one.registry_id,
            lambda: frozenset(
                repository.full_name for repository in registry.repositories(cloud(), one.registry_id)
            ),
        )

    return frozenset(filter(exists, pushed))


def _remembered(what: str, look: Callable[[], frozenset[str]]) -> frozenset[str]:
    """The names that a look has found a while ago, or finds now.

    One that fails is not repeated at once, either.
    """
    now = time.monotonic()
    if what not in _listed or now - _listed[what][0] >= LISTED_FOR:
        _listed[what] = (now, frozenset())
        _listed[what] = (now, look())
    return _listed[what][1]
