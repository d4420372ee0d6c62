"""What manifests say, kept from run to run: a manifest is known by its digest for ever.

A repository's memory is in parts by the first bits of the digest, ``manifests/<registry id>/<hash of the
repository's name>.<bits>.<number>``, so many that a new image rewrites little of it. A part begins with a
line that names its version; the SHA-256 of the rest follows, and then this rest, msgpack: the digests of all
manifests that say nothing of others, 32 bytes each, and what the other manifests say, deflated. A part whose
first line or checksum is another is forgotten. Whether a manifest exists is nothing that a memory can tell.
"""

from __future__ import annotations

import hashlib
import re
import threading
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec

from shared.cloud import log
from shared.errors import JanitorError
from shared.retention.manifest_meaning import EDITION
from shared.retention.records import PLAIN, Manifest, Repository
from shared.state.store import Store

FOLDER = "manifests"
FORM = 1
MOST, LEAST = 8192, 1024  # images in a part on the average, before there are other parts
WORTH_A_CALL = 10
FORGOTTEN_AT_ONCE = 100
STAMP = f"registry-janitor manifests {FORM}.{EDITION}\n".encode()

_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_NAME = re.compile(r"([0-9a-f]{32})\.([0-9]{1,2})\.([0-9]{1,9})")


class Place(msgspec.Struct, frozen=True, order=True):
    """A part: those digests whose first ``bits`` are ``number``."""

    bits: int
    number: int

    def meets(self, other: Place) -> bool:
        """Whether a digest can be in both."""
        common = min(self.bits, other.bits)
        return self.number >> (self.bits - common) == other.number >> (other.bits - common)


class ManifestMemory:
    """The memory of one run. Without a ``store``, or once that has failed, it knows and keeps nothing."""

    def __init__(self, store: Store | None = None) -> None:
        self._store = store
        self._places: dict[str, dict[str, set[Place]]] = {}
        self._lock = threading.Lock()

    @property
    def works(self) -> bool:
        return self._store is not None

    def parts(self, repository: Repository, digests: Collection[str]) -> Iterator[Part]:
        """The parts of a repository that has images of these ``digests``, in their order."""
        stored = self._listed(repository.registry_id).setdefault(_key(repository.full_name), set())
        bits = _bits(len(digests), stored)
        divided: defaultdict[int, list[str]] = defaultdict(list)
        for digest in digests:
            divided[_number(digest, bits)].append(digest)
        folder = f"{FOLDER}/{repository.registry_id}/{_key(repository.full_name)}"
        for number in sorted(divided):
            yield Part(self, folder, Place(bits, number), set(divided.pop(number)), stored)

    def read(self, name: str) -> tuple[bytes, str | None]:
        """The object and its version; nothing when there is none or the store fails."""
        try:
            stored = self._store.read(name) if self._store else None
        except JanitorError as error:
            self._fail(error)
            stored = None
        return (stored.body, stored.version) if stored else (b"", None)

    def write(self, name: str, body: bytes, version: str | None) -> bool:
        """Writes the object, unless another run has meanwhile, and says whether the store has it."""
        try:
            if self._store is None:
                return False
            if version is None:
                return self._store.create(name, [body]) is not None
            return self._store.replace(name, [body], version) is not None
        except JanitorError as error:
            self._fail(error)
            return False

    def delete(self, name: str) -> None:
        try:
            if self._store:
                self._store.delete(name)
        except JanitorError as error:
            self._fail(error)

    def forget_others(self, registry_id: str, full_names: Iterable[str]) -> None:
        """Forgets repositories of the registry that are none of these, some of them in each run."""
        with self._lock:
            listed = self._places.get(registry_id, {})
        gone = sorted(listed.keys() - set(map(_key, full_names)))
        outlived = [f"{key}.{place.bits}.{place.number}" for key in gone for place in sorted(listed[key])]
        for name in outlived[:FORGOTTEN_AT_ONCE]:
            self.delete(f"{FOLDER}/{registry_id}/{name}")

    def _listed(self, registry_id: str) -> dict[str, set[Place]]:
        """The parts that there are, by their repository's hash; the store is asked once."""
        with self._lock:
            if registry_id in self._places:
                return self._places[registry_id]
            prefix = f"{FOLDER}/{registry_id}/"
            try:
                names = self._store.names(prefix) if self._store else []
            except JanitorError as error:
                self._fail(error)
                names = []
            places: defaultdict[str, set[Place]] = defaultdict(set)
            for name in names:
                if named := _NAME.fullmatch(name.removeprefix(prefix)):
                    places[named[1]].add(Place(int(named[2]), int(named[3])))
            self._places[registry_id] = places
            return places

    def _fail(self, error: JanitorError) -> None:
        if self._store:
            log.warn(f"What the manifests say is not remembered, so it is read once more. {error}")
        self._store = None


class Part:
    """One part of a repository's memory, and the ``digests`` of the listed images that belong to it."""

    def __init__(
        self, memory: ManifestMemory, folder: str, place: Place, digests: set[str], stored: set[Place]
    ) -> None:
        self.digests = digests
        self._memory, self._folder, self._place, self._stored = memory, folder, place, stored
        self._sources = sorted(other for other in stored if other.meets(place))
        self._version: str | None = None
        self._known: dict[str, Manifest] | None = None

    def recall(self) -> Mapping[str, Manifest]:
        """The manifests that are remembered, by digest: of the listed images, and of what they hold."""
        if not self._memory.works:
            return {}
        self._known = {}
        for place in self._sources:
            body, version = self._memory.read(self._name(place))
            if place == self._place:
                self._version = version
            self._known |= unpacked(body, self.digests)
        return self._known

    def keep(self, manifests: Mapping[str, Manifest], *, whole: bool) -> None:
        """Remembers the manifests, if this part was recalled and they are news.

        ``whole``: they are all that there is to know, so that whatever else is remembered is outlived.
        """
        if self._known is None:
            return
        clear = {digest: said for digest, said in manifests.items() if not said.unclear and not said.lost}
        kept = clear if whole else self._known | clear
        outlived = len(self._known.keys() - kept.keys())
        divided = self._sources not in ([], [self._place])
        is_news = bool(kept.keys() - self._known.keys()) or outlived * 4 > len(self._known) or divided
        self._known = None
        if kept and is_news and self._memory.write(self._name(self._place), packed(kept), self._version):
            self._stored.add(self._place)
            if whole:
                self._forget_divided()

    def _forget_divided(self) -> None:
        """Deletes the smaller parts that this one stands for, and a larger part once this is its last."""
        for place in self._sources:
            inside = place.bits > self._place.bits
            is_last = place.bits < self._place.bits and self._place.number + 1 == (place.number + 1) << (
                self._place.bits - place.bits
            )
            if inside or is_last:
                self._memory.delete(self._name(place))
                self._stored.discard(place)

    def _name(self, place: Place) -> str:
        return f"{self._folder}.{place.bits}.{place.number}"


def packed(manifests: Mapping[str, Manifest]) -> bytes:
    """A part's bytes."""
    plain = {digest for digest, said in manifests.items() if said == PLAIN and _SHA256.fullmatch(digest)}
    others = sorted((digest, manifests[digest]) for digest in manifests.keys() - plain)
    digests = b"".join(sorted(bytes.fromhex(digest.removeprefix("sha256:")) for digest in plain))
    rest = msgspec.msgpack.encode((digests, zlib.compress(msgspec.msgpack.encode(others))))
    return STAMP + hashlib.sha256(rest).digest() + rest


def unpacked(body: bytes, listed: Iterable[str]) -> dict[str, Manifest]:
    """The manifests that a part's bytes tell of, by digest; nothing when they are damaged or of another
    version.

    A digest that is ``listed`` is that very string, to save memory.
    """
    checksum, rest = body[len(STAMP) : len(STAMP) + 32], body[len(STAMP) + 32 :]
    if not body.startswith(STAMP) or hashlib.sha256(rest).digest() != checksum:
        if body:
            log.info(
                "What some manifests say is remembered in another form, or damaged: it is read once more."
            )
        return {}
    digests, others = _REST.decode(rest)
    same = {digest: digest for digest in listed}
    told = ("sha256:" + digests[at : at + 32].hex() for at in range(0, len(digests), 32))
    manifests = {same.get(digest, digest): PLAIN for digest in told}
    for digest, manifest in _OTHERS.decode(zlib.decompress(others)):
        manifests[same.get(digest, digest)] = manifest
    return manifests


_REST = msgspec.msgpack.Decoder(tuple[bytes, bytes])
_OTHERS = msgspec.msgpack.Decoder(list[tuple[str, Manifest]])


def _key(full_name: str) -> str:
    return hashlib.sha256(full_name.encode()).hexdigest()[:32]


def _number(digest: str, bits: int) -> int:
    """The digest's first bits; what is no SHA-256 is in the first part."""
    return int(digest[7:15], 16) >> (32 - bits) if _SHA256.fullmatch(digest) else 0


def _bits(images: int, stored: Collection[Place]) -> int:
    """As many bits as are stored while the parts keep a middling size, so that they are not always divided
    anew.
    """
    for bits in sorted({place.bits for place in stored}, reverse=True):
        if images >> bits <= MOST and (bits == 0 or images >> bits >= LEAST):
            return bits
    return max(0, (2 * images // MOST).bit_length())
