"""Manifests, read over the Docker Registry HTTP API V2: what an index holds, and what a referrer refers to.

``GET /v2/<name>/manifests/<digest>`` answers an image manifest or an index (a "manifest list" in Docker's
words); `manifest_meaning` reads it, and `registry_token` signs in. ``GET
/v2/<name>/tags/list`` answers ``{"tags": [...]}``, and names the next page in ``Link`` (OCI distribution
specification).

A manifest is known by its digest for ever, so each is read once in the life of the process, as far as there
is room.
"""

from __future__ import annotations

import hashlib
import random
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Set
from urllib.parse import quote

import msgspec

from shared.cloud import address
from shared.cloud.client import PAGE, Cloud, check, decoded
from shared.cloud.parallel import for_each
from shared.cloud.reading import Raw
from shared.cloud.registry_services import service_of
from shared.cloud.registry_token import SignIn
from shared.errors import INTERNAL, NOT_FOUND, CallError, TooLarge, short
from shared.retention.manifest_meaning import DIGEST, IMAGES, INDEXES, read
from shared.retention.records import PLAIN, Manifest, Repository, Service

ACCEPT = ", ".join((*INDEXES, *IMAGES, "*/*"))
LARGEST = 4 * 1024**2  # what registries have to take, by the OCI distribution specification
MOST_REMEMBERED = 200_000
CANNOT_TELL = frozenset({405, 501})
REFUSED_FOR_GOOD = frozenset({400, 405, 406, 410, 411, 412, 413, 414, 415, 416, 417, 422, 451})
TAGS_A_PAGE = 1000
NEXT = re.compile(r'<([^<>]*)>[^,<>]*;\s*rel\s*=\s*"?next"?\s*(?:[;,]|$)', re.IGNORECASE)


class _Unusable(CallError):
    """An answer that is not the manifest which the digest names; another one may be."""


class _Coded(msgspec.Struct):
    code: str = ""


class _Errors(msgspec.Struct):
    errors: list[_Coded] = []


class _Tags(msgspec.Struct):
    tags: list[str] | None = None


class Memory:
    """Manifests by their digests, ``most`` of them: when there are more, some go, whichever they are.

    Were it always the oldest, a repository with more images than that would find nothing each time it is
    read. Of the manifests that say nothing of others, which nearly all do, there is only the digest, of 32
    bytes, on the shelf of its first three digits.
    """

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most, self._count = most, 0
        self._shelves, self._others = defaultdict[str, bytearray](bytearray), dict[str, Manifest]()
        self._lock = threading.Lock()

    def recall(self, digests: Iterable[str]) -> dict[str, Manifest]:
        with self._lock:
            known = ((digest, self._get(digest)) for digest in digests)
            return {digest: manifest for digest, manifest in known if manifest is not None}

    def keep(self, digest: str, manifest: Manifest) -> None:
        with self._lock:
            if self._get(digest) is not None:
                return
            if self._count >= self._most:
                self._forget()
            self._count += 1
            if manifest == PLAIN and _SHA256.fullmatch(digest):
                self._shelves[digest[_SHELF]] += bytes.fromhex(digest[_HEX])
            else:
                self._others[digest] = manifest

    def _get(self, digest: str) -> Manifest | None:
        shelf = self._shelves.get(digest[_SHELF])
        if shelf and _SHA256.fullmatch(digest):
            key, at = bytes.fromhex(digest[_HEX]), -1
            while (at := shelf.find(key, at + 1)) >= 0:
                if at % len(key) == 0:
                    return PLAIN
        return self._others.get(digest)

    def _forget(self) -> None:
        """An eighth goes, and at least one."""
        for part in (self._shelves, self._others):
            for victim in random.sample(list(part), (len(part) + 7) // 8):
                del part[victim]
        self._count = len(self._others) + sum(map(len, self._shelves.values())) // 32


_SHELF, _HEX = slice(7, 10), slice(7, None)
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_memory = Memory()


class Manifests:
    """Reads the manifests of one repository; ``endpoints`` are URLs instead of the services' own hosts."""

    def __init__(
        self,
        cloud: Cloud,
        endpoints: Mapping[Service, str],
        repository: Repository,
        memory: Memory = _memory,
    ) -> None:
        self._host = host = service_of(repository).DOCKER
        endpoint = endpoints.get(repository.service) or host.endpoint
        self._registry = cloud.at(endpoint, most=LARGEST, setting=host.setting)
        self._name, self._memory = quote(repository.full_name), memory
        self._sign_in = SignIn(self._registry, repository.full_name, host)

    def known(self, digests: Iterable[str]) -> dict[str, Manifest]:
        """Those manifests of ``digests``, and of what is nested in them, that need not be read any more."""
        known: dict[str, Manifest] = {}
        waiting = set(digests)
        while waiting:
            recalled = self._memory.recall(waiting)
            known |= recalled
            waiting = {nested for manifest in recalled.values() for nested in manifest.nested} - known.keys()
        return known

    def remember(self, manifests: Mapping[str, Manifest]) -> None:
        """Takes manifests as known that were read in an earlier run."""
        for digest, manifest in manifests.items():
            self._memory.keep(digest, manifest)

    def read(
        self,
        digests: Iterable[str],
        gone: Callable[[str], bool],
        before_each: Callable[[], None] = lambda: None,
        known: Mapping[str, Manifest] | None = None,
    ) -> dict[str, Manifest]:
        """The manifests of ``digests``, and of the indexes nested in them.

        A manifest that the registry does not have is left out if ``gone`` confirms that it may be missing. A
        manifest that the registry will never give is ``lost``. What is ``known`` is not asked for;
        ``before_each`` is called before anything else is, and may stop it all by an exception. Raises
        CallError for an error that may pass, or that concerns more than one manifest, and OutOfTime.
        """
        manifests: dict[str, Manifest] = {}
        listed = set(digests)
        seen, waiting = set(listed), listed
        while waiting:
            read_now = {digest: known[digest] for digest in waiting & known.keys()} if known else {}
            read_now |= self._memory.recall(waiting - read_now.keys())
            read_now |= self._fetch(
                waiting - read_now.keys(), lambda digest: digest not in listed or gone(digest), before_each
            )
            manifests |= read_now
            waiting = {nested for manifest in read_now.values() for nested in manifest.nested} - seen
            seen |= waiting
        return manifests

    def exists(self, digest: str) -> bool:
        """Whether the registry has the manifest now. Raises CallError."""
        try:
            self._registry.persist(lambda header: self._answer("HEAD", digest, header), self._sign_in)
        except CallError as error:
            if error.code != NOT_FOUND:
                raise
            return False
        return True

    def tags(self, listed: Set[str] = frozenset()) -> list[str] | None:
        """The repository's tags beside those that are ``listed``, or None when the registry cannot tell them.

        Raises CallError.
        """
        path = f"/v2/{self._name}/tags/list"
        query = f"n={TAGS_A_PAGE}"
        queries, others, unseen = set[str](), dict[str, None](), set(listed)
        while query:
            if query in queries:
                raise self._error(f"GET {path}", "the same page came twice")
            queries.add(query)
            page = self._registry.persist(
                lambda header, query=query: self._tags_page(path, query, header),  # type: ignore[misc]
                self._sign_in,
            )
            if page is None:
                return None
            tags, query = page
            known = len(others) - len(unseen)
            others |= dict.fromkeys(tag for tag in tags if tag not in listed)
            unseen.difference_update(tags)
            if query and len(others) - len(unseen) == known:
                raise self._error(f"GET {path}", "a page says nothing new and names another")
        return list(others)

    def _fetch(
        self, digests: set[str], may_miss: Callable[[str], bool], before_each: Callable[[], None]
    ) -> dict[str, Manifest]:
        """The manifests of ``digests``, read now, without those that are missing and may be."""
        fetched: dict[str, Manifest] = {}

        def fetch(digest: str) -> None:
            before_each()
            manifest = self._read_now(digest, may_miss)
            if manifest is not None:
                fetched[digest] = manifest
                if not manifest.lost:
                    self._memory.keep(digest, manifest)

        for_each(digests, fetch, self._registry.concurrency)
        return fetched

    def _read_now(self, digest: str, may_miss: Callable[[str], bool]) -> Manifest | None:
        if not DIGEST.fullmatch(digest):
            return _lost(f"{short(digest)} is no digest that a registry could know")
        try:
            return self._got(digest)
        except CallError as error:
            if error.status != 404:
                return _lost_or_raise(error)
        if may_miss(digest):
            return None
        try:  # a registry may be a moment behind: what is listed is asked for again
            return self._got(digest)
        except CallError as error:
            return _lost_or_raise(error)

    def _got(self, digest: str) -> Manifest:
        return self._registry.persist(lambda header: self._fetched(digest, header), self._sign_in)

    def _answer(self, method: str, digest: str, header: str) -> Raw:
        path = f"/v2/{self._name}/manifests/{digest}"
        if not DIGEST.fullmatch(digest):
            raise self._error(f"{method} {path}", "that is no digest")
        raw = self._registry.send(method, self._host.name, path, None, header, ACCEPT)
        check(raw, self._host.name, f"{method} {path}", self._host.role, (header,))
        return raw

    def _fetched(self, digest: str, header: str) -> Manifest:
        body = self._answer("GET", digest, header).body
        algorithm, _, expected = digest.partition(":")
        if hashlib.new(algorithm, body).hexdigest() != expected:
            raise _Unusable(
                "the answer is not the manifest that the digest names",
                service=self._host.name,
                call=f"GET /v2/{self._name}/manifests/{digest}",
                code=INTERNAL,
                retryable=True,
            )
        return read(body)

    def _tags_page(self, path: str, query: str, header: str) -> tuple[list[str], str] | None:
        """The tags of one page and the query of the next one; None when the registry has no such list."""
        raw = self._registry.send("GET", self._host.name, f"{path}?{query}", None, header, most=PAGE)
        codes = _codes(raw) if raw.status != 200 else set[str]()
        if (
            raw.status in CANNOT_TELL
            or (raw.status == 404 and "NAME_UNKNOWN" in codes)
            or "UNSUPPORTED" in codes
        ):
            return None
        call = f"GET {path}"
        tags = decoded(raw, _Tags, self._host.name, call, self._host.role, (header,)).tags or []
        link = NEXT.search(raw.headers.get("link", ""))
        return tags, self._next(link[1], path) if link else ""

    def _next(self, link: str, path: str) -> str:
        """The query of a link to the next page, which must be one of the same list.

        Nothing else of it is used.
        """
        server = address.read(self._registry.endpoint)
        try:
            if link.startswith("?"):
                link = path + link
            target = address.read(server.origin + link if link.startswith("/") else link)
        except ValueError:
            target = None
        paths = (path, server.path.rstrip("/") + path)
        if target is None or target.origin != server.origin or target.path not in paths or not target.query:
            raise self._error(
                f"GET {path}", f"its next page is said to be at {short(link)}, which is elsewhere"
            )
        return target.query

    def _error(self, call: str, message: str) -> CallError:
        return CallError(message, service=self._host.name, call=call, code=INTERNAL)


def _codes(raw: Raw) -> set[str]:
    """The codes of a registry's error."""
    try:
        return {error.code for error in _ERRORS.decode(raw.body).errors}
    except (msgspec.DecodeError, UnicodeDecodeError):
        return set()


_ERRORS = msgspec.json.Decoder(_Errors)  # made here: a type's first use in several threads at once may crash


def _lost_or_raise(error: CallError) -> Manifest:
    """A lost manifest, if the error concerns this manifest for good. Raises any other error."""
    if error.status == 404:
        return _lost("the registry does not have it, although its image is listed")
    if isinstance(error, _Unusable | TooLarge) or error.status in REFUSED_FOR_GOOD:
        return _lost(error.message)
    raise error


def _lost(reason: str) -> Manifest:
    return Manifest(unclear=reason, lost=True)
