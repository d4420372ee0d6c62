"""The images of a seed: single ones, and series of them (the format is told in `seed.py`)."""

import re
from collections.abc import Iterator
from typing import Any

from tests.emulator.clock import moment, span_seconds
from tests.emulator.documents import checked, listed
from tests.emulator.images import Blob, Image, cloud_id, digest_of

DEFAULT_SIZE = 100 * 1024**2
DEFAULT_LAYERS = 4
CONFIG_SIZE = 4096

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KB|MB|GB)")
_UNIT_BYTES = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}


def images_of(document: dict[str, Any], where: str, repository_name: str, now: float) -> Iterator[Image]:
    """The images that one entry of a repository's `images` stands for."""
    if isinstance(document, dict) and "series" in document:
        yield from _series(document, where, repository_name, now)
    else:
        yield _single(document, where, repository_name, now)


def size_in_bytes(text: str | int) -> int:
    if isinstance(text, int):
        return text
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a size: {text!r} (expected bytes, or 20KB, 300MB, 2GB)")
    return int(float(match[1]) * _UNIT_BYTES[match[2]])


def _single(document: dict[str, Any], where: str, repository_name: str, now: float) -> Image:
    checked(document, where, optional="id tags age created_at size digest layers")
    name = f"{where} of {repository_name}"
    size = size_in_bytes(document.get("size", DEFAULT_SIZE))
    layers = document.get("layers", DEFAULT_LAYERS)
    if isinstance(layers, int):
        blobs = _blobs([f"layer {place} of {name}" for place in range(layers)], size)
    else:
        blobs = tuple(_blob(blob, blob_where) for blob_where, blob in listed(layers, f"{where}.layers"))
        size = sum(blob.size for blob in blobs)
    if "created_at" in document:
        created_at = moment(document["created_at"])
    else:
        created_at = now // 1 - span_seconds(document.get("age", "1d"))
    return Image(
        id=document.get("id") or cloud_id("crp", f"image {name}"),
        name=repository_name,
        digest=document.get("digest") or digest_of(f"image {name}"),
        compressed_size=size,
        config=Blob(digest_of(f"config of {name}"), CONFIG_SIZE),
        layers=blobs,
        tags=tuple(document.get("tags") or ()),
        created_at=created_at,
        modified_at=created_at,
    )


def _blob(document: dict[str, Any], where: str) -> Blob:
    checked(document, where, optional="size", required="digest")
    return Blob(document["digest"], size_in_bytes(document.get("size", 1024**2)))


def _series(document: dict[str, Any], where: str, repository_name: str, now: float) -> Iterator[Image]:
    checked(document, where, optional="tags newest step layers shared_layers size", required="series")
    series = f"{where} of {repository_name}"
    size = size_in_bytes(document.get("size", DEFAULT_SIZE))
    layer_count = document.get("layers", DEFAULT_LAYERS)
    layer_sizes = _shares(size, layer_count)
    shared_count = min(document.get("shared_layers", 0), layer_count)
    shared = tuple(
        Blob(digest_of(f"shared layer {place} of {series}"), layer_sizes[place])
        for place in range(shared_count)
    )
    newest, step = span_seconds(document.get("newest", "1h")), span_seconds(document.get("step", "1h"))
    for number in range(1, document["series"] + 1):
        name = f"{number} of {series}"
        own = (
            Blob(digest_of(f"layer {place} of {name}"), layer_sizes[place])
            for place in range(shared_count, layer_count)
        )
        created_at = now // 1 - newest - step * (number - 1)
        yield Image(
            id=cloud_id("crp", f"image {name}"),
            name=repository_name,
            digest=digest_of(f"image {name}"),
            compressed_size=size,
            config=Blob(digest_of(f"config of {name}"), CONFIG_SIZE),
            layers=(*shared, *own),
            tags=tuple(tag.replace("{n}", str(number)) for tag in document.get("tags") or ()),
            created_at=created_at,
            modified_at=created_at,
        )


def _blobs(names: list[str], size: int) -> tuple[Blob, ...]:
    return tuple(
        Blob(digest_of(name), share) for name, share in zip(names, _shares(size, len(names)), strict=True)
    )


def _shares(size: int, count: int) -> list[int]:
    """`size` in `count` parts; the last takes what is left over."""
    if count == 0:
        return []
    return [size // count] * (count - 1) + [size - size // count * (count - 1)]
