"""What is not whole: indexes that have lost images, and referrers without their image."""

from __future__ import annotations

import pytest

from shared.retention.damage import Damage, damage
from shared.retention.records import Image, Manifest
from tests.support.lettered_images import (
    HELD,
    PLATFORMS,
    SIGNED,
    SIGNING,
    about,
    binding,
    digest,
    image,
    index,
    tag_of,
)

DAMAGE: dict[str, tuple[list[Image], dict[str, Manifest], set[str], list[tuple[str, str, set[str]]]]] = {
    "a whole index": (PLATFORMS, HELD, set(), []),
    "an index that has lost a child": (PLATFORMS[:2], HELD, set(), [("partial-index", "index", {"arm"})]),
    "an index that has lost all": (
        PLATFORMS[:1],
        HELD,
        set(),
        [("broken-index", "index", {"amd", "arm"})],
    ),
    "children that are there but not listed": (PLATFORMS[:1], HELD, {"amd", "arm"}, []),
    "a child that is there but not listed": (
        PLATFORMS[:1],
        HELD,
        {"amd"},
        [("partial-index", "index", {"arm"})],
    ),
    "an index of nothing": ([image("a", "v1")], binding(a=index()), set(), []),
    "a signature with its image": (SIGNED, SIGNING, set(), []),
    "a signature without its image": (
        [image("sig", tag_of("app", ".sig"))],
        {},
        set(),
        [("orphaned-referrer", "sig", {"app"})],
    ),
    "an artifact without its subject": (
        [image("a")],
        binding(a=about("app")),
        set(),
        [("orphaned-referrer", "a", {"app"})],
    ),
    "an artifact whose subject is not listed": ([image("a")], binding(a=about("app")), {"app"}, []),
}


@pytest.mark.parametrize(("images", "manifests", "unlisted", "expected"), DAMAGE.values(), ids=DAMAGE)
def test_what_is_not_whole(
    images: list[Image],
    manifests: dict[str, Manifest],
    unlisted: set[str],
    expected: list[tuple[str, str, set[str]]],
) -> None:
    there = {digest(name) for name in unlisted}
    found: list[Damage] = damage(images, manifests, there.__contains__)
    assert [(one.code, one.image.image_id, set(one.missing)) for one in found] == [
        (code, name, {digest(lost) for lost in missing}) for code, name, missing in expected
    ]
