"""The HTTP front: one call from the socket to the socket.

A call waits for the latency, passes the rate limit, may meet a fault, and is answered by its method; changes
that wait for it follow. Paths that begin with `/_` are the tests' own (`control.py`).
"""

import asyncio
import json
from typing import Any

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader

from tests.emulator.behaviour import Behaviour, Fault, behaviour_from
from tests.emulator.calls import Call, Calls
from tests.emulator.changes import apply_change
from tests.emulator.control import answer_control
from tests.emulator.errors import HTTP_STATUS, NOT_FOUND, RESOURCE_EXHAUSTED, ApiError, error_body
from tests.emulator.methods import OperationWish, invoke
from tests.emulator.routes import Route, Routes
from tests.emulator.services import known_services, metadata
from tests.emulator.state import State
from tests.emulator.transcoding import answer_json, read_request

MAX_BODY_BYTES = 256 * 1024**2
HANGING_LOOK_SECONDS = 0.1

_HTML_PAGE = "<html><head><title>{0}</title></head><body><h1>{0} from a proxy</h1></body></html>"


class Emulator:
    """A cloud, its behaviour, and the calls made to it."""

    def __init__(self, state: State, default_behaviour: dict[str, float] | None = None) -> None:
        self._default_behaviour = default_behaviour or {}
        self._routes = Routes(known_services())
        self.replace_state(state)

    def replace_state(self, state: State) -> None:
        self.state = state
        self.calls = Calls()
        self.behave({})

    def behave(self, document: dict[str, Any]) -> None:
        self.behaviour: Behaviour = behaviour_from(document, self._default_behaviour)
        self.state.clock.offset = self.behaviour.clock_offset_seconds
        self.state.accounts.token_seconds = self.behaviour.token_seconds
        self.state.operations.duration_ms = self.behaviour.operation_ms

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        body = await request.read() if request.can_read_body else b""
        self.state.operations.settle()
        if path.startswith("/_"):
            status, document = answer_control(self, request.method, path, query, body)
            return _json_response(status, json.dumps(document))
        calls, call = self.calls, Call(request.method, path, query, self.state.clock.now())
        calls.begin(call)
        try:
            response = await self._answer_call(request, call, body)
            call.status = 0 if _is_cut(request) else response.status
            return response
        finally:
            calls.end(call)

    async def _answer_call(self, request: web.BaseRequest, call: Call, body: bytes) -> web.Response:
        found = self._routes.find(call.method, call.path)
        if found is not None:
            call.route = found[0].template
        if self.behaviour.latency_ms:
            await asyncio.sleep(self.behaviour.latency_ms / 1000)
        limit = self.behaviour.rate_limit
        if limit and found and not limit.admits(self.state.clock.monotonic()):
            return _error_response(RESOURCE_EXHAUSTED, "Too many requests", retry_after=limit.retry_after)
        fault = self.behaviour.fault_for(call.method, call.path)
        if fault is not None:
            stand_in = await self._stand_in(request, fault)
            if stand_in is not None:
                return stand_in
        response = await self._run(request, call, found, body, fault)
        for change in self.behaviour.take_changes(call.method, call.path):
            apply_change(self.state, change)
        if fault is not None and fault.cut:
            _cut(request, response if fault.cut == "body" else None)
        return response

    async def _run(
        self,
        request: web.BaseRequest,
        call: Call,
        found: tuple[Route, dict[str, str]] | None,
        body: bytes,
        fault: Fault | None,
    ) -> web.Response:
        state = self.state
        state.operations.settle()
        if found is None:
            if (call.method, call.path) == ("GET", metadata.PATH):
                return _json_response(*metadata.token_answer(state, request.headers))
            return _error_response(NOT_FOUND, f"No such method: {call.method} {call.path}")
        route, path_values = found
        wish = OperationWish(fault.operation_error, fault.operation_never_done) if fault else OperationWish()
        try:
            answer = await invoke(
                state,
                route.full_name,
                request.headers.get("Authorization", ""),
                lambda: read_request(route, path_values, call.query, body),
                wish,
            )
            return _json_response(200, answer_json(answer))
        except ApiError as error:
            return _error_response(error.code, error.message)

    async def _stand_in(self, request: web.BaseRequest, fault: Fault) -> web.Response | None:
        """What a fault answers in the method's place, if it does."""
        if fault.delay_ms:
            await asyncio.sleep(fault.delay_ms / 1000)
        if fault.expire_tokens:
            self.state.accounts.expire_tokens()
        while fault.hang and not _is_cut(request):
            await asyncio.sleep(HANGING_LOOK_SECONDS)
        if fault.cut == "before":
            _cut(request)
        if fault.cut == "before" or fault.hang:
            return web.Response(status=500)
        if fault.html:
            return web.Response(
                status=fault.html, text=_HTML_PAGE.format(fault.html), content_type="text/html"
            )
        if fault.body is not None:
            return _json_response(fault.status or 200, fault.body)
        if fault.status:
            return _error_response(fault.code, fault.message, fault.status, fault.retry_after)
        return None


def _json_response(status: int, text: str) -> web.Response:
    return web.Response(status=status, body=text.encode(), content_type="application/json")


def _error_response(
    code: int, message: str, status: int | None = None, retry_after: int | None = None
) -> web.Response:
    response = _json_response(status or HTTP_STATUS[code], error_body(code, message))
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def _is_cut(request: web.BaseRequest) -> bool:
    return request.transport is None or request.transport.is_closing()


def _cut(request: web.BaseRequest, half_of: web.Response | None = None) -> None:
    """Close the connection without an answer, or after half of one."""
    if request.transport is None:
        return
    if half_of is None:
        request.transport.abort()
        return
    body = bytes(half_of.body)  # type: ignore[arg-type]
    head = (
        f"HTTP/1.1 {half_of.status} {half_of.reason}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    request.transport.write(head.encode() + body[: len(body) // 2])
    request.transport.close()


async def listen(emulator: Emulator, host: str, port: int) -> tuple[web.ServerRunner, int]:
    """Serve at the address; the runner ends it, the port is the one that was bound."""
    loop = asyncio.get_running_loop()

    def request_of(
        message: RawRequestMessage, payload: StreamReader, protocol: Any, writer: Any, task: Any
    ) -> web.BaseRequest:
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY_BYTES)

    server = web.Server(emulator.handle, request_factory=request_of)
    runner = web.ServerRunner(server, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=1024)
    await site.start()
    return runner, runner.addresses[0][1]
