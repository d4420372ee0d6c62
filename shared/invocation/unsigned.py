"""Events that nobody has signed: whoever sends one gets the same answer, and at most a dry run is made for
it.

A Container Registry trigger cannot sign, and anybody can send what it sends to a function that browsers
reach. So every event that is no signed call is answered with 202 and the same body, whatever it is, whether
what it names exists, and whatever came of it. The log and the state tell that.

A repository of the settings' registries that exists is looked at in a dry run, in every mode, and at most
once in ten minutes. Nothing is deleted for it, no plan is made and nobody is notified: a stranger could have
people approve from habit. Without a state no run is started: a function's instances have no other
memory in common that could keep to ten minutes, and nobody would see the report.

What exists is listed at most once in ten minutes by each warm instance, so that made-up names cost no calls
and leave no trace. A repository that is new since then is left to the timer.
"""

from __future__ import annotations

import json
import time
from typing import Any

from shared.cleanup import job
from shared.cleanup.run import Run
from shared.cloud import log
from shared.cloud.client import Cloud
from shared.errors import JanitorError
from shared.invocation import bursts, events, http_call, task
from shared.invocation.carry_out import carry_out
from shared.invocation.existing import existing
from shared.invocation.finish import fault
from shared.invocation.task import Invocation

ANSWER = json.dumps({"status": "accepted"})


def take(event: object, invocation: Invocation) -> dict[str, Any]:
    """The answer to an event of a stranger, after what is done for it."""
    try:
        _look(event, invocation)
    except JanitorError as known:
        log.warn(f"An unsigned event is left. {known}", where=known.where)
    except Exception as unknown:
        error = fault(unknown)
        log.error(str(error), where=error.where)
    return http_call.response(202, "application/json", ANSWER, {})


def _look(event: object, invocation: Invocation) -> None:
    pushed = events.parse(event).only
    if not pushed:
        log.info("An unsigned event is no push, and is left.")
        return
    state = invocation.store(invocation.settings)
    if state is None:
        log.warn(
            "Neither STATE_BUCKET nor STATE_DIR is set, so no run is started for an event that is not signed."
        )
        return
    fresh = bursts.unsigned(state, existing(pushed, invocation), time.time())
    if not fresh:
        log.info("An unsigned event is about nothing that exists, or that was not looked at a moment ago.")
        return
    carry_out(task.unsigned_push(invocation, fresh, _clean_up))


def _clean_up(run: Run, cloud: Cloud) -> None:
    job.clean_up(run, cloud)
    if run.narrowed.configured.mode != "dry-run":
        run.warn(
            "push-not-signed",
            "Anybody can send such an event to the webhook, so nothing is deleted or planned for it; to clean"
            " up after pushes, point the trigger to cleanup.handler.",
        )
