"""What the cloud holds: folders, registries, repositories, images, policies, secrets, accounts, operations,
and the workloads that use images.

Everything is found by id in a dict; nothing is looked for by walking through images or operations.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from yandex.cloud.containerregistry.v1.lifecycle_policy_pb2 import LifecyclePolicy
from yandex.cloud.containerregistry.v1.lifecycle_policy_service_pb2 import DryRunLifecyclePolicyResult

from tests.emulator.accounts import Accounts
from tests.emulator.clock import Clock
from tests.emulator.images import Image, ImageSet
from tests.emulator.operations import Operations
from tests.emulator.paging import PageTokens
from tests.emulator.upstream import RegistryUpstream
from tests.emulator.workloads import Workloads


@dataclass
class Repository:
    id: str
    name: str
    registry: "Registry"
    images: ImageSet = field(default_factory=ImageSet)
    owner_of_tag: dict[str, str] = field(default_factory=dict)
    owner_of_digest: dict[str, str] = field(default_factory=dict)
    policies: dict[str, LifecyclePolicy] = field(default_factory=dict)

    @property
    def short_name(self) -> str:
        return self.name.removeprefix(self.registry.id + "/")

    def image_of(self, reference: str) -> Image | None:
        """The image with that tag or digest."""
        owners = self.owner_of_digest if ":" in reference else self.owner_of_tag
        return self.images.get(owners.get(reference, ""))


@dataclass
class Registry:
    id: str
    folder_id: str
    name: str
    created_at: float
    labels: dict[str, str] = field(default_factory=dict)
    images: ImageSet = field(default_factory=ImageSet)
    repositories: dict[str, Repository] = field(default_factory=dict)


@dataclass
class DryRun:
    result: DryRunLifecyclePolicyResult
    repository_name: str
    images: ImageSet


@dataclass
class Secret:
    id: str
    folder_id: str
    entries: dict[str, str]


class State:
    """One cloud. Images and their tags change only through its methods, which keep the indexes true."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.accounts = Accounts(self.clock)
        self.operations = Operations(self.clock)
        self.page_tokens = PageTokens()
        self.folders: set[str] = set()
        self.metadata_account: str | None = None
        self.secrets: dict[str, Secret] = {}
        self.metrics: list[dict[str, Any]] = []
        self.workloads = Workloads()
        self.registry_upstream: RegistryUpstream | None = None
        self.registries: dict[str, Registry] = {}
        self.repositories: dict[str, Repository] = {}
        self.repositories_by_name: dict[str, Repository] = {}
        self.images: dict[str, Image] = {}
        self.policies: dict[str, LifecyclePolicy] = {}
        self.dry_runs: dict[str, DryRun] = {}
        self.dry_runs_of_policy: dict[str, list[DryRun]] = {}
        self._folder_images: dict[str, tuple[list[int], ImageSet]] = {}

    def add_repository(self, repository: Repository) -> None:
        repository.registry.repositories[repository.id] = repository
        self.repositories[repository.id] = repository
        self.repositories_by_name[repository.name] = repository

    def remove_repository(self, repository: Repository) -> None:
        for image in repository.images.all():
            self.remove_image(image.id)
        for policy_id in list(repository.policies):
            self.remove_policy(policy_id)
        del repository.registry.repositories[repository.id]
        del self.repositories[repository.id]
        del self.repositories_by_name[repository.name]

    def add_policy(self, policy: LifecyclePolicy) -> None:
        self.policies[policy.id] = policy
        self.repositories[policy.repository_id].policies[policy.id] = policy

    def remove_policy(self, policy_id: str) -> None:
        policy = self.policies.pop(policy_id)
        del self.repositories[policy.repository_id].policies[policy_id]

    def add_dry_run(self, dry_run: DryRun) -> None:
        result = dry_run.result
        self.dry_runs[result.dry_run_lifecycle_policy_result_id] = dry_run
        self.dry_runs_of_policy.setdefault(result.lifecycle_policy_id, []).append(dry_run)

    def put_image(self, image: Image) -> None:
        """Add an image, or replace the one with its id. Its tags leave the images that had them."""
        self._forget_tags(image.id)
        repository = self.repositories_by_name[image.name]
        for tag in image.tags:
            owner = repository.owner_of_tag.get(tag)
            if owner is not None:
                self.remove_tag(owner, tag)
            repository.owner_of_tag[tag] = image.id
        self.images[image.id] = image
        repository.owner_of_digest[image.digest] = image.id
        repository.images.put(image)
        repository.registry.images.put(image)

    def remove_image(self, image_id: str) -> None:
        image = self.images[image_id]
        if self.registry_upstream:
            self.registry_upstream.delete_manifest(image.name, image.digest)
        self._forget_tags(image_id)
        del self.images[image_id]
        repository = self.repositories_by_name[image.name]
        repository.owner_of_digest.pop(image.digest, None)
        repository.images.remove(image_id)
        repository.registry.images.remove(image_id)

    def add_tag(self, image_id: str, tag: str) -> None:
        image = self.images[image_id]
        if tag not in image.tags:
            self.put_image(image.with_tags((*image.tags, tag), self.clock.now()))

    def remove_tag(self, image_id: str, tag: str) -> None:
        image = self.images[image_id]
        self.put_image(image.with_tags(tuple(kept for kept in image.tags if kept != tag), self.clock.now()))

    def folder_images(self, folder_id: str) -> ImageSet:
        shelves = [registry.images for registry in self.registries_of(folder_id)]
        if len(shelves) == 1:
            return shelves[0]
        versions = [shelf.version for shelf in shelves]
        known_versions, merged = self._folder_images.get(folder_id, ([], ImageSet()))
        if known_versions != versions:
            merged = image_set(image for shelf in shelves for image in shelf.all())
            self._folder_images[folder_id] = (versions, merged)
        return merged

    def registries_of(self, folder_id: str) -> list[Registry]:
        return [registry for registry in self.registries.values() if registry.folder_id == folder_id]

    def _forget_tags(self, image_id: str) -> None:
        image = self.images.get(image_id)
        if image is None or not image.tags:
            return
        owner_of_tag = self.repositories_by_name[image.name].owner_of_tag
        for tag in image.tags:
            owner_of_tag.pop(tag, None)


def image_set(images: Iterable[Image]) -> ImageSet:
    shelf = ImageSet()
    for image in images:
        shelf.put(image)
    return shelf
