"""An HTTP call as Cloud Functions hands it over, and what goes back.

The event has ``httpMethod``, ``headers``, ``queryStringParameters``, ``body`` and ``isBase64Encoded``: a body
comes in Base64 unless its type is ``application/json``. ``path`` and ``url`` are there behind an API Gateway,
``path`` as the gateway's pattern. ``Authorization`` and ``Cookie`` never arrive. (Yandex Cloud's
documentation: functions/concepts/function-invoke, api-gateway/concepts/extensions/cloud-functions.)

Whoever knows the function's address can send anything, in any form, so every part is checked.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import msgspec

from shared.errors import RequestRefused
from shared.report.report import Report, as_json

MOST_BYTES = 256 * 1024
QUERY = {"plan", "token", "tag", "integration"}
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Call(msgspec.Struct, frozen=True):
    """``headers`` are by their names in lower case; ``body`` is as it was sent."""

    method: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


def read(event: Mapping[str, Any], paths: set[str]) -> Call:
    """The call in an event, which must be to one of ``paths``. Raises RequestRefused."""
    query = _texts(event.get("queryStringParameters"), "query")
    if not _paths(event) <= paths or not query.keys() <= QUERY:
        raise RequestRefused(404, "There is nothing at this address; check the path and the query.")
    headers: dict[str, str] = {}
    for name, value in _texts(event.get("headers"), "headers").items():
        if headers.setdefault(name.lower(), value) != value:
            raise RequestRefused(400, "A header is given twice, with different values; give it once.")
    if headers.get("content-encoding", "identity").lower() != "identity" or not _is_utf8(headers):
        raise RequestRefused(415, "The body is compressed, or not in UTF-8; send it as it is, in UTF-8.")
    method = event.get("httpMethod")
    return Call(method if isinstance(method, str) else "", query, headers, _body(event))


def wants_page(event: Mapping[str, Any]) -> bool:
    """Whether a person is to read the answer: the call is from a browser, or is about a plan's page."""
    query, headers = event.get("queryStringParameters"), event.get("headers")
    accepted = [
        value
        for name, value in (headers.items() if isinstance(headers, dict) else ())
        if isinstance(name, str) and name.lower() == "accept" and isinstance(value, str)
    ]
    return (isinstance(query, dict) and "plan" in query) or any("text/html" in value for value in accepted)


def media_type(call: Call) -> str:
    return call.headers.get("content-type", "").partition(";")[0].strip().lower()


def response(status: int, content_type: str, body: str, headers: Mapping[str, str]) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {**HEADERS, "Content-Type": content_type, **headers},
        "body": body,
    }


def reported(status: int, report: Report) -> dict[str, Any]:
    """The report as an answer."""
    return response(status, "application/json", json.dumps(as_json(report)), {})


def problem(
    status: int, detail: str, headers: Mapping[str, str], report: Report | None = None
) -> dict[str, Any]:
    """An error as RFC 9457 has it, with the report of a run that got as far as that."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **({"report": as_json(report)} if report else {}),
    }
    return response(status, "application/problem+json", json.dumps(body), headers)


def _is_utf8(headers: Mapping[str, str]) -> bool:
    charset = re.search(r";\s*charset\s*=\s*\"?([^\s;\"]*)", headers.get("content-type", ""), re.IGNORECASE)
    return charset is None or charset[1].lower() in ("utf-8", "utf8", "us-ascii")


def _paths(event: Mapping[str, Any]) -> set[str]:
    paths = set()
    for name in ("path", "url"):
        value = event.get(name) or ""
        try:
            path = urlsplit(value).path if isinstance(value, str) else None
        except ValueError:
            path = None
        if path is None:
            raise RequestRefused(400, f"The {name} of the call cannot be read.")
        if "{" not in path:  # a gateway's pattern
            paths.add(path.rstrip("/"))
    return paths


def _texts(value: object, what: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(
        isinstance(part, str) for pair in value.items() for part in pair
    ):
        raise RequestRefused(400, f"The {what} of the call cannot be read; each must be text.")
    return value


def content(body: str, encoded: object) -> bytes:
    """The bytes of a body, which is in Base64 or plain text. Raises ValueError."""
    return base64.b64decode(body, validate=True) if encoded else body.encode()


def _body(event: Mapping[str, Any]) -> bytes:
    body, encoded = event.get("body"), event.get("isBase64Encoded")
    if body is None:
        return b""
    try:
        if not isinstance(body, str) or not isinstance(encoded, bool | None):
            raise ValueError
        sent = content(body, encoded)
    except ValueError:
        raise RequestRefused(
            400, "The body of the call cannot be read: it is no text in UTF-8, or no Base64."
        ) from None
    if len(sent) > MOST_BYTES:
        raise RequestRefused(413, f"The body has {len(sent)} bytes; send {MOST_BYTES} at most.")
    return sent
