"""Manifests, read over the Docker Registry HTTP API V2: what an index holds, and what a referrer refers to.

``GET /v2/<name>/manifests/<digest>`` answers an image manifest, or an index (a "manifest list" in Docker's words) with
``manifests: [{digest, ...}]``; either may have a ``subject``, which it then refers to (OCI image specification 1.1).
Signing in is as the registry asks for in ``WWW-Authenticate``: Basic, or a Bearer token from the ``realm`` it names,
both with the user ``iam`` and an IAM token as the password (Yandex Cloud's documentation:
container-registry/operations/authentication).

A manifest is known by its digest for ever, so each is read once in the life of the process.
"""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections.abc import Callable, Iterable
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import msgspec

from shared.connections import Raw
from shared.errors import INTERNAL, NOT_FOUND, UNAUTHENTICATED, CallError
from shared.http import Cloud, check, decoded
from shared.parallel import for_each
from shared.records import PLAIN, Manifest

ENDPOINT = "https://cr.yandex"
SERVICE, ROLE = "cr.yandex", "container-registry.images.puller"
PING = "GET /v2/"
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
ACCEPT = ", ".join(
    (
        *INDEXES,
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.artifact.manifest.v1+json",
        "*/*",
    )
)
TRUSTED_REALMS = ("cr.yandex", "yandex.net", "yandexcloud.net")
MOST_REMEMBERED = 200_000
DIGEST = re.compile(r"sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})")


class _Descriptor(msgspec.Struct, rename="camel"):
    digest: str
    media_type: str = ""


class _Document(msgspec.Struct, rename="camel"):
    manifests: list[_Descriptor] | None = None
    subject: _Descriptor | None = None


_DOCUMENT = msgspec.json.Decoder(
    _Document
)  # made here: a type's first use in several threads at once may crash


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""


class _SignIn:
    """The ``Authorization`` header for one repository, as the registry asks for it; obtained once for all threads."""

    def __init__(self, registry: Cloud, repository: str) -> None:
        self._registry, self._repository = registry, repository
        self._header: str | None = None
        self._lock = threading.Lock()

    def header(self) -> str:
        with self._lock:
            if self._header is None:
                self._header = self._obtained("")
            return self._header

    def renewed(self, refused: str) -> str:
        with self._lock:
            if self._header is None or self._header == refused:
                self._header = self._obtained(refused)
            return self._header

    def _obtained(self, refused: str) -> str:
        asked = self._registry.persist(lambda header: self._ping(), None)
        if asked.status == 200:
            return ""
        scheme, _, rest = asked.headers.get("WWW-Authenticate", "").partition(" ")
        wanted = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        if scheme.lower() == "bearer" and wanted.get("realm"):
            return self._bearer(wanted["realm"], wanted.get("service", ""))
        if scheme.lower() != "basic":
            raise CallError(
                "it does not say how to sign in", service=SERVICE, call=PING, code=UNAUTHENTICATED
            )
        credentials = self._registry.credentials
        bearer = credentials.header() if credentials else ""
        if credentials and _basic(bearer) == refused:
            bearer = credentials.renewed(bearer)
        return _basic(bearer)

    def _ping(self) -> Raw:
        raw = self._registry.send("GET", SERVICE, "/v2/")
        if raw.status != 401:
            check(raw, SERVICE, PING, ROLE, ())
        return raw

    def _bearer(self, realm: str, service: str) -> str:
        try:
            parts = urlsplit(realm)
            trusted = _trusted(parts, urlsplit(self._registry.endpoint))
        except ValueError:
            trusted = False
        if not trusted:
            raise CallError(
                f"it asks to sign in at {realm[:200]}, which is not its own; no token is sent there",
                service=SERVICE,
                call=PING,
                code=UNAUTHENTICATED,
            )
        call = f"GET {parts.path}"
        asked = urlencode({"service": service, "scope": f"repository:{self._repository}:pull"})
        path = f"{parts.path}?{parts.query}&{asked}" if parts.query else f"{parts.path}?{asked}"
        issuer = self._registry.at(f"{parts.scheme}://{parts.netloc}")

        def attempt(bearer: str) -> _Token:
            basic = _basic(bearer)
            return decoded(
                issuer.send("GET", SERVICE, path, None, basic), _Token, SERVICE, call, ROLE, (basic,)
            )

        answer = issuer.persist(attempt, issuer.credentials)
        return f"Bearer {answer.token or answer.access_token}"


def _basic(bearer: str) -> str:
    token = bearer.removeprefix("Bearer ")
    return f"Basic {base64.b64encode(f'iam:{token}'.encode()).decode()}"


def _trusted(realm: SplitResult, registry: SplitResult) -> bool:
    """Whether a token may be sent to the realm: over HTTPS to the cloud's own hosts, or to the registry's."""
    host = realm.hostname or ""
    if host == registry.hostname and realm.port != 0:
        return realm.scheme in ("https", registry.scheme)
    own = any(host == name or host.endswith(f".{name}") for name in TRUSTED_REALMS)
    return own and realm.scheme == "https"


_remembered: dict[str, Manifest] = {}


class Manifests:
    """Reads the manifests of one repository, by its full name ``<registry id>/<name>``."""

    def __init__(self, cloud: Cloud, endpoint: str, repository: str) -> None:
        self._registry = cloud.at(endpoint or ENDPOINT)
        self._root = f"/v2/{quote(repository)}/manifests"
        self._sign_in = _SignIn(self._registry, repository)

    def read(self, digests: Iterable[str], gone: Callable[[str], bool]) -> dict[str, Manifest]:
        """The manifests of ``digests``, and of the indexes nested in them. Raises CallError if one cannot be read.

        One that the registry does not have is left out when ``gone`` confirms of its digest that it may be missing.
        """
        found: dict[str, Manifest] = {}
        listed = set(digests)
        waiting, missing = listed, set[str]()
        while waiting:
            missing |= self._missing(waiting, lambda digest: digest not in listed or gone(digest))
            found |= {digest: _remembered[digest] for digest in waiting - missing}
            waiting = {nested for one in found.values() for nested in one.nested} - found.keys() - missing
        return found

    def exists(self, digest: str) -> bool:
        """Whether the registry has the manifest now. Raises CallError."""
        try:
            self._registry.persist(lambda header: self._answer("HEAD", digest, header), self._sign_in)
        except CallError as error:
            if error.code != NOT_FOUND:
                raise
            return False
        return True

    def tags(self) -> list[str] | None:
        return None

    def _missing(self, digests: set[str], may_miss: Callable[[str], bool]) -> set[str]:
        """Remembers the manifests of ``digests``, and returns those that there are not."""
        if len(_remembered) + len(digests) > MOST_REMEMBERED:
            _remembered.clear()
        missing: set[str] = set()

        def one(digest: str) -> None:
            try:
                manifest = self._registry.persist(lambda header: self._fetched(digest, header), self._sign_in)
            except CallError as error:
                if error.code != NOT_FOUND or not may_miss(digest):
                    raise
                missing.add(digest)
            else:
                _remembered[digest] = manifest

        for_each([digest for digest in digests if digest not in _remembered], one, self._registry.concurrency)
        return missing

    def _answer(self, method: str, digest: str, header: str) -> Raw:
        path = f"{self._root}/{digest}"
        if not DIGEST.fullmatch(digest):
            raise CallError("that is no digest", service=SERVICE, call=f"{method} {path}", code=INTERNAL)
        raw = self._registry.send(method, SERVICE, path, None, header, ACCEPT)
        check(raw, SERVICE, f"{method} {path}", ROLE, (header,))
        return raw

    def _fetched(self, digest: str, header: str) -> Manifest:
        body = self._answer("GET", digest, header).body
        try:
            document = _DOCUMENT.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            document = _Document()
        if not _is(body, digest):
            raise CallError(
                "the answer is not the manifest that the digest names",
                service=SERVICE,
                call=f"GET {self._root}/{digest}",
                code=INTERNAL,
                retryable=True,
            )
        return _meaning(document)


def _is(body: bytes, digest: str) -> bool:
    algorithm, _, expected = digest.partition(":")
    return hashlib.new(algorithm, body).hexdigest() == expected


def _meaning(document: _Document) -> Manifest:
    if document.manifests is None and document.subject is None:
        return PLAIN
    held = document.manifests or []
    return Manifest(
        tuple(descriptor.digest for descriptor in held),
        tuple(descriptor.digest for descriptor in held if descriptor.media_type in INDEXES),
        document.subject.digest if document.subject else "",
    )
