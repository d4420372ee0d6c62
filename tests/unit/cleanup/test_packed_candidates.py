"""What is packed is unpacked as it was, and shares memory with what is listed by then."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cleanup.packed_candidates import AT_ONCE, PackedCandidates, PackedSightings
from shared.retention.records import Candidate, Image, Sighting

TEXTS = st.lists(st.sampled_from("xyz"), unique=True).map(tuple)
IMAGES = st.dictionaries(st.integers(0, 9).map(str), st.tuples(TEXTS, TEXTS), max_size=2 * AT_ONCE).map(
    lambda known: [image(name, tags, parts) for name, (tags, parts) in known.items()]
)


def image(name: str, tags: tuple[str, ...] = ("x",), parts: tuple[str, ...] = ()) -> Image:
    return Image(name, f"sha256:{name}", tags, "2026-01-01T00:00:00Z", 1, b"", 0, parts)


def sightings(images: list[Image], listed: list[Image] | None = None) -> dict[str, Any]:
    packed = PackedSightings()
    packed.pack(images)
    return {seen.image_id: seen for seen in packed.unpack(listed or [])}


@given(IMAGES)
def test_sightings_are_unpacked_as_they_were(images: list[Image]) -> None:
    assert sightings(images) == {one.image_id: one.sighting() for one in images}


@pytest.mark.parametrize("count", [0, 1, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE])
def test_no_sighting_is_lost_however_many_there_are(count: int) -> None:
    images = [image(str(number)) for number in range(count)]
    assert sightings(images).keys() == {one.image_id for one in images}


def test_sightings_are_unpacked_once() -> None:
    packed = PackedSightings()
    packed.pack([image("a")])
    packed.unpack([])
    assert packed.unpack([]) == []


def test_an_image_that_is_listed_as_it_was_stands_for_its_sighting() -> None:
    listed = image("a")
    assert sightings([image("a")], [listed])["a"] is listed


@pytest.mark.parametrize("change", [{"tags": ()}, {"tags": ("x", "y")}, {"parts": ("p",)}], ids=str)
def test_an_image_that_has_changed_is_as_it_was_seen(change: dict[str, Any]) -> None:
    listed = msgspec.structs.replace(image("a"), **change)
    assert sightings([image("a")], [listed]) == {"a": Sighting("a", ("x",))}


@given(IMAGES)
def test_candidates_are_unpacked_as_they_were_and_share_what_is_listed(images: list[Image]) -> None:
    candidates = {one.image_id: Candidate(one, ("old",)) for one in images}
    packed = PackedCandidates()
    packed.pack(dict(candidates))
    listed = {one.image_id: one for one in images[::2]}

    assert {one.image.image_id: one for one in packed} == candidates
    unpacked = packed.unpack(listed)
    assert unpacked == candidates
    assert all(unpacked[name].image is one for name, one in listed.items())
