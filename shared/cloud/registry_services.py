"""The calls that a registry service must answer, and the services that there are.

Nothing above this room knows their paths or JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from shared.cloud import container_registry
from shared.cloud.client import Cloud
from shared.cloud.operations import Operation
from shared.retention.records import Image, Policy, Registry, Repository, Service


class RegistryService(Protocol):
    """A module that answers these questions.

    Each raises CallError; an iterator raises it while it is read.
    """

    DRY_RUN_IMAGES: int
    """How many images of a repository a dry run looks at; an ACTIVE policy has no such limit."""

    def registry(self, cloud: Cloud, registry_id: str) -> Registry: ...

    def registries(self, cloud: Cloud, folder_id: str) -> Iterator[Registry]: ...

    def repositories(self, cloud: Cloud, registry_id: str) -> Iterator[Repository]: ...

    def images(self, cloud: Cloud, repository: Repository) -> Iterator[Image]: ...

    def repository_of(self, cloud: Cloud, image_id: str) -> str:
        """The full name of the image's repository."""

    def is_there(self, cloud: Cloud, image_id: str) -> bool:
        """Whether the registry knows the image, whatever its listings say."""

    def policies(self, cloud: Cloud, registry_id: str) -> Iterator[Policy]: ...

    def policies_of(self, cloud: Cloud, repository: Repository) -> Iterator[Policy]: ...

    def dry_run(self, cloud: Cloud, policy_id: str) -> str:
        """The id of the dry run's result."""

    def affected_images(self, cloud: Cloud, result_id: str) -> Iterator[Image]: ...

    def delete_image(
        self, cloud: Cloud, image_id: str, before: Callable[[], None] | None = None
    ) -> Operation:
        """Asks for the deletion, with ``before`` called just before each attempt is sent."""

    def deletion(self, image_id: str) -> str:
        """The call that deletes the image, for messages."""


SERVICES: dict[str, RegistryService] = {"container-registry": container_registry}

SOURCE: Service = "container-registry"
TARGET: Service = "cloud-registry"
"""A migration copies registries from the one to the other; they keep their ids."""


def may_be_copied(registry: Registry) -> bool:
    """Whether a migration may have made the registry, and given its images the time of the copying."""
    return registry.service == TARGET


def service_of(record: Registry | Repository) -> RegistryService:
    return SERVICES[record.service]


def registries_of(cloud: Cloud, folder_id: str) -> Iterator[Registry]:
    """The registries of the folder in every service. Raises CallError."""
    for service in SERVICES.values():
        yield from service.registries(cloud, folder_id)
