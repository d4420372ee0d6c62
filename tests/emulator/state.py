"""What the cloud holds: folders, registries, repositories, images, policies, secrets, buckets, accounts,
operations, functions, and the workloads that use images.

Everything is found by id in a dict; nothing is looked for by walking through images or operations.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from yandex.cloud.containerregistry.v1.lifecycle_policy_pb2 import LifecyclePolicy
from yandex.cloud.containerregistry.v1.lifecycle_policy_service_pb2 import DryRunLifecyclePolicyResult
from yandex.cloud.lockbox.v1 import secret_pb2
from yandex.cloud.lockbox.v1.payload_pb2 import Payload
from yandex.cloud.storage.v1.bucket_pb2 import Bucket

from tests.emulator.access import Access, Place
from tests.emulator.accounts import Accounts
from tests.emulator.clock import Clock
from tests.emulator.cloud_registries import CloudRegistries
from tests.emulator.disk import Disk
from tests.emulator.history import History
from tests.emulator.images import Image, ImageSet
from tests.emulator.operations import Operations
from tests.emulator.paging import PageTokens
from tests.emulator.serverless import RegistryEvent, Serverless
from tests.emulator.switches import ContainerRegistrySwitches
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

    @property
    def place(self) -> Place:
        return (self.id, *self.registry.place)

    def image_of(self, reference: str) -> Image | None:
        """The image with that tag or digest."""
        owners = self.owner_of_digest if ":" in reference else self.owner_of_tag
        return self.images.get(owners.get(reference, ""))

    def tag_names(self) -> list[str]:
        return list(self.owner_of_tag)


@dataclass
class Registry:
    id: str
    folder_id: str
    name: str
    created_at: float
    labels: dict[str, str] = field(default_factory=dict)
    images: ImageSet = field(default_factory=ImageSet)
    repositories: dict[str, Repository] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        return (self.id, self.folder_id)


@dataclass
class DryRun:
    result: DryRunLifecyclePolicyResult
    repository_name: str
    images: ImageSet


@dataclass
class SecretVersion:
    message: secret_pb2.Version
    entries: dict[str, Payload.Entry]


@dataclass
class Secret:
    message: secret_pb2.Secret
    versions: dict[str, SecretVersion] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        return (self.message.id, self.message.folder_id)

    def version(self, version_id: str) -> SecretVersion | None:
        """The version; no id stands for the current one."""
        return self.versions.get(version_id or self.message.current_version.id)

    def add_version(self, version: SecretVersion) -> None:
        self.versions[version.message.id] = version
        self.message.current_version.CopyFrom(version.message)


class State:
    """One cloud. Images and their tags change only through its methods, which keep the indexes true."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.history = History()
        self.accounts = Accounts(self.clock)
        self.access = Access()
        self.disk = Disk()
        self.operations = Operations(self.clock)
        self.page_tokens = PageTokens()
        self.folders: set[str] = set()
        self.metadata_account: str | None = None
        self.secrets: dict[str, Secret] = {}
        self.metrics: list[dict[str, Any]] = []
        self.buckets: dict[str, Bucket] = {}
        self.object_metadata: dict[tuple[str, str], tuple[str, dict[str, str]]] = {}
        self.serverless = Serverless(timers_fired_until=self.clock.now())
        self.workloads = Workloads()
        self.registry_upstream: RegistryUpstream | None = None
        self.cloud_registries = CloudRegistries(self.history)
        self.container_registry = ContainerRegistrySwitches()
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

    def place_of_repository(self, name: str) -> Place:
        """Where the repository is, or its registry when it doesn't exist (yet)."""
        repository = self.repositories_by_name.get(name)
        if repository:
            return repository.place
        registry = self.registries.get(name.split("/")[0])
        return registry.place if registry else ()

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
        before = self.images.get(image.id)
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
        if before is None:
            self._tell("CREATE_IMAGE", image, *image.tags[:1])
        tags_before = before.tags if before else ()
        for tag in set(image.tags) ^ set(tags_before):
            self._tell("CREATE_IMAGE_TAG" if tag in image.tags else "DELETE_IMAGE_TAG", image, tag)

    def remove_image(self, image_id: str) -> None:
        image = self.images[image_id]
        self.history.add("removed", image_id=image_id)
        if self.registry_upstream:
            self.registry_upstream.delete_manifest(image.name, image.digest)
        self._forget_tags(image_id)
        del self.images[image_id]
        repository = self.repositories_by_name[image.name]
        repository.owner_of_digest.pop(image.digest, None)
        repository.images.remove(image_id)
        repository.registry.images.remove(image_id)
        self._tell("DELETE_IMAGE", image)
        for tag in image.tags:
            self._tell("DELETE_IMAGE_TAG", image, tag)

    def _tell(self, kind: str, image: Image, tag: str = "") -> None:
        """Keeps an event for the triggers, if there are any."""
        if self.serverless.triggers:
            registry_id = image.name.split("/")[0]
            self.serverless.registry_events.append(
                RegistryEvent(kind, self.clock.now(), registry_id, image.name, image.id, image.digest, tag)
            )

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
