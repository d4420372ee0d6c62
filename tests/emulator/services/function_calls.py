"""The invocation host, `https://functions.yandexcloud.net/<function id>`: functions called over HTTP.

`?tag=` chooses a version. A function is private unless the group `allUsers` has the role to call it; else the
caller needs a token and the role. `?integration=raw` and `async` give the body to the handler as it is; after
`async` the answer is 202 at once.
"""

import json
import re
import uuid
from urllib.parse import parse_qs

from aiohttp import web
from multidict import CIMultiDictProxy

from tests.emulator.behaviour import Fault
from tests.emulator.calls import Call
from tests.emulator.errors import HTTP_STATUS, ApiError
from tests.emulator.http_events import MOST_REQUEST_BYTES, answer_of, event_of, raw_event
from tests.emulator.responses import json_response
from tests.emulator.running import MOST_CALLS_AT_ONCE, call_version
from tests.emulator.services.functions import place_of_function
from tests.emulator.state import State

INVOKER = "functions.functionInvoker"

_PATH = re.compile(r"/(d4e[0-9a-v]{17})/?")


class FunctionCallsApi:
    """`url` is where clients see the emulator."""

    has_rate_limit = False

    def __init__(self, state: State, url: str) -> None:
        self._state, self._url = state, url

    @staticmethod
    def is_for(path: str) -> bool:
        return _PATH.fullmatch(path) is not None

    def route_of(self, call: Call) -> str:
        return "/{function_id}"

    async def answer(
        self, call: Call, headers: CIMultiDictProxy[str], body: bytes, fault: Fault | None
    ) -> web.Response:
        found = _PATH.fullmatch(call.path)
        function_id = found[1] if found else ""
        parameters = parse_qs(call.query)
        state = self._state
        place = place_of_function(state, function_id)
        version = state.serverless.tagged(function_id, parameters.get("tag", [""])[-1])
        if not place or version is None:
            return self.error(5, "FunctionNotFound")
        if not state.access.allows(self._caller(headers), INVOKER, place):
            return self.error(7, "Unauthorized")
        if len(body) > MOST_REQUEST_BYTES:
            return self.error(3, "PayloadTooLarge", 413)
        integration = parameters.get("integration", [""])[-1]
        if integration in ("raw", "async"):
            event = raw_event(body)
        else:
            event = event_of(call.method, call.query, headers, body, str(uuid.uuid4()), state.clock.now())
        if integration == "async":
            state.serverless.in_background(call_version(state, self._url, version, event))
            return web.Response(status=202)
        if state.serverless.calls_under_way() >= MOST_CALLS_AT_ONCE:
            return self.error(8, "TooManyRequests")
        return answer_of(await call_version(state, self._url, version, event), is_raw=integration == "raw")

    def _caller(self, headers: CIMultiDictProxy[str]) -> str:
        """The account of the token, or "" for whoever has none that is good."""
        try:
            return str(self._state.accounts.signed_in(headers.get("Authorization", "")).id)
        except ApiError:
            return ""

    def error(self, code: int, message: str, status: int | None = None) -> web.Response:
        status = status or HTTP_STATUS[code]
        return json_response(
            status, json.dumps({"errorCode": status, "errorMessage": message, "errorType": "ClientError"})
        )
