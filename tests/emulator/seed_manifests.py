"""Seed images that are more than a config and layers: indexes, artifacts, signatures, manifests given as they
are.

Their keys (told in `seed.py`) refer to other images of the repository by id or by digest. A digest may be one
that no image has, as when a signature outlives its image; an id may not.
"""

import graphlib
import json
from typing import Any

from tests.emulator.documents import DocumentError, listed
from tests.emulator.images import Blob, Image, Shelf
from tests.emulator.manifests import (
    OCI_INDEX,
    OCI_MANIFEST,
    PLATFORMS,
    Descriptor,
    attached,
    compact,
    index_manifest,
    plain_manifest,
)

UNKNOWN_MANIFEST_SIZE = 1024

_TAG_ENDINGS = {"referrers_tag_of": "", "signature_of": ".sig", "attestation_of": ".att", "sbom_of": ".sbom"}

KEYS = " ".join(["index platforms subject manifest media_type", *_TAG_ENDINGS])


def in_order_of_reference(documents: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """The images of a repository in an order in which each comes after those it refers to."""
    places = {
        document["id"]: place
        for place, (_, document) in enumerate(documents)
        if isinstance(document, dict) and document.get("id")
    }
    graph = {
        place: [places[reference] for reference in _references(document) if reference in places]
        for place, (_, document) in enumerate(documents)
    }
    if not any(graph.values()):
        return documents
    try:
        return [documents[place] for place in graphlib.TopologicalSorter(graph).static_order()]
    except graphlib.CycleError as error:
        circle = ", ".join(documents[place][0] for place in error.args[1])
        raise DocumentError(f"these images refer to each other: {circle}") from None


def _references(document: Any) -> list[str]:
    if not isinstance(document, dict):
        return []
    single = [document[key] for key in ("subject", *_TAG_ENDINGS) if document.get(key)]
    return [*(document.get("index") or ()), *single]


def is_index(document: dict[str, Any]) -> bool:
    given = document.get("manifest")
    return "index" in document or (isinstance(given, dict) and "manifests" in given)


def media_type_of(document: dict[str, Any]) -> str:
    given = document.get("manifest")
    within = given.get("mediaType") if isinstance(given, dict) else None
    fallback = OCI_INDEX if is_index(document) else OCI_MANIFEST
    return str(document.get("media_type") or within or fallback)


def own_manifest(
    document: dict[str, Any],
    where: str,
    repository: Shelf,
    config: Blob | None,
    layers: tuple[Blob, ...],
) -> str | None:
    """The manifest's text, unless it is the one that follows from config and layers."""
    given = document.get("manifest")
    if given is not None:
        return given if isinstance(given, str) else compact(given)
    media_type = media_type_of(document)
    if "index" in document:
        manifest = index_manifest(media_type, _children(document, where, repository))
    elif "subject" in document and config is not None:
        manifest = json.loads(plain_manifest(media_type, config, layers))
    else:
        return None
    if "subject" in document:
        manifest = attached(manifest, _descriptor(document["subject"], f"{where}.subject", repository))
    return compact(manifest)


def attachment_tags(document: dict[str, Any], where: str, repository: Shelf) -> list[str]:
    """The tags by which something is found that belongs to another image: `sha256-<hex>` and an ending."""
    return [
        _descriptor(document[key], f"{where}.{key}", repository).digest.replace(":", "-") + ending
        for key, ending in _TAG_ENDINGS.items()
        if key in document
    ]


def _children(document: dict[str, Any], where: str, repository: Shelf) -> list[tuple[Descriptor, str]]:
    references = list(listed(document["index"], f"{where}.index"))
    platforms = document.get("platforms") or [
        PLATFORMS[place % len(PLATFORMS)] for place in range(len(references))
    ]
    if len(platforms) != len(references):
        raise DocumentError(f"{where}.platforms: expected as many as the index has images")
    return [
        (_descriptor(reference, reference_where, repository), platform)
        for (reference_where, reference), platform in zip(references, platforms, strict=True)
    ]


def _descriptor(reference: str, where: str, repository: Shelf) -> Descriptor:
    image = _referred(reference, repository)
    if image is not None:
        return image.descriptor()
    if reference.startswith("sha256:"):
        return Descriptor(OCI_MANIFEST, reference, UNKNOWN_MANIFEST_SIZE)
    raise DocumentError(f"{where}: no image {reference} in {repository.name}")


def _referred(reference: str, repository: Shelf) -> Image | None:
    by_digest = repository.owner_of_digest.get(reference, "")
    return repository.images.get(reference) or repository.images.get(by_digest)
