"""The forms in which an invocation arrives, and what each of them asks for.

A timer trigger and a Container Registry trigger deliver ``{"messages": [{"event_metadata": {"event_type":
...}, "details": {...}}]}``; an HTTP call ``{"httpMethod": ..., "body": ..., "isBase64Encoded": ...}``;
everything else is a bare JSON object of overrides. (Yandex Cloud's documentation:
functions/concepts/function-invoke, functions/concepts/trigger.)
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from shared.errors import EventError
from shared.invocation.http_call import content
from shared.retention.records import RepositoryName

TIMER = "yandex.cloud.events.serverless.triggers.TimerMessage"
REGISTRY = "yandex.cloud.events.containerregistry."
PUSHES = ("CreateImage", "CreateImageTag")
DELETIONS = ("DeleteImage", "DeleteImageTag")


class Request(msgspec.Struct, frozen=True):
    """What an event asks for: the repositories to clean, None for all; ``idle``: there is nothing to do."""

    overrides: dict[str, Any] = {}
    only: frozenset[RepositoryName] | None = None
    idle: bool = False


def is_http(event: object) -> bool:
    return isinstance(event, dict) and "httpMethod" in event


def parse(event: object) -> Request:
    """The request in ``event``. Raises EventError."""
    if event is None or event == "":
        return Request()
    if isinstance(event, str | bytes):
        return Request(_object(event, "The event"))
    if not isinstance(event, dict):
        raise EventError(f"The event is a JSON {_kind(event)}; send an object.", where="event")
    if is_http(event):
        return Request(_body(event))
    if "messages" in event:
        return _trigger(event["messages"])
    return Request(event)


def _body(event: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(event.get("body") or "", str):
        raise EventError("The body of the HTTP event is not text; send a JSON object.", where="event")
    try:
        body = content(event.get("body") or "", event.get("isBase64Encoded")).decode()
    except ValueError:
        raise EventError(
            "The body of the HTTP event is not Base64 of UTF-8 text; send a JSON object.", where="event"
        ) from None
    return _object(body, "The body") if body.strip() else {}


def _trigger(messages: object) -> Request:
    if not isinstance(messages, list) or not messages:
        raise EventError(
            "The trigger's event has no list of messages; send one message at least.", where="event"
        )
    payloads: list[dict[str, Any]] = []
    pushed: set[RepositoryName] = set()
    for message in messages:
        event_type, details = _message(message)
        if event_type == TIMER:
            payloads.append(_payload(details))
        elif event_type.removeprefix(REGISTRY) in PUSHES:
            pushed.add(_pushed(details))
        elif event_type.removeprefix(REGISTRY) not in DELETIONS:
            raise EventError(
                f"The event type {event_type[:200]!r} is not known; use a timer or a Container Registry"
                " trigger.",
                where="event",
            )
    if payloads and pushed:
        raise EventError("The event mixes timer and registry messages; send them apart.", where="event")
    if any(payload != payloads[0] for payload in payloads):
        raise EventError(
            "The event has timer messages with different payloads; send them apart.", where="event"
        )
    if payloads:
        return Request(payloads[0])
    return Request(only=frozenset(pushed)) if pushed else Request(idle=True)


def _message(message: object) -> tuple[str, dict[str, Any]]:
    metadata = message.get("event_metadata") if isinstance(message, dict) else None
    event_type = metadata.get("event_type") if isinstance(metadata, dict) else None
    details = message.get("details") if isinstance(message, dict) else None
    if not isinstance(event_type, str) or not isinstance(details, dict):
        raise EventError("A message of the event lacks event_metadata.event_type or details.", where="event")
    return event_type, details


def _payload(details: dict[str, Any]) -> dict[str, Any]:
    """A timer's payload is free text; only what looks like a JSON object is read, and then it must be one."""
    payload = details.get("payload") or ""
    if isinstance(payload, dict):
        return payload
    if not isinstance(payload, str) or not payload.strip().startswith("{"):
        return {}
    return _object(payload, "The timer's payload")


def _pushed(details: dict[str, Any]) -> RepositoryName:
    registry_id, full_name = details.get("registry_id"), details.get("repository_name")
    if not isinstance(registry_id, str) or not isinstance(full_name, str) or not registry_id or not full_name:
        raise EventError("A registry message lacks registry_id or repository_name.", where="event")
    return RepositoryName(
        registry_id, full_name if full_name.startswith(f"{registry_id}/") else f"{registry_id}/{full_name}"
    )


def _object(text: str | bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise EventError(f"{what} is not JSON; send a JSON object.", where="event") from None
    if not isinstance(value, dict):
        raise EventError(f"{what} is a JSON {_kind(value)}; send an object.", where="event")
    return value


def _kind(value: object) -> str:
    return {list: "array", bool: "boolean", int: "number", float: "number", str: "string"}.get(
        type(value), "value"
    )
