"""The calls that a registry service must answer, and the services that there are.

Nothing above this room knows their paths or JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from shared.cloud import cloud_registry, container_registry
from shared.cloud.client import Cloud
from shared.cloud.docker_host import DockerHost
from shared.cloud.listing import Known
from shared.cloud.operations import Operation
from shared.retention.records import DryRun, Image, Policy, Registry, Repository, Service, Sighting


class RegistryService(Protocol):
    """A module that answers these questions.

    Each raises CallError; an iterator raises it while it is read.
    """

    TITLE: str
    """The service's name, for messages."""

    DOCKER: DockerHost

    DRY_RUN_IMAGES: int | None
    """How many images of a repository a dry run looks at; an ACTIVE policy has no such limit."""

    READ_ONLY_CODES: frozenset[int]
    """The codes with which the service may refuse every delete because it is read-only."""

    def registry(self, cloud: Cloud, registry_id: str) -> Registry: ...

    def registries(self, cloud: Cloud, folder_id: str) -> Iterator[Registry]: ...

    def repositories(self, cloud: Cloud, registry_id: str) -> Iterator[Repository]: ...

    def images(self, cloud: Cloud, repository: Repository, known: Known | None = None) -> Iterator[Image]:
        """Every image of the repository; what is ``known`` need not be decoded again."""

    def repository_of(self, cloud: Cloud, image_id: str) -> str:
        """The full name of the image's repository."""

    def is_there(self, cloud: Cloud, repository: Repository, image: Sighting) -> bool:
        """Whether the registry knows the image, whatever its listings say."""

    def policies(self, cloud: Cloud, registry_id: str) -> Iterator[Policy]: ...

    def policies_of(self, cloud: Cloud, repository: Repository) -> Iterator[Policy]:
        """The policies that may take images of the repository, and perhaps others."""

    def dry_run(self, cloud: Cloud, policy_id: str) -> DryRun: ...

    def taken(self, dry_run: DryRun, images: Callable[[], Iterable[Image]]) -> Iterator[tuple[Image, str]]:
        """What the dry run takes of one repository, whose ``images`` are listed if need be; each image with
        what to add to the policy's name in the report.
        """

    def delete_image(
        self, cloud: Cloud, image: Image, before: Callable[[], None] | None = None, *, closely: bool = False
    ) -> Operation:
        """Asks for the deletion, with ``before`` called just before each attempt is sent; ``closely`` spends
        a call more on looking at each part of the image just before.
        """

    def written(self, cloud: Cloud, repository: Repository, seen: Mapping[str, str]) -> set[str]:
        """The digests that others have written or begun to need in the repository, as far as one call shows:
        ``seen`` are the digests of the parts of its images as they were listed, by the parts' ids.
        """

    def deletion(self, image_id: str) -> str:
        """The call that deletes the image, for messages."""


SERVICES: dict[Service, RegistryService] = {
    "cloud-registry": cloud_registry,
    "container-registry": container_registry,
}

SOURCE: Service = "container-registry"
TARGET: Service = "cloud-registry"
"""A migration copies registries from the one to the other; they keep their ids."""


def may_be_copied(registry: Registry) -> bool:
    """Whether a migration may have made the registry, and given its images the time of the copying."""
    return registry.service == TARGET


def service_of(record: Registry | Repository) -> RegistryService:
    return SERVICES[record.service]
