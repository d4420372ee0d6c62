"""The images of a seed: single ones, and series of them (the format is told in `seed.py`)."""

import re
from collections.abc import Iterator
from typing import Any

from tests.emulator.clock import moment, span_seconds
from tests.emulator.documents import DocumentError, checked, listed
from tests.emulator.images import Blob, Image, Shelf, cloud_id
from tests.emulator.manifests import OCI_MANIFEST, digest_of, plain_manifest
from tests.emulator.seed_manifests import KEYS, attachment_tags, is_index, media_type_of, own_manifest
from tests.emulator.state import State

DEFAULT_SIZE = 100 * 1024**2
DEFAULT_LAYERS = 4
CONFIG_SIZE = 4096

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KB|MB|GB)")
_UNIT_BYTES = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}


def images_of(state: State, document: dict[str, Any], where: str, repository: Shelf) -> Iterator[Image]:
    """The images that one entry of a repository's `images` stands for."""
    if state.registry_upstream and not (isinstance(document, dict) and document.get("digest")):
        raise DocumentError(f"{where}: with a registry_upstream an image needs its digest there")
    now = state.clock.now()
    if isinstance(document, dict) and "series" in document:
        yield from _series(document, where, repository.name, now)
    else:
        yield _single(document, where, repository, now)


def size_in_bytes(text: str | int) -> int:
    if isinstance(text, int):
        return text
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a size: {text!r} (expected bytes, or 20KB, 300MB, 2GB)")
    return int(float(match[1]) * _UNIT_BYTES[match[2]])


def _single(document: dict[str, Any], where: str, repository: Shelf, now: float) -> Image:
    checked(document, where, optional=f"id tags age created_at size digest layers {KEYS}")
    name = f"{where} of {repository.name}"
    config, layers, size = _contents(document, where, name)
    media_type = media_type_of(document)
    manifest = own_manifest(document, where, repository, config, layers)
    if "created_at" in document:
        created_at = moment(document["created_at"])
    else:
        created_at = now // 1 - span_seconds(document.get("age", "1d"))
    if manifest is None and config is not None:
        digest = document.get("digest") or digest_of(plain_manifest(media_type, config, layers))
    else:
        digest = document.get("digest") or digest_of(manifest or "")
    return Image(
        id=document.get("id") or cloud_id("crp", f"image {name}"),
        name=repository.name,
        digest=digest,
        compressed_size=size,
        config=config,
        layers=layers,
        tags=(*(document.get("tags") or ()), *attachment_tags(document, where, repository)),
        created_at=created_at,
        modified_at=created_at,
        media_type=media_type,
        own_manifest=manifest,
    )


def _contents(document: dict[str, Any], where: str, name: str) -> tuple[Blob | None, tuple[Blob, ...], int]:
    """Config, layers and size."""
    if is_index(document):
        return None, (), size_in_bytes(document.get("size", 0))
    config = Blob(digest_of(f"config of {name}"), CONFIG_SIZE)
    size = size_in_bytes(document.get("size", DEFAULT_SIZE))
    layers = document.get("layers", DEFAULT_LAYERS)
    if isinstance(layers, int):
        return config, _blobs([f"layer {place} of {name}" for place in range(layers)], size), size
    blobs = tuple(_blob(blob, blob_where) for blob_where, blob in listed(layers, f"{where}.layers"))
    return config, blobs, sum(blob.size for blob in blobs)


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
        config = Blob(digest_of(f"config of {name}"), CONFIG_SIZE)
        own = (
            Blob(digest_of(f"layer {place} of {name}"), layer_sizes[place])
            for place in range(shared_count, layer_count)
        )
        layers = (*shared, *own)
        created_at = now // 1 - newest - step * (number - 1)
        yield Image(
            id=cloud_id("crp", f"image {name}"),
            name=repository_name,
            digest=digest_of(plain_manifest(OCI_MANIFEST, config, layers)),
            compressed_size=size,
            config=config,
            layers=layers,
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
