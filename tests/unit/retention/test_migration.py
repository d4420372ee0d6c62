"""What of a registry has not arrived in the other service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.retention.creation_times import hours
from shared.retention.migration import (
    Compared,
    Contents,
    Difference,
    compare,
    manifests_needed,
    missing,
    times,
    to_look_for,
)
from shared.retention.records import Image, Manifest
from tests.support.lettered_images import about, binding, digest, index, tag_of
from tests.support.lettered_images import image as plain


def image(name: str, *tags: str, created_at: str = "2026-01-01T00:00:00Z") -> Image:
    return Image(name, digest(name), tags, created_at, 1, b"", config=1)


def difference(what: str, **fields: str) -> Difference:
    return Difference(what=what, repository="app", **fields)  # type: ignore[arg-type]


def compared(
    source: list[Image],
    target: list[Image] | None,
    manifests: dict[str, Manifest] | None = None,
    also_there: set[str] | None = None,
    used_by: Callable[[Image], str | None] = lambda _: None,
) -> Compared:
    return compare("app", source, target, manifests or {}, also_there or set(), used_by)


SIGNATURE = tag_of("a", ".sig")
MULTI = [plain("multi", "latest"), image("amd"), image("arm")]
MANIFESTS = binding(multi=index("amd", "arm"))
CASES: dict[str, tuple[list[Image], list[Image] | None, dict[str, Manifest], list[Difference]]] = {
    "nothing is missing": ([image("a", "v1")], [image("a", "v1")], {}, []),
    "a tag": (
        [image("a", "v1", "v2")],
        [image("a", "v1")],
        {},
        [difference("tag", tag="v2", digest=digest("a"))],
    ),
    "an image with all of its tags": (
        [image("a", "v1", "v2"), image("b", "v3")],
        [image("b", "v3")],
        {},
        [difference("tag", tag="v1", digest=digest("a")), difference("tag", tag="v2", digest=digest("a"))],
    ),
    "another digest": (
        [image("a", "v1")],
        [image("b", "v1")],
        {},
        [difference("other-digest", tag="v1", digest=digest("a"), other_digest=digest("b"))],
    ),
    "an untagged image": ([image("a")], [], {}, [difference("digest", digest=digest("a"))]),
    "a part of an index": (
        MULTI,
        [MULTI[0], MULTI[1]],
        MANIFESTS,
        [difference("index-child", digest=digest("arm"), of=digest("multi"))],
    ),
    "a part of a nested index": (
        [plain("outer", "latest"), plain("multi"), image("amd"), image("arm")],
        [plain("outer", "latest"), plain("multi"), image("amd")],
        {**MANIFESTS, **binding(outer=index("multi"))},
        [difference("index-child", digest=digest("arm"), of=digest("multi"))],
    ),
    "a part that the source does not list": (
        MULTI[:2],
        MULTI[:2],
        MANIFESTS,
        [difference("index-child", digest=digest("arm"), of=digest("multi"))],
    ),
    "a tagged part of an index is missing as both": (
        [MULTI[0], image("amd", "v1-amd64")],
        [MULTI[0]],
        binding(multi=index("amd")),
        [
            difference("tag", tag="v1-amd64", digest=digest("amd")),
            difference("index-child", digest=digest("amd"), of=digest("multi")),
        ],
    ),
    "a signature with cosign's tag": (
        [image("a", "v1"), image("s", SIGNATURE)],
        [image("a", "v1")],
        {},
        [difference("signature", tag=SIGNATURE, digest=digest("s"), of=digest("a"))],
    ),
    "a signature with a subject": (
        [image("a", "v1"), image("s")],
        [image("a", "v1")],
        binding(s=about("a")),
        [difference("signature", digest=digest("s"), of=digest("a"))],
    ),
    "a signature that is another one": (
        [image("s", SIGNATURE)],
        [image("t", SIGNATURE)],
        {},
        [difference("other-digest", tag=SIGNATURE, digest=digest("s"), other_digest=digest("t"))],
    ),
    "a whole repository": (
        [image("a", "v1")],
        None,
        {},
        [difference("repository"), difference("tag", tag="v1", digest=digest("a"))],
    ),
    "an empty repository, which no listing shows": ([], None, {}, []),
}


@pytest.mark.parametrize(("source", "target", "manifests", "differences"), CASES.values(), ids=CASES)
def test_what_is_missing_is_found_once(
    source: list[Image],
    target: list[Image] | None,
    manifests: dict[str, Manifest],
    differences: list[Difference],
) -> None:
    found = compared(source, target, manifests).differences

    key = str
    assert sorted(found, key=key) == sorted(differences, key=key)


def test_what_is_there_though_it_is_not_listed_is_not_missing() -> None:
    source, target = [*MULTI, image("bare")], [MULTI[0]]
    wanted = to_look_for(source, target, MANIFESTS)

    assert wanted == {digest("amd"), digest("arm"), digest("bare")}
    assert compared(source, target, MANIFESTS, also_there=wanted).differences == []


def test_manifests_are_read_of_indexes_and_of_untagged_images_that_are_missing() -> None:
    source = [*MULTI, image("a", "v1"), image("bare"), image("gone")]

    assert manifests_needed(source, [MULTI[1], image("bare")]) == {
        digest("multi"),
        digest("arm"),
        digest("gone"),
    }


def test_what_runs_is_missing_when_anything_of_it_is() -> None:
    source = [*MULTI, image("a", "v1"), image("b", "v2"), image("c", "v3")]
    target = [MULTI[0], MULTI[1], image("b", "v2"), image("x", "v3")]
    runs = {"multi": "pod 1", "a": "pod 2", "b": "pod 3", "c": "pod 4"}

    found = compared(source, target, MANIFESTS, used_by=lambda one: runs.get(one.image_id))

    assert {row.what: row.used_by for row in found.differences} == {
        "index-child": "pod 1",
        "tag": "pod 2",
        "other-digest": "pod 4",
    }
    assert (found.used, found.used_arrived) == (4, 1)


def test_what_was_pushed_since_is_no_difference() -> None:
    found = compared([image("a", "v1")], [image("a", "v1", "v2"), image("b", "v3")])

    assert (found.differences, found.newer_tags) == ([], 2)


OLD = [
    image(f"i{number}", f"v{number}", created_at=f"2026-0{number % 9 + 1}-01T00:00:00Z")
    for number in range(30)
]
COPIED = [image(one.image_id, *one.tags, created_at="2026-11-20T10:00:00Z") for one in OLD]
OTHER = [
    image(one.image_id, *one.tags, created_at=f"2025-0{n % 9 + 1}-07T00:00:00Z") for n, one in enumerate(OLD)
]


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (OLD, ("kept", "")),
        (COPIED, ("lost", "2026-11-20")),
        (OTHER, ("changed", "")),
        ([], ("not known", "")),
        (OLD[:29] + COPIED[29:], ("kept", "")),
    ],
)
def test_creation_times_are_compared(target: list[Image], says: tuple[str, str]) -> None:
    created = hours(one.created_at for one in target)

    assert times([compared(OLD, target)], created) == says


@given(
    st.dictionaries(
        st.text("abcdefgh", min_size=1, max_size=2), st.sets(st.text("uvwxyz", min_size=1, max_size=2))
    ),
    st.data(),
)
def test_exactly_what_was_lost_is_found(tagged: dict[str, set[str]], data: st.DataObject) -> None:
    owners = {tag: name for name, tags in tagged.items() for tag in tags}
    source = [
        image(name, *sorted(tag for tag in tags if owners[tag] == name)) for name, tags in tagged.items()
    ]
    lost = data.draw(st.sets(st.sampled_from(sorted(owners)))) if owners else set()
    gone = {one.image_id for one in source if not one.tags and data.draw(st.booleans())}
    target = [
        image(one.image_id, *(tag for tag in one.tags if tag not in lost))
        for one in source
        if one.image_id not in gone and (not one.tags or set(one.tags) - lost)
    ]

    counted = missing(compared(source, target).differences)

    assert counted == Counter(tag=len(lost), digest=len(gone)) | dict.fromkeys(
        ("repository", "other-digest", "index-child", "signature"), 0
    )


def test_contents_add_up() -> None:
    counted = Contents(service="container-registry").with_images([image("a", "v1", "v2"), image("b")])

    assert (counted.repositories, counted.images, counted.tags, counted.size_bytes) == (1, 2, 2, 2)
