"""The cloud's own REST API: routes from the protobuf descriptors, methods from `services/`."""

from aiohttp import web
from multidict import CIMultiDictProxy

from tests.emulator.behaviour import Fault
from tests.emulator.calls import Call
from tests.emulator.errors import HTTP_STATUS, NOT_FOUND, ApiError, error_body
from tests.emulator.methods import invoke, wish_of
from tests.emulator.responses import json_response
from tests.emulator.routes import Routes
from tests.emulator.services import metadata
from tests.emulator.state import State
from tests.emulator.transcoding import answer_json, read_request


class CloudApi:
    has_rate_limit = True

    def __init__(self, state: State, routes: Routes) -> None:
        self._state = state
        self._routes = routes

    def route_of(self, call: Call) -> str:
        found = self._routes.find(call.method, call.path)
        return found[0].template if found else ""

    async def answer(
        self, call: Call, headers: CIMultiDictProxy[str], body: bytes, fault: Fault | None
    ) -> web.Response:
        state = self._state
        state.operations.settle()
        found = self._routes.find(call.method, call.path)
        if found is None:
            if (call.method, call.path) == ("GET", metadata.PATH):
                return json_response(*metadata.token_answer(state, headers))
            return self.error(NOT_FOUND, f"No such method: {call.method} {call.path}")
        route, path_values = found
        try:
            answer = await invoke(
                state,
                route.full_name,
                headers.get("Authorization", ""),
                lambda: read_request(route, path_values, call.query, body),
                wish_of(fault),
            )
            return json_response(200, answer_json(answer))
        except ApiError as error:
            return self.error(error.code, error.message)

    def error(self, code: int, message: str, status: int | None = None) -> web.Response:
        return json_response(status or HTTP_STATUS[code], error_body(code, message))
