"""How a connection to a server is made: directly or through the proxy of the environment, plain or by TLS.

Proxies are those of HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, as `requests` reads them, which is
imported where one of them is set; so are certificates: REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, else certifi's.
"""

from __future__ import annotations

import base64
import functools
import os
import socket
import ssl
import time
from pathlib import Path
from urllib.parse import unquote

import msgspec

from shared.cloud import reading
from shared.cloud.address import PORTS, Address
from shared.errors import INTERNAL, CallError

PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy"})
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
FOR_ANOTHER_NAME = {62, 64}  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


class NoAnswer(Exception):
    """Why a request got no answer; ``sent``: some of it may have arrived."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class Proxy(msgspec.Struct, frozen=True):
    """``authorization`` is its header line, or nothing."""

    scheme: str
    host: str
    port: int
    authorization: str = ""


def proxy_for(server: Address) -> Proxy | None:
    """The proxy that stands before ``server``. Raises CallError for a variable that names none."""
    if not any(value and name.lower() in PROXIES for name, value in os.environ.items()):
        return None
    from requests.utils import get_environ_proxies, prepend_scheme_if_needed, select_proxy
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    text = select_proxy(server.origin, get_environ_proxies(server.origin, None))
    if not text:
        return None
    try:
        url = parse_url(prepend_scheme_if_needed(text, "http"))  # type: ignore[no-untyped-call]
    except LocationParseError:
        url = parse_url("")
    if url.scheme not in PORTS or not url.host:
        raise _cannot_connect(
            server, "the proxy's variable (HTTPS_PROXY, HTTP_PROXY or ALL_PROXY) holds no http or https URL"
        )
    authorization = ""
    if url.auth:
        credentials = base64.b64encode(unquote(url.auth).encode()).decode()
        authorization = f"Proxy-Authorization: Basic {credentials}\r\n"
    return Proxy(url.scheme, url.host.strip("[]"), url.port or PORTS[url.scheme], authorization)


def trusting(server: Address, authority: str) -> ssl.SSLContext:
    """TLS to a server whose CA is ``authority``, in PEM; "" for the usual ones. Raises CallError."""
    if authority:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cadata=authority)
        except (ssl.SSLError, ValueError):
            raise _cannot_connect(server, "the certificate of its CA is not PEM") from None
        return context
    name = next((name for name in BUNDLES if os.environ.get(name)), "")
    try:
        return _usual(os.environ[name] if name else "")
    except OSError:
        raise _cannot_connect(server, f"{name or 'certifi'} names no certificates in PEM") from None


@functools.cache
def _usual(bundle: str) -> ssl.SSLContext:
    """Read once: to read all the authorities takes tens of milliseconds."""
    if not bundle:
        import certifi

        bundle = certifi.where()
    is_folder = Path(bundle).is_dir()
    context = ssl.create_default_context(
        cafile=None if is_folder else bundle, capath=bundle if is_folder else None
    )
    context.set_alpn_protocols(["http/1.1"])
    return context


def connect(
    server: Address, proxy: Proxy | None, context: ssl.SSLContext | None, until: float
) -> socket.socket:
    """A connection over which requests can be sent; ``until`` is a monotonic time. Raises NoAnswer."""
    at = proxy or server
    try:
        connection = socket.create_connection((at.host.strip("[]"), at.port), _left(until))
    except (socket.gaierror, UnicodeError):
        raise _failed("its name cannot be resolved", proxy) from None
    except TimeoutError:
        raise _failed("no answer in time", proxy) from None
    except OSError:
        raise _failed("no connection can be made", proxy) from None
    before = proxy
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if proxy:
            if proxy.scheme == "https":
                connection = _secured(connection, trusting(server, ""), proxy.host, until)
            if context:
                _tunnel(connection, proxy, server, until)
            before = None
        if context:
            connection = _secured(connection, context, server.host, until)
    except BaseException as error:
        connection.close()
        if isinstance(error, (OSError, reading.Broken)):
            raise _failed(_reason(error), before) from None
        raise
    return connection


def _tunnel(connection: socket.socket, proxy: Proxy, server: Address, until: float) -> None:
    name = f"{server.host}:{server.port}"
    connection.settimeout(_left(until))
    connection.sendall(
        f"CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n{proxy.authorization}\r\n".encode("ascii")
    )
    stream = reading.Stream(connection, until)
    status, _, _ = reading.head(stream)
    if status != 200 or not stream.ended():
        raise NoAnswer(f"the proxy makes no connection (HTTP {status})", sent=False)


def _secured(connection: socket.socket, context: ssl.SSLContext, host: str, until: float) -> socket.socket:
    name = host.strip("[]")
    connection.settimeout(_left(until))
    if isinstance(connection, ssl.SSLSocket):
        from urllib3.util.ssltransport import SSLTransport

        return SSLTransport(connection, context, name)  # type: ignore[return-value]
    return context.wrap_socket(connection, server_hostname=name)


def _left(until: float) -> float:
    return max(0.001, until - time.monotonic())


def _failed(reason: str, proxy: Proxy | None) -> NoAnswer:
    return NoAnswer("the proxy makes no connection" if proxy else reason, sent=False)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in FOR_ANOTHER_NAME:
            return "the server's certificate is not trusted: it is for another name"
        return "the server's certificate is not trusted"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"no connection can be made ({type(error).__name__})"


def _cannot_connect(server: Address, why: str) -> CallError:
    return CallError(why, service=server.origin, call="connect", code=INTERNAL)
