"""HTTP calls of functions: what a handler is given of a request, and what its answer becomes.

A handler gets the request as an event and answers `{"statusCode", "headers", "multiValueHeaders", "body",
"isBase64Encoded"}`. Some headers are taken from requests and answers, some renamed. With `?integration=raw`
it gets the body alone, and what it returns is the body of the answer. (Yandex Cloud:
functions/concepts/function-invoke.)
"""

import base64
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import CIMultiDictProxy

from tests.emulator.serverless import Invocation

MOST_REQUEST_BYTES = 3_670_016  # 3.5 MB

TAKEN_FROM_REQUESTS = frozenset(
    [
        "expect",
        "te",
        "trailer",
        "upgrade",
        "proxy-authenticate",
        "authorization",
        "connection",
        "content-md5",
        "max-forwards",
        "server",
        "transfer-encoding",
        "www-authenticate",
        "cookie",
    ]
)
TAKEN_FROM_ANSWERS = frozenset(
    ["host", "authorization", "user-agent", "connection", "max-forwards", "cookie"]
)
NOT_IN_ANSWERS = frozenset(["proxy-authenticate", "transfer-encoding", "via"])
RENAMED_IN_ANSWERS = frozenset(["content-md5", "date", "server", "www-authenticate"])


def event_of(
    method: str, query: str, headers: CIMultiDictProxy[str], body: bytes, request_id: str, now: float
) -> dict[str, Any]:
    """The event of a request that came from this machine."""
    passed: dict[str, list[str]] = {}
    for name, value in headers.items():
        if name.lower() not in TAKEN_FROM_REQUESTS:
            passed.setdefault("-".join(part.capitalize() for part in name.split("-")), []).append(value)
    forwarded = [*passed.get("X-Forwarded-For", ()), "127.0.0.1"]
    passed |= {"X-Forwarded-For": [", ".join(forwarded)], "X-Request-Id": [request_id]}
    parameters: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters.setdefault(name, []).append(value)
    is_json = headers.get("Content-Type", "").partition(";")[0].strip().lower() == "application/json"
    return {
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in passed.items()},
        "multiValueHeaders": passed,
        "queryStringParameters": {name: values[-1] for name, values in parameters.items()},
        "multiValueQueryStringParameters": parameters,
        "params": {},
        "multiValueParams": {},
        "pathParams": {},
        "requestContext": {
            "identity": {"sourceIp": "127.0.0.1", "userAgent": headers.get("User-Agent", "")},
            "httpMethod": method,
            "requestId": request_id,
            "requestTime": f"{datetime.fromtimestamp(now, UTC):%d/%b/%Y:%H:%M:%S +0000}",
            "requestTimeEpoch": int(now),
        },
        "body": body.decode(errors="replace") if is_json else base64.b64encode(body).decode(),
        "isBase64Encoded": not is_json,
        "path": "",
        "url": "",
    }


def raw_event(body: bytes) -> Any:
    """A body as the handler gets it: what its JSON says, or else its text."""
    text = body.decode(errors="replace")
    try:
        return json.loads(text)
    except ValueError:
        return text


def answer_of(call: Invocation, *, is_raw: bool) -> web.Response:
    if call.status == "timeout":
        return failure(504, call.error)
    if call.status == "error":
        return failure(502, call.error)
    if is_raw:
        text = call.result if isinstance(call.result, str) else json.dumps(call.result)
        return web.Response(body=text.encode(), content_type="application/json")
    answer = _interpreted(call.result)
    if answer is None:
        message = "Malformed serverless function response: not a valid json"
        error = {"errorMessage": message, "errorType": "ProxyIntegrationError"}
        return failure(502, {**error, "payload": json.dumps(call.result)})
    return answer


def _interpreted(result: Any) -> web.Response | None:
    """The answer that the result describes, or None when it describes none."""
    if not isinstance(result, dict):
        return None
    status, body = result.get("statusCode", 200), result.get("body", "")
    single, multiple = result.get("headers") or {}, result.get("multiValueHeaders") or {}
    if not isinstance(status, int) or not 100 <= status <= 599 or not isinstance(body, str):
        return None
    response = web.Response(status=status)
    response.body = base64.b64decode(body) if result.get("isBase64Encoded") else body.encode()
    for name, values in {**{name: [value] for name, value in single.items()}, **multiple}.items():
        if name.lower() in NOT_IN_ANSWERS:
            return None
        if name.lower() in TAKEN_FROM_ANSWERS or name.lower() == "content-length":
            continue
        shown = f"X-Yf-Remapped-{name}" if name.lower() in RENAMED_IN_ANSWERS else name
        response.headers.popall(shown, None)
        for value in values:
            response.headers.add(shown, str(value))
    return response


def failure(status: int, error: dict[str, Any]) -> web.Response:
    """An answer for which the function is to blame."""
    response = web.json_response(error, status=status)
    response.headers["X-Function-Error"] = "true"
    return response
