"""What the APIs behind the front have in common: a call is answered, or an error is put in the API's own
words.
"""

from typing import Protocol

from aiohttp import web
from multidict import CIMultiDictProxy

from tests.emulator.behaviour import Fault
from tests.emulator.calls import Call


class Api(Protocol):
    """One API in front of one cloud; `has_rate_limit`: whether the behaviour's `rate_limit` is for it."""

    has_rate_limit: bool

    def route_of(self, call: Call) -> str:
        """The call's path with its variable parts named; empty for a path that the API lacks."""
        ...

    async def answer(
        self, call: Call, headers: CIMultiDictProxy[str], body: bytes, fault: Fault | None
    ) -> web.Response: ...

    def error(self, code: int, message: str, status: int | None = None) -> web.Response:
        """`code` is gRPC's; `status` is what it is in HTTP unless given."""
        ...


def json_response(status: int, text: str) -> web.Response:
    return web.Response(status=status, body=text.encode(), content_type="application/json")
