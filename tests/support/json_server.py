"""A small HTTP server that answers in JSON as its script says, and a cloud that lies there."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from shared.auth.tokens import Bearer, Token, TokenKeeper
from shared.cloud.client import Cloud
from shared.cloud.pace import Pace

TOKEN = "t1.json-server"


class Clock:
    """Stands until somebody sleeps by it."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class Request:
    call: str
    query: str
    headers: dict[str, str]
    body: Any


@dataclass
class Answer:
    document: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class JsonServer:
    """``script`` holds the answers to a call such as ``GET /x``, the last of which is repeated; any other
    call gets a 404. A document that can be called makes one of the request.
    """

    url: str = ""
    script: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def answer(self, call: str, document: Any, status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.script.setdefault(call, []).append(Answer(document, status, named))

    def calls(self) -> list[str]:
        return [request.call for request in self.requests]

    def cloud(self, clock: Clock | None = None, ends_at: float = float("inf")) -> Cloud:
        """A cloud here, of one attempt a call, with the token ``TOKEN``."""
        clock = clock or Clock()
        cloud = Cloud(self.url, Pace(2, ends_at, clock, clock.sleep)).at(self.url, attempts=1)
        cloud.credentials = Bearer(TokenKeeper(lambda _cloud: Token(TOKEN)), cloud)
        return cloud

    def take(self, request: Request) -> Answer:
        self.requests.append(request)
        answers = self.script.get(request.call, [Answer({"code": 5, "message": "no such thing"}, 404)])
        return answers.pop(0) if len(answers) > 1 else answers[0]


@contextlib.contextmanager
def json_server() -> Iterator[JsonServer]:
    server = JsonServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.partition("?")
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = f"{self.command} {path}"
            answer = server.take(Request(call, query, headers, json.loads(text) if text else None))
            document = answer.document(server.requests[-1]) if callable(answer.document) else answer.document
            body = json.dumps(document).encode()
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_DELETE = do_GET  # noqa: N815 - the names that http.server looks for

        def log_message(self, *arguments: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
