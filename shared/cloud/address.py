"""URLs, read once and strictly. Whoever connects does so to what was read here, never to the text that it was
read from.

Two parsers that read one text differently are how a secret reaches a foreign host: one checks it, the other
connects. So there is one grammar, a small part of RFC 3986, and all that has two readings somewhere is no URL
here: a user, a backslash, white space, control characters, letters beyond ASCII, escapes in the host, a
fragment, port 0.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address

import msgspec

PORTS = {"http": 80, "https": 443}
LONGEST = 4000

_CHARACTER = r"[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2}"
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9_](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    rf"(?P<path>(?:/(?:{_CHARACTER})*)*)"
    rf"(?:\?(?P<query>(?:{_CHARACTER}|[/?])*))?",
    re.ASCII | re.IGNORECASE,
)


class Address(msgspec.Struct, frozen=True):
    """A URL in its parts; ``host`` and ``scheme`` are in lower case, an IPv6 host is in its brackets."""

    scheme: str
    host: str
    port: int
    path: str = ""
    query: str = ""

    @property
    def origin(self) -> str:
        """The URL of the server alone, built from the parts."""
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"


def read(url: str) -> Address:
    """The parts of ``url``. Raises ValueError for what is no plain http or https URL."""
    match = _URL.fullmatch(url) if len(url) <= LONGEST else None
    if match is None:
        raise ValueError("it is no plain http or https URL")
    scheme, host = match["scheme"].lower(), match["host"].lower()
    port = int(match["port"]) if match["port"] else PORTS[scheme]
    if not 0 < port < 65536:
        raise ValueError("its port is none")
    if host.startswith("["):
        IPv6Address(host[1:-1])
    elif ".." in host or len(host) > 253:
        raise ValueError("its host is none")
    return Address(scheme, host, port, match["path"], match["query"] or "")
