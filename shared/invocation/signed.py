"""A signed call, carried out once: ``{"action": "dry-run" | "plan" | "cleanup" | "apply", ...overrides}``,
with a ``plan_id`` for ``apply``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from shared.auth import standard_webhooks
from shared.errors import EventError, OverrideRefused, RequestRefused, SettingsError
from shared.invocation import http_call, task
from shared.invocation.answer import http_status
from shared.invocation.carry_out import carry_out
from shared.invocation.events import Request
from shared.invocation.http_call import Call
from shared.invocation.task import Invocation, Task
from shared.settings.overrides import narrow
from shared.state import seen

ACTIONS: dict[str, Callable[[Invocation, Any, Request], Task]] = {
    "dry-run": lambda invocation, _, request: task.dry_run(invocation, request),
    "plan": lambda invocation, _, request: task.plan(invocation, request),
    "cleanup": lambda invocation, _, request: task.scheduled(invocation, request),
    "apply": task.apply,
}
REMEMBERED = 600.0


def serve(call: Call, invocation: Invocation, key: bytes) -> dict[str, Any]:
    """The response to a signed call. Raises RequestRefused, StateError."""
    signed = standard_webhooks.check(key, call.headers, call.body, time.time())
    overrides = _body(call)
    action, plan_id = overrides.pop("action", None), overrides.pop("plan_id", None)
    if not isinstance(action, str) or action not in ACTIONS:
        raise RequestRefused(422, f"The action is none of {', '.join(ACTIONS)}; give one of them.")
    if (action == "apply") != isinstance(plan_id, str):
        raise RequestRefused(422, "The action apply needs a plan_id, a plan's id; the others have none.")
    _refuse_repeated(signed, action, overrides, invocation)
    report, error = carry_out(ACTIONS[action](invocation, plan_id, Request(overrides)))
    status = http_status(report, error)
    if status >= 400:
        return http_call.problem(
            status, str(error or "Nothing could be done; the report says why."), {}, report
        )
    return http_call.reported(status, report)


def _body(call: Call) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(call.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestRefused(400, "The body is no JSON in UTF-8; send a JSON object.") from None
    if not isinstance(body, dict):
        raise RequestRefused(400, "The body is no JSON object; send one.")
    return body


def _refuse_repeated(
    signed: standard_webhooks.Signed, action: str, overrides: dict[str, Any], invocation: Invocation
) -> None:
    """Raises RequestRefused for a repeated call, and for one that deletes if repetitions go unnoticed."""
    try:
        configured = invocation.settings
        narrowed = narrow(configured, overrides).settings
    except (EventError, OverrideRefused, SettingsError):
        return  # the run's report will say so, and the run does nothing
    state = invocation.store(configured)
    if state is None:
        if action == "cleanup" and narrowed.mode == "apply":
            raise RequestRefused(
                403,
                "Without STATE_BUCKET or STATE_DIR a repeated call looks like a new one, so that none may"
                " delete; set STATE_BUCKET to a bucket, or STATE_DIR to a directory of this machine.",
            )
        return
    if not seen.first(state, "calls", signed.message_id, signed.timestamp, REMEMBERED):
        raise RequestRefused(409, "A call with this webhook-id was there before; each is carried out once.")
