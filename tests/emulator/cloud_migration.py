"""A registry of Container Registry as Cloud Registry has it after its migration: the same id, images and
tags.

Its policies are not copied here (how one of a repository becomes rules of the registry isn't documented).
"""

from dataclasses import replace

from yandex.cloud.cloudregistry.v1.registry_pb2 import Registry as RegistryMessage

from tests.emulator.clock import timestamp
from tests.emulator.cloud_registries import CloudRegistry
from tests.emulator.state import Registry, State


def migrate(
    state: State, registry: Registry, target: CloudRegistry | None = None, moved_at: float | None = None
) -> CloudRegistry:
    """Copy everything.

    With `moved_at` that is the time at which all was made, as if the old times were lost.
    """
    registries = state.cloud_registries
    if target is None:
        target = CloudRegistry(migrated_message(registry))
        registries.add(target)
    for repository in registry.repositories.values():
        shelf = registries.upsert_repository(target, repository.short_name, registry.created_at)
        for image in repository.images.all():
            copied = image if moved_at is None else replace(image, created_at=moved_at, modified_at=moved_at)
            registries.push(target, shelf, copied, state.clock.now())
    return target


def migrated_message(registry: Registry) -> RegistryMessage:
    return RegistryMessage(
        id=registry.id,
        folder_id=registry.folder_id,
        name=registry.name,
        kind=RegistryMessage.Kind.DOCKER,
        type=RegistryMessage.Type.LOCAL,
        status=RegistryMessage.Status.ACTIVE,
        labels=registry.labels,
        created_at=timestamp(registry.created_at),
        modified_at=timestamp(registry.created_at),
    )
