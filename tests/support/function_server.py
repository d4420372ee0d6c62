"""Serves an entry point of the packaged archive over HTTP, as the functions' invocation host does, for a
browser.

    with serve(bundle, "webhook.handler", environment) as url:
        requests.get(url, params={"plan": ...})

A request becomes the event of an HTTP call: ``Authorization``, ``Cookie`` and the like are struck out, a body
that is not ``application/json`` comes in Base64, and what the handler returns becomes the answer. A handler
that raises, or that returns something of another shape, is a 502. An instance, which is a process, has one
call at a time; when all are busy another one is started. (Yandex Cloud's documentation:
functions/concepts/function-invoke.)
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.measuring import measured

FUNCTION_ID = "d4e00000000000000000"
STRUCK_OUT = {"Authorization", "Connection", "Cookie", "Expect", "Keep-Alive", "Te", "Trailer", "Upgrade"}
MOST_BYTES = 3_500_000

INSTANCE = """
import importlib, json, os, sys, threading, time

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
start = json.loads(sys.stdin.readline())
if start["speed"] != 1:
    speed, clock, sleep, wait = start["speed"], time.monotonic, time.sleep, threading.Condition.wait
    time.monotonic = lambda: clock() * speed
    time.sleep = lambda seconds: sleep(seconds / speed)
    threading.Condition.wait = lambda self, timeout=None: wait(self, timeout and timeout / speed)
sys.path.insert(0, start["bundle"])
file, _, function = start["entry_point"].partition(".")
handler = getattr(importlib.import_module(file), function)


class Context:
    request_id = "00000000-0000-0000-0000-000000000000"
    function_name = start["function_id"]
    memory_limit_in_mb = 256
    token = None

    def __init__(self):
        self.ends_at = time.monotonic() + start["timeout"]

    def get_remaining_time_in_millis(self):
        return int((self.ends_at - time.monotonic()) * 1000)


for line in sys.stdin:
    try:
        answer = {"result": handler(json.loads(line), Context())}
    except Exception as error:
        answer = {"error": {"errorMessage": str(error), "errorType": type(error).__name__}}
    answers.write(json.dumps(answer) + "\\n")
    answers.flush()
"""


class Instance:
    """A warm process with the function in it.

    With a ``speed`` its monotonic clock runs so many times faster.
    """

    def __init__(
        self,
        bundle: Path,
        entry_point: str,
        environment: dict[str, str],
        timeout: float = 600,
        *,
        speed: float = 1,
        log: IO[str] | None = None,
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", INSTANCE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=measured() | environment,
            text=True,
        )
        start = {"bundle": str(bundle), "entry_point": entry_point, "speed": speed}
        self._say({**start, "function_id": FUNCTION_ID, "timeout": timeout})

    @property
    def pid(self) -> int:
        return self._process.pid

    def call(self, event: Any) -> dict[str, Any]:
        """``{"result": ...}``, or ``{"error": ...}`` of a handler that raised."""
        self._say(event)
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def _say(self, line: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()


class Function:
    """A function's instances: as many as there were calls at once."""

    def __init__(
        self, bundle: Path, entry_point: str, environment: dict[str, str], timeout: float = 600
    ) -> None:
        self._start = (bundle, entry_point, environment, timeout)
        self._all: list[Instance] = []
        self._idle: list[Instance] = []
        self._lock = threading.Lock()

    def call(self, event: Any) -> dict[str, Any]:
        with self._lock:
            instance = self._idle.pop() if self._idle else None
        if instance is None:
            instance = Instance(*self._start)
            with self._lock:
                self._all.append(instance)
        answer = instance.call(event)
        with self._lock:
            self._idle.append(instance)
        return answer

    def close(self) -> None:
        for instance in self._all:
            instance.close()


def http_event(method: str, url: str, headers: list[tuple[str, str]], body: bytes) -> dict[str, Any]:
    """The event that a function gets for a request; ``url`` is the path after the function's id, with its
    query.
    """
    parts = urlsplit(url)
    kept = [(name.title(), value) for name, value in headers if name.title() not in STRUCK_OUT]
    query = parse_qsl(parts.query, keep_blank_values=True)
    plain = dict(kept).get("Content-Type", "").partition(";")[0].strip().lower() == "application/json"
    now = datetime.now(UTC)
    return {
        "httpMethod": method,
        "headers": dict(kept),
        "multiValueHeaders": _lists(kept),
        "queryStringParameters": dict(query),
        "multiValueQueryStringParameters": _lists(query),
        "requestContext": {
            "identity": {"sourceIp": "203.0.113.1", "userAgent": dict(kept).get("User-Agent", "")},
            "httpMethod": method,
            "requestId": "00000000-0000-0000-0000-000000000000",
            "requestTime": f"{now:%d/%b/%Y:%H:%M:%S %z}",
            "requestTimeEpoch": int(now.timestamp()),
        },
        "body": body.decode(errors="replace") if plain else base64.b64encode(body).decode(),
        "isBase64Encoded": not plain,
        "url": url,
        "path": parts.path,
        "params": {},
        "pathParams": {},
    }


def _lists(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return lists


def http_answer(answer: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
    """What a caller gets for what the handler returned: status, headers, body."""
    if "error" in answer:
        return (
            502,
            [("Content-Type", "application/json"), ("X-Function-Error", "true")],
            _json(answer["error"]),
        )
    result = answer["result"]
    try:
        body = result.get("body") or ""
        content = base64.b64decode(body) if result.get("isBase64Encoded") else body.encode()
        single = {"Content-Type": "text/plain", **result.get("headers", {})}
        several = [
            (name, one) for name, values in result.get("multiValueHeaders", {}).items() for one in values
        ]
        headers = [(str(name), str(value)) for name, value in [*single.items(), *several]]
        return int(result["statusCode"]), headers, content
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        wrong = {
            "errorMessage": f"the result has a wrong shape: {error}",
            "errorType": "ProxyIntegrationError",
        }
        return 502, [("Content-Type", "application/json")], _json(wrong)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    function: Function

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        prefix = f"/{FUNCTION_ID}"
        if not self.path.startswith(prefix):
            self._answer(404, [], b"")
        elif len(body) > MOST_BYTES:
            self._answer(413, [], b"")
        else:
            url = self.path.removeprefix(prefix)
            url = url if url.startswith("/") else f"/{url}"
            event = http_event(self.command, url, list(self.headers.items()), body)
            self._answer(*http_answer(self.function.call(event)))

    do_DELETE = do_GET = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = _serve  # noqa: N815

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        pass


@contextmanager
def serve(bundle: Path, entry_point: str, environment: dict[str, str], timeout: float = 600) -> Iterator[str]:
    """The function's URL, which is served until the block ends."""
    function = Function(bundle, entry_point, environment, timeout)
    requests = type("Requests", (_Requests,), {"function": function})
    with ThreadingHTTPServer(("127.0.0.1", 0), requests) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/{FUNCTION_ID}"
        finally:
            server.shutdown()
            thread.join()
            function.close()
