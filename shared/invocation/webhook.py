"""Who calls the webhook, and what each may have done.

A signed call       does what its body says: ``{"action": "dry-run" | "plan" | "cleanup" | "apply",
                    ...overrides}``
A browser           sees a plan's page and approves or rejects it, with the tokens that
                    `shared.auth.plan_links` makes
Anybody else        may send an event, as a registry trigger does, which nothing proves that it is:
                    `shared.invocation.unsigned`
                    answers all of them alike, and makes a dry run at most, of repositories that exist

Errors are ``application/problem+json`` (RFC 9457), or a small page for a browser.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from shared.auth import standard_webhooks
from shared.auth.environment import read_access
from shared.cleanup import job
from shared.cloud import log
from shared.errors import EventError, JanitorError, OverrideRefused, RequestRefused, SettingsError
from shared.invocation import events, http_call, plan_pages, unsigned
from shared.invocation.answer import http_status
from shared.invocation.carry_out import carry_out, refused
from shared.invocation.finish import fault
from shared.invocation.http_call import Call
from shared.settings import settings
from shared.settings.overrides import narrow
from shared.state import seen
from shared.state.directory import StateDir

ACTIONS = {"dry-run": "dry-run", "plan": "plan", "cleanup": None, "apply": None}
REMEMBERED = 600.0


def answer(event: object, context: object) -> dict[str, Any]:
    """What the handler returns: a response to an HTTP call or an event, or the report of a refusal."""
    environment = os.environ
    call = event if isinstance(event, dict) and events.is_http(event) else None
    log.start("INFO")
    try:
        key = _key(environment)
        if call is None:
            return unsigned.take(event, context, environment)
        return _served(call, context, environment, key)
    except JanitorError as known:
        error = known
    except Exception as unknown:
        error = fault(unknown)
    report = refused(error)
    return report if call is None else _failed(call, error)


def _key(environment: Mapping[str, str]) -> bytes:
    """The secret that proves who calls.

    Raises what tells nothing of the settings, since nobody is proven without it.
    """
    try:
        access = read_access(environment)
    except SettingsError as error:
        log.error(str(error), where=error.where)
        raise JanitorError("The webhook cannot answer; its log says why.", where="settings") from None
    log.start(access.log_level)
    if not access.webhook_key:
        raise RequestRefused(403, "WEBHOOK_SECRET is not set, so the webhook refuses everything; set it.")
    return access.webhook_key


def _served(
    event: Mapping[str, Any], context: object, environment: Mapping[str, str], key: bytes
) -> dict[str, Any]:
    call = http_call.read(event, _paths(context, environment))
    if "plan" in call.query:
        return plan_pages.serve(call, context, environment, key)
    if call.method != "POST":
        raise RequestRefused(405, "Only POST is served here.", {"Allow": "POST"})
    unproven = _unsigned_event(call)
    if unproven is not None:
        return unsigned.take(unproven, context, environment)
    return _signed(call, context, environment, key)


def _unsigned_event(call: Call) -> dict[str, Any] | None:
    """The body, if it is a trigger's event and nobody claims to have signed it."""
    if any(name.startswith("webhook-") for name in call.headers):
        return None
    try:
        body = json.loads(call.body)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) and "messages" in body else None


def _signed(call: Call, context: object, environment: Mapping[str, str], key: bytes) -> dict[str, Any]:
    signed = standard_webhooks.check(key, call.headers, call.body, time.time())
    asked = _asked(call)
    action, plan_id = asked.pop("action", None), asked.pop("plan_id", None)
    if not isinstance(action, str) or action not in ACTIONS:
        raise RequestRefused(422, f"The action is none of {', '.join(ACTIONS)}; give one of them.")
    if (action == "apply") != isinstance(plan_id, str):
        raise RequestRefused(422, "The action apply needs a plan_id, a plan's id; the others have none.")
    _only_once(signed, action, asked, environment)
    told, error = carry_out(
        events.Request(asked),
        context,
        environment,
        mode=ACTIONS[action],
        plan_id=plan_id,
        work=job.carry_out_plan if plan_id else job.clean_up,
    )
    status = http_status(told, error)
    if status >= 400:
        return http_call.problem(
            status, str(error or "Nothing could be done; the report says why."), {}, told
        )
    return http_call.response(status, "application/json", json.dumps(told), {})


def _asked(call: Call) -> dict[str, Any]:
    try:
        asked = msgspec.json.decode(call.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestRefused(400, "The body is no JSON in UTF-8; send a JSON object.") from None
    if not isinstance(asked, dict):
        raise RequestRefused(400, "The body is no JSON object; send one.")
    return asked


def _only_once(
    signed: standard_webhooks.Signed, action: str, overrides: dict[str, Any], environment: Mapping[str, str]
) -> None:
    """Raises RequestRefused for a call that was there before, or that deletes and could be repeated
    unseen.
    """
    try:
        configured = settings.load(environment)
        narrowed = narrow(configured, overrides).settings
    except (EventError, OverrideRefused, SettingsError):
        return  # the run itself will tell, and do nothing
    if not configured.state_dir:
        if action == "cleanup" and narrowed.mode == "apply":
            raise RequestRefused(
                403,
                "Without STATE_DIR a repeated call cannot be told from a new one, so that none may delete;"
                " set STATE_DIR to a directory, in the cloud to a mounted bucket.",
            )
        return
    state = StateDir(configured.state_dir)
    if not seen.first(state, "calls", signed.message_id, signed.timestamp, REMEMBERED):
        raise RequestRefused(409, "A call with this webhook-id was there before; each is carried out once.")


def _paths(context: object, environment: Mapping[str, str]) -> set[str]:
    """Where the webhook may be called: at the root, below the function's id, or where WEBHOOK_URL says."""
    try:
        url = settings.load(environment).webhook_url or ""
    except SettingsError:
        url = ""  # the call will fail for it, but only once it is known who calls
    return {"", f"/{getattr(context, 'function_name', '')}", "/webhook", urlsplit(url).path.rstrip("/")}


def _failed(event: Mapping[str, Any], error: JanitorError) -> dict[str, Any]:
    headers = error.headers if isinstance(error, RequestRefused) else {}
    if http_call.wants_page(event):
        return plan_pages.message(error.http_status, str(error), headers)
    return http_call.problem(error.http_status, str(error), headers)
