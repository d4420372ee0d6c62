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
    artifacts: list[Artifact] | None = None
    next_page_token: str = ""


def images_of(repository: Repository, nodes: Iterable[Artifact]) -> Iterator[Image]:
    """The images that the nodes of one repository make up, each with all its tags."""
    by_digest: dict[str, list[Artifact]] = {}
    sizes: dict[str, int] = {}
    for artifact in nodes:
        if _is_image(artifact):
            by_digest.setdefault(artifact.digest or artifact.id, []).append(artifact)
            sizes[artifact.digest] = _size(artifact.docker)
    for artifacts in by_digest.values():
        yield _image(repository, artifacts, sizes)


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


def _image(repository: Repository, artifacts: list[Artifact], sizes: dict[str, int]) -> Image:
    first = artifacts[0]
    docker = first.docker
    manifest = docker.image_manifest or _ImageManifest()
    children = tuple(
        child.manifest_descriptor.digest.lower()
        for child in (docker.manifest_list.manifests if docker.manifest_list else None) or ()
        if child.manifest_descriptor and child.manifest_descriptor.digest
    )
    size = sum(sizes.get(digest, 0) for digest in set(children)) if children else sizes[first.digest]
    keys_and_sizes = [
        number for blob in manifest.layers or () for number in (blob_key(blob.digest), max(blob.size, 0))
    ]
    return Image(
        f"{repository.full_name}@{first.digest}" if first.digest else first.id,
        first.digest,
        tuple(sorted(artifact.tag for artifact in artifacts if artifact.tag)),
        max((_written_at(artifact) for artifact in artifacts), key=order),
        size,
        array("Q", keys_and_sizes).tobytes(),
        blob_key(manifest.config.digest) if manifest.config and manifest.config.digest else 0,
        tuple(artifact.id for artifact in artifacts),
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
