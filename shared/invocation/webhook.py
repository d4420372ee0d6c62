"""Who calls the webhook, and what each may have done.

A signed call       does what its body says: ``{"action": "dry-run" | "plan" | "cleanup" | "apply",
                    ...overrides}``
A browser           sees a plan's page and approves or rejects it, with the tokens that
                    `shared.auth.plan_links` makes; or the list of open plans, with another
Anybody else        may send an event, as a registry trigger does, which nothing proves that it is:
                    `shared.invocation.unsigned`
                    answers all of them alike, and makes a dry run at most, of repositories that exist

Errors are ``application/problem+json`` (RFC 9457), or a small page for a browser.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from shared.cloud import log
from shared.errors import JanitorError, RequestRefused, SettingsError
from shared.invocation import events, http_call, open_plans, plan_pages, signed, unsigned
from shared.invocation.carry_out import refused
from shared.invocation.finish import fault
from shared.invocation.http_call import Call
from shared.invocation.task import Invocation

NO_LINK = "A page opens by its link alone, which the command plans prints; every other call is a POST."


def answer(event: object, context: object) -> dict[str, Any]:
    """What the handler returns: a response to an HTTP call or an event, or the report of a refusal."""
    invocation = Invocation(os.environ, context)
    call = event if isinstance(event, dict) and events.is_http(event) else None
    log.start("INFO")
    try:
        key = _key(invocation)
        if call is None:
            return unsigned.take(event, invocation)
        return _served(call, invocation, key)
    except JanitorError as known:
        error = known
    except Exception as unknown:
        error = fault(unknown)
    report = refused(error)
    return report if call is None else _failed(call, error)


def _key(invocation: Invocation) -> bytes:
    """The secret that proves who calls. Errors say nothing of the settings: nobody is proven yet."""
    try:
        access = invocation.access
    except SettingsError as error:
        log.error(str(error), where=error.where)
        raise JanitorError("The webhook cannot answer; its log says why.", where="settings") from None
    log.start(access.log_level)
    if not access.webhook_key:
        raise RequestRefused(403, "WEBHOOK_SECRET is not set, so the webhook refuses everything; set it.")
    return access.webhook_key


def _served(event: Mapping[str, Any], invocation: Invocation, key: bytes) -> dict[str, Any]:
    call = http_call.read(event, _paths(invocation))
    if "plan" in call.query:
        return plan_pages.serve(call, invocation, key)
    if call.method in ("GET", "HEAD") and "token" in call.query:
        return open_plans.serve(call, invocation, key)
    if call.method != "POST":
        raise RequestRefused(405, NO_LINK, {"Allow": "POST"})
    unproven = _unsigned_event(call)
    if unproven is not None:
        return unsigned.take(unproven, invocation)
    return signed.serve(call, invocation, key)


def _unsigned_event(call: Call) -> dict[str, Any] | None:
    """The body, if it is a trigger's event and nobody claims to have signed it."""
    if any(name.startswith("webhook-") for name in call.headers):
        return None
    try:
        body = json.loads(call.body)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) and "messages" in body else None


def _paths(invocation: Invocation) -> set[str]:
    """Where the webhook may be called: at the root, below the function's id, or where WEBHOOK_URL says."""
    try:
        url = invocation.settings.webhook_url or ""
    except SettingsError:
        url = ""  # the call fails for it later, when it is known who calls
    return {
        "",
        f"/{getattr(invocation.context, 'function_name', '')}",
        "/webhook",
        urlsplit(url).path.rstrip("/"),
    }


def _failed(event: Mapping[str, Any], error: JanitorError) -> dict[str, Any]:
    headers = error.headers if isinstance(error, RequestRefused) else {}
    if http_call.wants_page(event):
        return plan_pages.message(error.http_status, str(error), headers)
    return http_call.problem(error.http_status, str(error), headers)
