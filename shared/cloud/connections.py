"""Connections to one server that are kept and used again, and sending over them.

The sockets are our own: `urllib3` takes four times the processor time of a call, bare `http.client` a quarter
more. libcurl takes as much, but sends a request a second time by itself, a deletion too, when a kept
connection turns out to be closed.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import time
import weakref
from collections.abc import Callable
from typing import BinaryIO
from urllib.parse import quote

from shared.cloud import address, reading
from shared.cloud.connecting import NoAnswer, connect, proxy_for, trusting
from shared.cloud.reading import Raw
from shared.errors import INTERNAL, UNAVAILABLE, CallError, printable

CONNECTING = 5.0
_PATH = re.compile(r"[!-~]+")


class Connections:
    """Kept-alive connections to one server, ``base`` being its URL. Raises CallError when that is none.

    ``size`` of them are kept at most. ``authority`` is the CA to trust there, in PEM; no proxy is asked for
    such a server, nor for a ``direct`` one.
    """

    def __init__(self, base: str, size: int, authority: str = "", *, direct: bool = False) -> None:
        try:
            self._server = server = address.read(base)
        except ValueError as error:
            raise _unsendable(f"{printable(base[:100])}: {error}") from None
        self._proxy = None if authority or direct else proxy_for(server)
        self._context = trusting(server, authority) if server.scheme == "https" else None
        prefix = server.path.rstrip("/")
        forwarded = self._proxy is not None and server.scheme == "http"
        self._prefix = server.origin + prefix if forwarded else prefix
        self._fixed = f"Host: {server.origin.partition('://')[2]}\r\n"
        if self._proxy and forwarded:
            self._fixed += self._proxy.authorization
        self._size, self._idle = size, list[socket.socket]()
        weakref.finalize(self, _close, self._idle)

    def send(  # noqa: PLR0913 - all that one request is made of
        self,
        method: str,
        path: str,
        content: bytes | BinaryIO | None,
        headers: dict[str, str],
        seconds: float,
        *,
        most: int,
        before: Callable[[], None] = lambda: None,
    ) -> Raw:
        """Sends once and waits for ``seconds`` at most. Follows no redirect. Raises NoAnswer.

        ``before`` is called when nothing is left to do but to send, and may stop that by an exception.
        ``most`` is how many bytes of the body are read; of an answer that is no success fewer may be. A
        ``content`` that is a file is sent from its start, and ``headers`` have its length.
        """
        until = time.monotonic() + seconds
        request = self._request(method, path, content, headers)
        connection, kept = self._connection(until), True
        try:
            before()
            kept = False
            with contextlib.suppress(BrokenPipeError):  # it may have answered before all was sent
                _put(connection, request, content, until)
            raw, kept = reading.answer(connection, until, method, most)
        except TimeoutError:
            raise NoAnswer("no answer in time", sent=True) from None
        except reading.Broken as error:
            raise NoAnswer(f"the connection broke ({error})", sent=True) from None
        except OSError as error:
            raise NoAnswer(f"the connection broke ({type(error).__name__})", sent=True) from None
        finally:
            if kept and len(self._idle) < self._size:
                self._idle.append(connection)
            else:
                connection.close()
        return raw

    def _connection(self, until: float) -> socket.socket:
        while self._idle:
            with contextlib.suppress(IndexError):
                connection = self._idle.pop()
                if _is_quiet(connection):
                    return connection
                connection.close()
        return connect(self._server, self._proxy, self._context, min(until, time.monotonic() + CONNECTING))

    def _request(
        self, method: str, path: str, content: bytes | BinaryIO | None, headers: dict[str, str]
    ) -> bytes:
        if not _PATH.fullmatch(path):
            path = quote(path, safe="!$%&'()*+,/:;=?@[]~")
        lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
        body = content if isinstance(content, bytes) else b""
        if isinstance(content, bytes) or (content is None and method in ("POST", "PUT", "PATCH")):
            lines.append(f"Content-Length: {len(body)}\r\n")
        try:
            head = "".join(lines).encode("latin-1")
        except UnicodeEncodeError:
            head = b""
        if len(lines) != head.count(b"\n") or len(lines) != head.count(b"\r"):
            raise _unsendable("a header cannot be sent, since it has several lines or other letters")
        first = f"{method} {self._prefix}{path} HTTP/1.1\r\n{self._fixed}".encode("ascii")
        return b"".join((first, head, b"\r\n", body))


def _put(connection: socket.socket, request: bytes, content: bytes | BinaryIO | None, until: float) -> None:
    """Sends the request, and then the file that ``content`` may be."""
    connection.settimeout(max(0.001, until - time.monotonic()))
    connection.sendall(request)
    if content is None or isinstance(content, bytes):
        return
    content.seek(0)
    while piece := content.read(reading.CHUNK):
        connection.settimeout(max(0.001, until - time.monotonic()))
        connection.sendall(piece)


def _is_quiet(connection: socket.socket) -> bool:
    """Whether nothing has come since the last answer: neither bytes that nobody asked for, nor an end."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)


def _close(connections: list[socket.socket]) -> None:
    for connection in connections:
        connection.close()


def _unsendable(why: str) -> CallError:
    return CallError(why, service="the network", call="connect", code=INTERNAL)


def lost(error: NoAnswer, service: str, call: str) -> CallError:
    """What a call without an answer means: it may be tried again, and it may have taken effect."""
    return CallError(
        str(error), service=service, call=call, code=UNAVAILABLE, retryable=True, ambiguous=error.sent
    )
