"""The nodes of a Cloud Registry: folders and artifacts, and the images that artifacts make up.

Facts from yandex/cloud/cloudregistry/v1/artifact.proto and docker_content.proto: an artifact's path is
``/<repository>/<tag>``; ``content.docker`` has the manifest's digest, and either the configuration and the
layers of an image or the manifests that an index names. An image's id, which this API does not know, is
``<registry id>/<repository>@<digest>``. How an image without a tag is named is not documented: a name that
cannot be a tag counts as none.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from shared.retention.records import Image, Repository, blob_key

TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)


class _Blob(msgspec.Struct, gc=False):
    digest: str = ""
    size: int = 0


class _ImageManifest(msgspec.Struct, gc=False):
    config: _Blob | None = None
    layers: list[_Blob] | None = None


class _Child(msgspec.Struct, rename="camel", gc=False):
    manifest_descriptor: _Blob | None = None


class _ManifestList(msgspec.Struct, gc=False):
    manifests: list[_Child] | None = None


class _Docker(msgspec.Struct, rename="camel", gc=False):
    manifest_digest: str = ""
    image_manifest: _ImageManifest | None = None
    manifest_list: _ManifestList | None = None


class _Content(msgspec.Struct, gc=False):
    docker: _Docker | None = None


class Node(msgspec.Struct, rename="camel", gc=False):
    """What every node says of itself."""

    id: str
    path: str = ""
    kind: str = ""
    status: str = ""
    created_at: str = ""


class Artifact(Node, rename="camel", gc=False):
    modified_at: str = ""
    content: _Content | None = None

    @property
    def docker(self) -> _Docker:
        return (self.content and self.content.docker) or _Docker()

    @property
    def digest(self) -> str:
        return self.docker.manifest_digest.lower()

    @property
    def tag(self) -> str:
        name = self.path.rpartition("/")[2]
        return name if TAG.fullmatch(name) else ""


class Nodes(msgspec.Struct, rename="camel"):
    artifacts: list[Node] | None = None
    next_page_token: str = ""


class Artifacts(msgspec.Struct, rename="camel"):
    items: list[msgspec.Raw] | None = msgspec.field(default=None, name="artifacts")
    next_page_token: str = ""


def together(images: Iterable[Image]) -> Iterator[Image]:
    """Those images of one artifact each that have the same digest, as one; an index has the size of those
    that it names.
    """
    by_id: dict[str, list[Image]] = {}
    sizes: dict[str, int] = {}
    for image in images:
        by_id.setdefault(image.image_id, []).append(image)
        sizes[image.digest] = image.size_bytes
    for same in by_id.values():
        yield same[0] if len(same) == 1 and not same[0].children else _together(same, sizes)


def _together(images: list[Image], sizes: dict[str, int]) -> Image:
    first = images[0]
    children = set(first.children)
    return msgspec.structs.replace(
        first,
        tags=tuple(sorted(tag for image in images for tag in image.tags)),
        created_at=max((image.created_at for image in images), key=order),
        size_bytes=sum(sizes.get(child, 0) for child in children) if children else sizes[first.digest],
        parts=tuple(part for image in images for part in image.parts),
    )


def _is_image(artifact: Artifact) -> bool:
    """Whether the node is an image; one that is still being pushed and has no digest yet is none."""
    if artifact.kind != "ARTIFACT" or artifact.status == "DELETED":
        return False
    return artifact.status != "CREATING" or bool(artifact.digest)


def _size(docker: _Docker) -> int:
    """The bytes of an image: its configuration, and each of its layers once."""
    manifest = docker.image_manifest or _ImageManifest()
    blobs = {blob.digest: max(blob.size, 0) for blob in manifest.layers or ()}
    if manifest.config:
        blobs[manifest.config.digest] = max(manifest.config.size, 0)
    return sum(blobs.values())


def image_of(repository: Repository, artifact: Artifact) -> Image | None:
    """The image that an artifact is of, with its tag alone; None for what is no image."""
    if not _is_image(artifact):
        return None
    docker, digest, tag = artifact.docker, artifact.digest, artifact.tag
    manifest = docker.image_manifest or _ImageManifest()
    children = tuple(
        child.manifest_descriptor.digest.lower()
        for child in (docker.manifest_list.manifests if docker.manifest_list else None) or ()
        if child.manifest_descriptor and child.manifest_descriptor.digest
    )
    keys_and_sizes = [
        number for blob in manifest.layers or () for number in (blob_key(blob.digest), max(blob.size, 0))
    ]
    return Image(
        f"{repository.full_name}@{digest}" if digest else artifact.id,
        digest,
        (tag,) if tag else (),
        _written_at(artifact),
        _size(docker),
        array("Q", keys_and_sizes).tobytes(),
        blob_key(manifest.config.digest) if manifest.config and manifest.config.digest else 0,
        (artifact.id,),
        children,
    )


def _written_at(artifact: Artifact) -> str:
    """When the artifact got its image: whether a tag that moves keeps its ``createdAt`` is not documented."""
    if not artifact.modified_at or artifact.modified_at == artifact.created_at:
        return artifact.created_at
    return max(artifact.created_at, artifact.modified_at, key=order)


def order(text: str) -> float:
    """An RFC 3339 text for comparing: what cannot be read comes last, so that it shows."""
    try:
        return datetime.fromisoformat(text).timestamp() if text else -math.inf
    except ValueError:
        return math.inf
