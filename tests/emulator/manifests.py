"""The manifests of images, as the Docker Registry HTTP API V2 serves them.

An image's digest is the SHA-256 of its manifest's bytes, so a manifest's text is always the same. That of a
plain image follows from its config and layers and is written anew whenever it is asked for; an index or an
artifact keeps its own. Formats: the OCI image specification, and Docker's image manifest version 2, schema 2.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.emulator.images import Blob

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"

ARTIFACT_TYPE = "application/vnd.example.attachment.v1+json"
PLATFORMS = ("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/ppc64le", "linux/s390x")

_OCI_BLOBS = ("application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar+gzip")
_BLOBS_OF = {
    DOCKER_MANIFEST: (
        "application/vnd.docker.container.image.v1+json",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    )
}


@dataclass(frozen=True)
class Descriptor:
    """What one manifest says of another."""

    media_type: str
    digest: str
    size: int

    def document(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


def digest_of(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def plain_manifest(media_type: str, config: "Blob", layers: "Iterable[Blob]") -> str:
    config_type, layer_type = _BLOBS_OF.get(media_type, _OCI_BLOBS)
    described = ",".join(
        [f'{{"mediaType":"{layer_type}","digest":"{blob.digest}","size":{blob.size}}}' for blob in layers]
    )
    return (
        f'{{"schemaVersion":2,"mediaType":"{media_type}",'
        f'"config":{{"mediaType":"{config_type}","digest":"{config.digest}","size":{config.size}}},'
        f'"layers":[{described}]}}'
    )


def index_manifest(media_type: str, children: Iterable[tuple[Descriptor, str]]) -> dict[str, Any]:
    """An index of manifests, each with its platform (`os/architecture` or `os/architecture/variant`)."""
    manifests = [child.document() | {"platform": _platform(platform)} for child, platform in children]
    return {"schemaVersion": 2, "mediaType": media_type, "manifests": manifests}


def attached(manifest: dict[str, Any], subject: Descriptor) -> dict[str, Any]:
    """The manifest as one that says something of its subject."""
    return manifest | {"artifactType": ARTIFACT_TYPE, "subject": subject.document()}


def compact(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _platform(text: str) -> dict[str, str]:
    return dict(zip(("os", "architecture", "variant"), text.split("/"), strict=False))
