"""Signing in to a Docker registry, as it asks for in ``WWW-Authenticate``: Basic, or a Bearer token from its
``realm``.

Both take the user ``iam`` and an IAM token as the password (Yandex Cloud's documentation:
container-registry/operations/authentication). The token goes nowhere but to the registry's own host, or to
one that is named here: customers' functions, websites and buckets live below the cloud's domains too, so that
an ending is nobody's name.
"""

from __future__ import annotations

import base64
import re
import threading
from urllib.parse import urlencode

import msgspec

from shared.cloud import address
from shared.cloud.address import PORTS, Address
from shared.cloud.client import TOKEN, Cloud, check, decoded
from shared.cloud.docker_host import DockerHost
from shared.cloud.reading import Raw
from shared.errors import INTERNAL, UNAUTHENTICATED, CallError, short

PING = "GET /v2/"
OWN_HOSTS = ("cr.yandex", "registry.yandexcloud.net")
PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s",]*))')


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""


class SignIn:
    """The ``Authorization`` header for one repository; obtained once for all threads, and so is its
    failure.
    """

    def __init__(self, registry: Cloud, repository: str, host: DockerHost) -> None:
        self._registry, self._repository = registry, repository
        self._service, self._role, self._setting = host.name, host.role, host.setting
        self._header: str | None = None
        self._failure: tuple[float, CallError] | None = None
        self._lock = threading.Lock()

    def header(self) -> str:
        return self._header if self._header is not None else self._once("", self._registry.pace.clock())

    def renewed(self, refused: str) -> str:
        return self._once(refused, self._registry.pace.clock())

    def _once(self, refused: str, came_at: float) -> str:
        """A header other than ``refused``. Who waited while another one failed has failed with it."""
        with self._lock:
            if self._failure and self._failure[0] >= came_at:
                raise self._failure[1]
            if self._header is None or self._header == refused:
                try:
                    self._header = self._obtained(refused)
                except CallError as error:
                    self._failure = (self._registry.pace.clock(), error)
                    raise
            return self._header

    def _obtained(self, refused: str) -> str:
        answer = self._registry.persist(lambda _header: self._ping(), None)
        if answer.status == 200:
            return ""
        scheme, _, rest = answer.headers.get("www-authenticate", "").strip().partition(" ")
        pairs = [(name.lower(), quoted or plain) for name, quoted, plain in PARAMETER.findall(rest)]
        wanted = dict(pairs)
        if scheme.lower() == "bearer" and wanted.get("realm") and len(wanted) == len(pairs):
            return self._bearer(wanted["realm"], wanted.get("service", ""))
        if scheme.lower() != "basic":
            raise self._error("it does not say how to sign in")
        credentials = self._registry.credentials
        bearer = credentials.header() if credentials else ""
        if credentials and _basic(bearer) == refused:
            bearer = credentials.renewed(bearer)
        return _basic(bearer)

    def _ping(self) -> Raw:
        raw = self._registry.send("GET", self._service, "/v2/", most=TOKEN)
        if raw.status != 401:
            check(raw, self._service, PING, self._role, ())
        return raw

    def _bearer(self, realm: str, service: str) -> str:
        """A token of the realm, fetched from the address that was read and checked, and from no other."""
        try:
            place = address.read(realm)
            trusted = _is_trusted(place, address.read(self._registry.endpoint))
        except ValueError:
            trusted = False
        if not trusted:
            raise self._error(
                f"it asks to sign in at {short(realm)}, which is not its own; no token is sent there"
            )
        query = urlencode({"service": service, "scope": f"repository:{self._repository}:pull"})
        path = f"{place.path or '/'}?{place.query}&{query}" if place.query else f"{place.path or '/'}?{query}"
        issuer = self._registry.at(place.origin, most=TOKEN, setting=self._setting)

        def attempt(bearer: str) -> _Token:
            basic, call = _basic(bearer), f"GET {place.path}"
            raw = issuer.send("GET", self._service, path, None, basic)
            return decoded(raw, _Token, self._service, call, self._role, (basic,))

        answer = issuer.persist(attempt, issuer.credentials)
        token = answer.token or answer.access_token
        if not re.fullmatch(r"[!-~]+", token):
            raise self._error("what it gives as a token is none", INTERNAL)
        return f"Bearer {token}"

    def _error(self, message: str, code: int = UNAUTHENTICATED) -> CallError:
        return CallError(message, service=self._service, call=PING, code=code)


def _basic(bearer: str) -> str:
    token = bearer.removeprefix("Bearer ")
    return f"Basic {base64.b64encode(f'iam:{token}'.encode()).decode()}"


def _is_trusted(realm: Address, registry: Address) -> bool:
    """Whether a token may be sent there: to the registry's own host and port, or over HTTPS to the cloud's
    registries.
    """
    if (realm.host, realm.port) == (registry.host, registry.port):
        return realm.scheme in ("https", registry.scheme)
    return realm.host in OWN_HOSTS and realm.scheme == "https" and realm.port == PORTS["https"]
