"""A repository's candidates: a dict while they are worked on, compressed otherwise, for a run may have
hundreds of thousands. So are the images as they were listed first, until they are listed again.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec

from shared.retention.records import Candidate, Image, Sighting

AT_ONCE = 500


class PackedCandidates:
    """Packs and unpacks piece by piece, so that there is never room for all of them twice."""

    def __init__(self) -> None:
        self._packed: list[bytes] = []

    def pack(self, candidates: dict[str, Candidate]) -> None:
        """Packs the candidates, and empties the dict on the way."""
        self._packed = []
        while candidates:
            some = [candidates.popitem()[1] for _ in range(min(AT_ONCE, len(candidates)))]
            self._packed.append(_packed(some))

    def unpack(self, listed: Mapping[str, Image]) -> dict[str, Candidate]:
        """The candidates by their images' ids, with the images of ``listed`` that are equal; they are packed
        no more.
        """
        candidates: dict[str, Candidate] = {}
        shared: dict[tuple[str, ...], tuple[str, ...]] = {}
        while self._packed:
            for image, reasons in _unpacked(self._packed.pop()):
                same = listed.get(image.image_id)
                one = same if same is not None and same == image else image
                candidates[one.image_id] = Candidate(one, shared.setdefault(reasons, reasons))
        return candidates

    def __iter__(self) -> Iterator[Candidate]:
        """Every packed candidate, one at a time."""
        for some in reversed(self._packed):
            for image, reasons in _unpacked(some):
                yield Candidate(image, reasons)


class PackedSightings:
    def __init__(self) -> None:
        self._packed: list[bytes] = []

    def pack(self, images: Iterable[Image]) -> None:
        sightings = (image.sighting() for image in images)
        self._packed = [_packed(some) for some in iter(lambda: list(islice(sightings, AT_ONCE)), [])]

    def unpack(self, listed: Iterable[Image]) -> list[Image | Sighting]:
        """The sightings, and in the place of those that are equal the images that are ``listed``; they are
        packed no more.
        """
        images = {image.image_id: image for image in listed}
        seen: list[Image | Sighting] = []
        while self._packed:
            for sighting in _SIGHTINGS.decode(zlib.decompress(self._packed.pop())):
                image = images.get(sighting.image_id)
                seen.append(image if image is not None and image.sighting() == sighting else sighting)
        return seen


def _packed(some: list[Any]) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(some), level=1)


_SIGHTINGS = msgspec.msgpack.Decoder(list[Sighting])
_CANDIDATES = msgspec.msgpack.Decoder(list[tuple[Image, tuple[str, ...]]])


def _unpacked(some: bytes) -> Iterator[tuple[Image, tuple[str, ...]]]:
    return reversed(_CANDIDATES.decode(zlib.decompress(some)))
