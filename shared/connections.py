"""Connections: `requests` sets them up (proxies, certificates), `urllib3` beneath it sends over them.

Sending through `requests` itself costs three times the processor time of a call, and a clean-up is mostly calls.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import msgspec
import requests
import urllib3

from shared.errors import INTERNAL, UNAVAILABLE, CallError

CHUNK = 65536


class Raw(msgspec.Struct, frozen=True):
    """An answer as it came."""

    status: int
    headers: Any
    body: bytes


class Connections:
    """Kept-alive connections to one server, ``base`` being its URL; ``authority`` is the CA to trust there, in PEM."""

    def __init__(self, base: str, size: int, authority: str = "") -> None:
        self._prefix = urlsplit(base).path.rstrip("/")
        self._pool = _trusting(base, size, authority) if authority else _usual(base, size)

    def send(
        self,
        method: str,
        path: str,
        content: bytes | None,
        headers: dict[str, str],
        seconds: float,
        *,
        connecting: float | None = None,
        most: float = float("inf"),
    ) -> Raw:
        """Sends once and waits for ``seconds`` at most. Follows no redirect. Raises urllib3's HTTPError.

        ``connecting`` is how many of the seconds the connection may take, ``most`` after how many bytes the rest of
        the body is left unread.
        """
        until = time.monotonic() + seconds
        answer = self._pool.urlopen(
            method,
            self._prefix + path,
            body=content,
            headers=headers,
            timeout=urllib3.Timeout(connect=connecting, total=seconds),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        try:
            return Raw(answer.status, answer.headers, b"".join(_body(answer, until, most)))
        finally:
            answer.release_conn()


def _body(answer: Any, until: float, most: float) -> Iterator[bytes]:
    """The body as it comes. A timeout of urllib3 is for each read alone, and a body may drip."""
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
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return "no connection can be made"
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return "no answer in time"
    return f"the connection broke ({type(error).__name__})"


def _usual(base: str, size: int) -> Any:
    with requests.Session() as session:
        found = session.merge_environment_settings(base, {}, None, None, None)
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=size)
    request = requests.Request("GET", base).prepare()
    pool = adapter.get_connection_with_tls_context(request, found["verify"], proxies=found["proxies"])
    adapter.cert_verify(pool, base, found["verify"], None)  # type: ignore[no-untyped-call]
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
