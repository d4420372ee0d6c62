"""Serving HTTP, or HTTPS, at an address."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader

MAX_BODY_BYTES = 256 * 1024**2

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


async def listen(
    handler: Handler, host: str, port: int, ssl_context: ssl.SSLContext | None = None
) -> tuple[web.ServerRunner, int]:
    """Serve at the address; the runner ends it, the port is the one that was bound."""
    loop = asyncio.get_running_loop()

    def request_of(
        message: RawRequestMessage, payload: StreamReader, protocol: Any, writer: Any, task: Any
    ) -> web.BaseRequest:
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY_BYTES)

    server = web.Server(handler, request_factory=request_of)
    runner = web.ServerRunner(server, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, host, port, backlog=1024, ssl_context=ssl_context).start()
    return runner, runner.addresses[0][1]
