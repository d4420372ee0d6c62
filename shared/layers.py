"""The bytes that deletions free in one registry: a layer is billed once, as long as any image has it.

Yandex Cloud bills a layer that images of one registry share once (container-registry/pricing), so what a deletion
frees is every distinct layer of the images that go, less those of the images that stay.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from itertools import islice

from shared.records import Image


def layer_keys(images: Iterable[Image]) -> set[int]:
    return {key for image in images for key in islice(image.layers, 0, None, 2)}


class LayerCount:
    """Counts as images come by, in any order; holds 8 bytes for each layer of an image that stays."""

    def __init__(self) -> None:
        self._stay: array[int] = array("Q")
        self._go: dict[int, int] = {}

    def stays(self, keys: Iterable[int]) -> None:
        """Counts the layers of images that stay."""
        self._stay.extend(keys)

    def goes(self, images: Iterable[Image]) -> None:
        for image in images:
            self._go.update(
                zip(islice(image.layers, 0, None, 2), islice(image.layers, 1, None, 2), strict=True)
            )

    def freed_bytes(self) -> int:
        for key in self._stay:
            self._go.pop(key, None)
        return sum(self._go.values())
