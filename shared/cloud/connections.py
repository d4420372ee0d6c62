"""Connections: `requests` sets them up (proxies, certificates), `urllib3` beneath it sends over them.

Sending through `requests` itself costs three times the processor time of a call, and a clean-up is mostly
calls.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec
import requests
import urllib3

from shared.cloud import address
from shared.errors import INTERNAL, UNAVAILABLE, CallError, printable

CHUNK = 65536
CONNECTING = 5.0
ERROR = 64 * 1024


class Raw(msgspec.Struct, frozen=True):
    """An answer as it came; ``cut``: its body is longer than may be read, and only its beginning was."""

    status: int
    headers: Any
    body: bytes
    cut: bool = False


class Connections:
    """Kept-alive connections to one server, ``base`` being its URL. Raises CallError when that is none.

    ``authority`` is the CA to trust there, in PEM; ``direct`` is for a server that no proxy stands before.
    """

    def __init__(self, base: str, size: int, authority: str = "", *, direct: bool = False) -> None:
        try:
            server = address.read(base)
        except ValueError as error:
            raise CallError(
                f"{printable(base[:100])}: {error}", service="the network", call="connect", code=INTERNAL
            ) from None
        self._prefix = server.path.rstrip("/")
        if authority:
            self._pool = _trusting(server.origin, size, authority)
        elif direct:
            self._pool = urllib3.connectionpool.connection_from_url(server.origin, maxsize=size)
        else:
            self._pool = _usual(server.origin, size)

    def send(
        self,
        method: str,
        path: str,
        content: bytes | BinaryIO | None,
        headers: dict[str, str],
        seconds: float,
        *,
        most: int,
    ) -> Raw:
        """Sends once and waits for ``seconds`` at most. Follows no redirect. Raises urllib3's HTTPError.

        ``most`` is how many bytes of the body are read; of an answer that is no success it is ``ERROR`` at
        most.
        """
        until = time.monotonic() + seconds
        if content is not None and not isinstance(content, bytes):
            content.seek(0)
        answer = self._pool.urlopen(
            method,
            self._prefix + path,
            body=content,
            headers=headers,
            timeout=urllib3.Timeout(connect=min(CONNECTING, seconds), total=seconds),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        most = most if answer.status == 200 else min(most, ERROR)
        try:
            body = b"".join(_body(answer, until, most + 1))
        finally:
            answer.release_conn()
        return Raw(answer.status, answer.headers, body[:most], cut=len(body) > most)


def _body(answer: Any, until: float, most: int) -> Iterator[bytes]:
    """The body as it comes, ``most`` bytes and a little more.

    A timeout of urllib3 is for each read alone, and a body may drip.
    """
    while chunk := answer.read1(CHUNK):
        yield chunk
        most -= len(chunk)
        if most <= 0:
            answer.close()
            return
        if time.monotonic() > until:
            answer.close()
            raise urllib3.exceptions.TimeoutError("the body takes too long")


def lost(error: urllib3.exceptions.HTTPError, service: str, call: str) -> CallError:
    """What a call without an answer means: it may be tried again, and it may have taken effect."""
    unsent = isinstance(error, urllib3.exceptions.ConnectTimeoutError)
    return CallError(
        _plain(error), service=service, call=call, code=UNAVAILABLE, retryable=True, ambiguous=not unsent
    )


def _plain(error: urllib3.exceptions.HTTPError) -> str:
    if isinstance(error, urllib3.exceptions.SSLError):
        return "the server's certificate is not trusted"
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return "its name cannot be resolved"
    if isinstance(error, urllib3.exceptions.ProxyError):
        return "the proxy makes no connection"
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return "no connection can be made"
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return "no answer in time"
    return f"the connection broke ({type(error).__name__})"


def _usual(base: str, size: int) -> Any:
    with requests.Session() as session:
        environment = session.merge_environment_settings(base, {}, None, None, None)
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=size)
    request = requests.Request("GET", base).prepare()
    pool = adapter.get_connection_with_tls_context(
        request, environment["verify"], proxies=environment["proxies"]
    )
    adapter.cert_verify(pool, base, environment["verify"], None)  # type: ignore[no-untyped-call]
    return pool


def _trusting(base: str, size: int, authority: str) -> urllib3.HTTPConnectionPool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=authority)
    except (ssl.SSLError, ValueError):
        raise CallError(
            "the certificate of its CA is not PEM", service=base, call="connect", code=INTERNAL
        ) from None
    return urllib3.connectionpool.connection_from_url(base, maxsize=size, ssl_context=context)
