"""The bytes that deletions free in one registry: a layer is billed once, as long as any image has it.

Yandex Cloud bills a layer that images of one registry share once (container-registry/pricing), so what a
deletion frees is every distinct layer of the images that go, less those of the images that stay.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from shared.retention.records import Image

COUNTED_AT_ONCE, NOTED_AT_ONCE = 60_000, 10_000


def layer_keys(images: Iterable[Image]) -> array[int]:
    """The layers of ``images``; one that many have in common comes a few times."""
    keys, some = array("Q"), set[int]()
    for image in images:
        some.update(memoryview(image.layers).cast("Q")[::2])
        if len(some) > NOTED_AT_ONCE:
            keys.extend(some)
            some.clear()
    keys.extend(some)
    return keys


class LayerCount:
    """Counts as images come by, in any order; holds 8 bytes for a layer of an image that stays, 16 for one
    that goes.
    """

    def __init__(self) -> None:
        self._stay: array[int] = array("Q")
        self._go: array[int] = array("Q")

    def stays(self, keys: Iterable[int]) -> None:
        """Counts the layers of images that stay."""
        self._stay.extend(keys)

    def goes(self, images: Iterable[Image]) -> None:
        sizes: dict[int, int] = {}
        for image in images:
            numbers = memoryview(image.layers).cast("Q")
            sizes.update(zip(numbers[::2], numbers[1::2], strict=True))
            if len(sizes) > NOTED_AT_ONCE:
                self._note(sizes)
        self._note(sizes)

    def _note(self, sizes: dict[int, int]) -> None:
        for pair in sizes.items():
            self._go.extend(pair)
        sizes.clear()

    def freed_bytes(self) -> int:
        """Counted in parts, so that a registry of a million layers needs no more memory than a small one."""
        parts = 1 + len(self._go) // 2 // COUNTED_AT_ONCE
        return sum(self._freed_in(part, parts) for part in range(parts))

    def _freed_in(self, part: int, parts: int) -> int:
        going = zip(self._go[::2], self._go[1::2], strict=True)
        sizes = {key: size for key, size in going if key % parts == part}
        for key in self._stay:
            sizes.pop(key, None)
        return sum(sizes.values())
