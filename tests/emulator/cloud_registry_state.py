"""What is left in Cloud Registry, for `GET /_state` (`control.py`).

    {"crp1": {"folder_id", "name", "kind", "type", "status", "immutable", "redirects", "policies": [..],
              "repositories": {"team-a/app": {
                  "id": .., "images": [{"id", "digest"}],
                  "artifacts": [{"id", "path", "name", "digest", "image_id", "status", "created_at"}]}}}}

With ids only a repository is {"id": .., "images": [ids], "artifacts": [ids]}.
"""

from typing import Any

from google.protobuf import json_format
from yandex.cloud.cloudregistry.v1.artifact_pb2 import Artifact as ArtifactMessage
from yandex.cloud.cloudregistry.v1.registry_pb2 import Registry

from tests.emulator.clock import rfc3339
from tests.emulator.cloud_artifacts import Artifact
from tests.emulator.cloud_registries import CloudRegistries, CloudRegistry, CloudRepository


def cloud_registries_document(registries: CloudRegistries, ids_only: bool) -> dict[str, Any]:
    return {registry.id: _registry(registry, ids_only) for registry in registries.by_id.values()}


def _registry(registry: CloudRegistry, ids_only: bool) -> dict[str, Any]:
    message = registry.message
    return {
        "folder_id": message.folder_id,
        "name": message.name,
        "kind": Registry.Kind.Name(message.kind),
        "type": Registry.Type.Name(message.type),
        "status": Registry.Status.Name(message.status),
        "immutable": registry.immutable,
        "redirects": registry.redirects,
        "policies": [
            json_format.MessageToDict(policy, preserving_proto_field_name=True)
            for policy in registry.policies.values()
        ],
        "repositories": {
            name: _repository(registry, repository, ids_only)
            for name, repository in registry.repositories.items()
        },
    }


def _repository(registry: CloudRegistry, repository: CloudRepository, ids_only: bool) -> dict[str, Any]:
    node, artifacts = registry.by_path[f"/{repository.short_name}"], repository.artifacts.values()
    if ids_only:
        return {
            "id": node.id,
            "images": repository.images.ids(),
            "artifacts": [artifact.id for artifact in artifacts],
        }
    return {
        "id": node.id,
        "images": [{"id": image.id, "digest": image.digest} for image in repository.images.all()],
        "artifacts": [_artifact(artifact) for artifact in artifacts],
    }


def _artifact(artifact: Artifact) -> dict[str, Any]:
    assert artifact.image is not None
    return {
        "id": artifact.id,
        "path": artifact.path,
        "name": artifact.name,
        "digest": artifact.image.digest,
        "image_id": artifact.image.id,
        "status": ArtifactMessage.Status.Name(artifact.status),
        "created_at": rfc3339(artifact.created_at),
    }
