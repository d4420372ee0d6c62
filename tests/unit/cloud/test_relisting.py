"""What a second look at a repository says of the images that the first one lacked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cloud.relisting import Look, check_understood, look, missing, retagged, settled, sightings
from shared.errors import CallError, Doubtful
from shared.retention.records import Image, Repository, Sighting
from tests.support.json_server import Clock, JsonServer, json_server

REPOSITORY = Repository("repository-id", "crp1", "crp1/app")
LIST, OF_B = "GET /container-registry/v1/images", "GET /container-registry/v1/images/b"
TAGS = st.lists(st.sampled_from("xyz"), unique=True).map(tuple)


def image(name: str, *tags: str, digest: str = "sha256:1") -> Image:
    return Image(name, digest, tags, "", 1, b"")


def listing(*names: str) -> dict[str, object]:
    return {"images": [{"id": name, "digest": "sha256:1"} for name in names]}


def expected(*names: str) -> dict[str, Sighting]:
    return {name: Sighting(name) for name in names}


@pytest.fixture
def registry() -> Iterator[JsonServer]:
    with json_server() as server:
        yield server


def test_images_are_known_by_their_ids() -> None:
    one, other = image("a", "x", "y"), image("b")
    assert sightings([one, other]) == {"a": one, "b": other}


RETAGGED = {
    "none": (("x", "y"), ("x", "y"), False),
    "in another order": (("x", "y"), ("y", "x"), False),
    "one of two": (("x", "y"), ("x",), True),
    "all": (("x",), (), True),
    "one for another": (("x",), ("y",), True),
    "more than before": (("x",), ("x", "y"), True),
    "had none": ((), ("x",), True),
}


@pytest.mark.parametrize(("before", "now", "changed"), RETAGGED.values(), ids=RETAGGED)
def test_an_image_has_other_tags(before: tuple[str, ...], now: tuple[str, ...], changed: bool) -> None:
    assert retagged({"a": Sighting("a", before)}, [image("a", *now)]) == ({"a"} if changed else set())


@given(st.dictionaries(st.sampled_from("abc"), TAGS))
def test_images_that_stay_as_they_are_have_no_other_tags(tags: dict[str, tuple[str, ...]]) -> None:
    images = [image(name, *own) for name, own in tags.items()]
    assert retagged(sightings(images), images) == set()
    assert retagged({}, images) == set()


@given(st.sets(st.sampled_from("abcd")), st.sets(st.sampled_from("abcd")))
def test_missing_is_what_was_expected_and_is_not_listed(there: set[str], expected: set[str]) -> None:
    assert missing([image(name) for name in there], expected) == {
        name for name in expected if name not in there
    }


def test_images_with_an_id_and_a_digest_are_understood() -> None:
    check_understood(REPOSITORY, [image("a"), image("b")])


@pytest.mark.parametrize(
    ("unclear", "words"),
    [
        (image("b", digest=""), "without a digest (b)"),
        (image("", digest="sha256:2"), "without an id (sha256:2)"),
        (image("", digest=""), "without an id (neither)"),
    ],
)
def test_an_image_that_is_not_understood_is_a_doubt(unclear: Image, words: str) -> None:
    with pytest.raises(Doubtful, match="crp1/app") as caught:
        check_understood(REPOSITORY, [image("a"), unclear])
    assert words in str(caught.value)


def test_a_look_is_as_of_its_end_when_it_was_quick(registry: JsonServer) -> None:
    registry.answer(LIST, listing("a", "b"))
    clock = Clock(now=50)
    seen = look(registry.cloud(clock), REPOSITORY)
    assert (missing(seen.images, {"a", "b"}), seen.at) == (set(), 50)
    assert "repositoryName=crp1%2Fapp" in registry.requests[0].query


def test_a_look_at_an_image_without_a_digest_is_a_doubt(registry: JsonServer) -> None:
    registry.answer(LIST, {"images": [{"id": "a"}]})
    with pytest.raises(Doubtful):
        look(registry.cloud(), REPOSITORY)


def test_a_look_that_lacks_nothing_is_not_taken_again(registry: JsonServer) -> None:
    seen = Look([image("a"), image("b")], 1)
    assert settled(registry.cloud(), REPOSITORY, seen, expected("a")) is seen
    assert registry.calls() == []


def test_an_image_that_the_second_listing_has_is_there(registry: JsonServer) -> None:
    registry.answer(LIST, listing("a", "b"))
    seen = settled(registry.cloud(), REPOSITORY, Look([image("a")], 1), expected("a", "b"))
    assert missing(seen.images, {"a", "b"}) == set()
    assert registry.calls() == [LIST]


def test_an_image_that_both_listings_lack_and_that_is_not_found_is_gone(registry: JsonServer) -> None:
    registry.answer(LIST, listing("a"))
    seen = settled(registry.cloud(), REPOSITORY, Look([image("a")], 1), expected("a", "b"))
    assert missing(seen.images, {"a", "b"}) == {"b"}
    assert registry.calls() == [LIST, OF_B]


def test_an_image_that_both_listings_lack_and_that_answers_is_a_doubt(registry: JsonServer) -> None:
    registry.answer(LIST, listing("a"))
    registry.answer(OF_B, {"id": "b", "name": "crp1/app"})
    with pytest.raises(Doubtful, match="lacks 1 image that is there, such as b"):
        settled(registry.cloud(), REPOSITORY, Look([image("a")], 1), expected("a", "b"))


def test_an_image_that_may_not_be_read_is_not_taken_for_gone(registry: JsonServer) -> None:
    registry.answer(LIST, listing("a"))
    registry.answer(OF_B, {"code": 7, "message": "no"}, 403)
    with pytest.raises(CallError):
        settled(registry.cloud(), REPOSITORY, Look([image("a")], 1), expected("a", "b"))
