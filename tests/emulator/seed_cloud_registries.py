"""The registries of Cloud Registry in a seed, beside those of Container Registry (`seed.py`).

cloud_registries:
  - id: crp1
    folder_id: b1gfolder
    name: main
    kind: DOCKER               # or MAVEN, ..
    type: LOCAL                # or REMOTE, VIRTUAL, TRANSITIONAL
    status: ACTIVE
    labels: {team: a}
    immutable: false
    redirects: true            # cr.yandex answers for it from here; absent: if `registries` has the id too
    migrated: true             # holds what the one of `registries` with this id does; besides it
    migrated_at: 2026-11-20T00:00:00Z      # and the times of creation were not kept
    repositories:
      - name: team-a/app
        kind: FOLDER           # or PACKAGE: of the node that the repository is
        images: [...]          # as in Container Registry, and with two more keys:
                               #   artifact_ids: {v1: cra1}    instead of <image id>.<tag>
                               #   status: DELETING            of its artifacts
    policies:                  # as in the API, in camelCase or not
      - {id: pol1, name: old, description: "", state: ENABLED, age: 90d, rules: [
          {pathPrefix: team-a, delete: {type: HARD_DELETE, olderThanDays: 30}}]}
"""

from typing import Any

from google.protobuf import json_format
from yandex.cloud.cloudregistry.v1.artifact_pb2 import Artifact as ArtifactMessage
from yandex.cloud.cloudregistry.v1.lifecycle_policy_pb2 import LifecyclePolicy
from yandex.cloud.cloudregistry.v1.registry_pb2 import Registry

from tests.emulator.clock import moment, span_seconds, timestamp
from tests.emulator.cloud_migration import migrate
from tests.emulator.cloud_policies import store
from tests.emulator.cloud_registries import CloudRegistry, CloudRepository
from tests.emulator.documents import DEFAULT_FOLDER, DocumentError, checked, listed
from tests.emulator.images import Image, cloud_id
from tests.emulator.seed_images import images_of
from tests.emulator.seed_manifests import in_order_of_reference
from tests.emulator.state import State
from tests.emulator.validation import validate


def add_cloud_registry(state: State, where: str, document: dict[str, Any]) -> None:
    checked(
        document,
        where,
        optional="folder_id name kind type status labels immutable redirects migrated migrated_at"
        " repositories policies",
        required="id",
    )
    twin = state.registries.get(document["id"])
    message = Registry(
        id=document["id"],
        folder_id=document.get("folder_id", twin.folder_id if twin else DEFAULT_FOLDER),
        name=document.get("name", twin.name if twin else ""),
        kind=document.get("kind", "DOCKER"),
        type=document.get("type", "LOCAL"),
        status=document.get("status", "ACTIVE"),
        labels=document.get("labels") or {},
        created_at=timestamp(state.clock.now() // 1 - span_seconds("365d")),
    )
    registry = CloudRegistry(message, redirects=document.get("redirects", twin is not None))
    state.cloud_registries.add(registry)
    if document.get("migrated"):
        if twin is None:
            raise DocumentError(f"{where}.migrated: Container Registry has no registry {registry.id}")
        moved_at = moment(document["migrated_at"]) if document.get("migrated_at") else None
        migrate(state, twin, registry, moved_at)
    for repository_where, repository in listed(document.get("repositories"), f"{where}.repositories"):
        _add_repository(state, repository_where, registry, repository)
    for policy_where, policy in listed(document.get("policies"), f"{where}.policies"):
        store(state, cloud_policy_of(state, policy_where, registry, policy))
    registry.immutable = document.get("immutable", False)


def _add_repository(state: State, where: str, registry: CloudRegistry, document: dict[str, Any]) -> None:
    checked(document, where, optional="kind images", required="name")
    made_at = state.clock.now() // 1 - span_seconds("365d")
    repository = state.cloud_registries.upsert_repository(registry, document["name"], made_at)
    if "kind" in document:
        kind = ArtifactMessage.Kind.Value(document["kind"])
        state.cloud_registries.set_kind(registry, repository, kind)
    for image_where, image in in_order_of_reference(list(listed(document.get("images"), f"{where}.images"))):
        taken = set(repository.artifacts)
        for made in push_images(state, image_where, registry, repository, image):
            if again := taken & set(made.tags):
                raise DocumentError(f"{image_where}: tag {min(again)} is on another image already")


def push_images(
    state: State, where: str, registry: CloudRegistry, repository: CloudRepository, document: Any
) -> list[Image]:
    """Push the image, or the series of them, that the document tells of."""
    given = dict(document) if isinstance(document, dict) else document
    ids: dict[str, str] = {}
    status = 0
    if isinstance(given, dict):
        ids = given.pop("artifact_ids", None) or {}
        status = ArtifactMessage.Status.Value(given.pop("status", "ACTIVE"))
    images = list(images_of(state, given, where, repository))
    for image in images:
        state.cloud_registries.push(registry, repository, image, state.clock.now(), ids, status)
    return images


def cloud_policy_of(
    state: State, where: str, registry: CloudRegistry, document: dict[str, Any]
) -> LifecyclePolicy:
    checked(document, where, optional="id name description state age rules")
    fields = {key: document[key] for key in ("name", "description", "rules") if key in document}
    policy = LifecyclePolicy()
    json_format.ParseDict(fields, policy)
    policy.id = document.get("id") or cloud_id("crl", f"{where} of {registry.id}")
    policy.registry_id = registry.id
    policy.state = document.get("state", "DISABLED")
    made_at = timestamp(state.clock.now() // 1 - span_seconds(document.get("age", "90d")))
    policy.created_at.CopyFrom(made_at)
    policy.modified_at.CopyFrom(made_at)
    validate(policy, f"{where}.")
    return policy
