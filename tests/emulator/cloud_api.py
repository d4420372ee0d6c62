"""The cloud's own REST API: routes from the protobuf descriptors, methods from `services/`."""

from aiohttp import web
from multidict import CIMultiDictProxy

from tests.emulator.behaviour import Fault
from tests.emulator.calls import Call
from tests.emulator.errors import HTTP_STATUS, NOT_FOUND, ApiError, error_body
from tests.emulator.methods import invoke, wish_of
from tests.emulator.responses import json_response
from tests.emulator.routes import Routes
from tests.emulator.services import metadata, monitoring
from tests.emulator.state import State
from tests.emulator.transcoding import answer_json, read_request


class CloudApi:
    has_rate_limit = True

    def __init__(self, state: State, routes: Routes) -> None:
        self._state = state
        self._routes = routes

    def route_of(self, call: Call) -> str:
        if _writes_metrics(call):
            return monitoring.PATH
        found = self._routes.find(call.method, call.path)
        return found[0].template if found else ""

    async def answer(
        self, call: Call, headers: CIMultiDictProxy[str], body: bytes, fault: Fault | None
    ) -> web.Response:
        state = self._state
        state.operations.settle()
        if _writes_metrics(call):
            return self._written(call, headers.get("Authorization", ""), body)
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

    def _written(self, call: Call, authorization: str, body: bytes) -> web.Response:
        try:
            return json_response(200, monitoring.write_metrics(self._state, authorization, call.query, body))
        except ApiError as error:
            return self.error(error.code, error.message)

    def error(self, code: int, message: str, status: int | None = None) -> web.Response:
        return json_response(status or HTTP_STATUS[code], error_body(code, message))


def _writes_metrics(call: Call) -> bool:
    return (call.method, call.path) == ("POST", monitoring.PATH)
