"""The nodes of a Cloud Registry: folders, and artifacts, each of which is one name of one image.

An artifact's path is `/<repository>/<tag>`, or `/<repository>/<digest>` for an image without a tag. Records
are frozen, and carry their own JSON text, as images do (`images.py`).
"""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from google.protobuf import json_format
from yandex.cloud.cloudregistry.v1.artifact_pb2 import Artifact as ArtifactMessage

from tests.emulator.clock import rfc3339
from tests.emulator.images import Image, cloud_id

PUSHED_BY = "ajepusher00000000000"
LONGEST_ID = 50

FOLDER, PACKAGE, ARTIFACT = (
    ArtifactMessage.Kind.FOLDER,
    ArtifactMessage.Kind.PACKAGE,
    ArtifactMessage.Kind.ARTIFACT,
)
ACTIVE, DELETED = ArtifactMessage.Status.ACTIVE, ArtifactMessage.Status.DELETED

_KINDS = {number: name for name, number in ArtifactMessage.Kind.items()}
_STATUSES = {number: name for name, number in ArtifactMessage.Status.items()}


def artifact_id(image: Image, name: str) -> str:
    """`<image id>.<tag>`, the image's own id for its digest; a longer one than the API takes is made up."""
    wanted = image.id if ":" in name else f"{image.id}.{name}"
    return wanted if len(wanted) <= LONGEST_ID else cloud_id("cra", f"{image.name} {wanted}")


@dataclass(frozen=True)
class Artifact:
    id: str
    registry_id: str
    path: str
    kind: int
    created_at: float
    modified_at: float
    image: Image | None = None
    status: int = ACTIVE

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> str:
        return self.path.rpartition("/")[0]

    @property
    def has_tag(self) -> bool:
        return self.image is not None and ":" not in self.name

    @cached_property
    def json_text(self) -> str:
        content = f',"content":{{"docker":{docker_content(self.image)}}}' if self.image else ""
        created_at = rfc3339(self.created_at)
        changed = self.modified_at != self.created_at
        modified_at = rfc3339(self.modified_at) if changed else created_at
        registry_id = f',"registryId":"{self.registry_id}"' if self.registry_id else ""
        return (
            f'{{"id":"{self.id}","path":{json.dumps(self.path)},"name":{json.dumps(self.name)},'
            f'"kind":"{_KINDS[self.kind]}",'
            f'"status":"{_STATUSES[self.status]}",'
            f'"createdAt":"{created_at}","createdBy":"{PUSHED_BY}",'
            f'"modifiedAt":"{modified_at}","modifiedBy":"{PUSHED_BY}"{content}'
            f"{registry_id}}}"
        )

    def message(self) -> ArtifactMessage:
        message = ArtifactMessage()
        json_format.Parse(self.json_text, message)
        return message


def docker_content(image: Image) -> str:
    """What the API tells of an image, as JSON: its config and layers, or the manifests that its index
    names.
    """
    if image.config is None:
        manifests = [_platform_manifest(entry) for entry in index_entries(image)]
        spec = f'"manifestList":{json.dumps({"manifests": manifests} if manifests else {})}'
    else:
        layers = ",".join([layer.descriptor_text for layer in image.layers])
        told = f',"layers":[{layers}]' if layers else ""
        spec = f'"imageManifest":{{"config":{image.config.descriptor_text}{told}}}'
    return f'{{"manifestDigest":"{image.digest}",{spec}}}'


def index_entries(image: Image) -> list[dict[str, Any]]:
    """The descriptors of an index's own manifest that can be read."""
    try:
        entries = json.loads(image.own_manifest or "{}").get("manifests") or []
        return [entry for entry in entries if isinstance(entry, dict) and isinstance(entry["digest"], str)]
    except (ValueError, AttributeError, KeyError, TypeError):
        return []


def _platform_manifest(entry: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"manifestDescriptor": {"digest": entry["digest"]}}
    size, platform_given = entry.get("size"), entry.get("platform")
    if isinstance(size, int) and size:
        told["manifestDescriptor"]["size"] = str(size)
    given = platform_given if isinstance(platform_given, dict) else {}
    names = {"architecture": "architecture", "os": "os", "os.version": "osVersion", "variant": "variant"}
    if platform := {name: str(given[key]) for key, name in names.items() if given.get(key)}:
        told["platform"] = platform
    return told
