"""What Cloud Registry holds: registries, in each the tree of its folders and artifacts, and its lifecycle
policies.

A repository is a folder. An image is there as long as an artifact has its digest: the last one that goes
takes the manifest with it, even if an index names it still. In an immutable registry a path that was ever
used cannot be pushed again, unless it was deleted with its history.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from yandex.cloud.cloudregistry.v1.lifecycle_policy_pb2 import LifecyclePolicy
from yandex.cloud.cloudregistry.v1.lifecycle_policy_service_pb2 import (
    AffectedArtifact,
    DryRunLifecyclePolicyResponse,
)
from yandex.cloud.cloudregistry.v1.registry_pb2 import Registry

from tests.emulator.access import Place
from tests.emulator.cloud_artifacts import (
    ARTIFACT,
    DELETED,
    FOLDER,
    Artifact,
    artifact_id,
    index_entries,
)
from tests.emulator.errors import ALREADY_EXISTS, FAILED_PRECONDITION, ApiError, not_found
from tests.emulator.history import History
from tests.emulator.images import Image, ImageSet, cloud_id
from tests.emulator.switches import CloudRegistrySwitches


@dataclass
class CloudRepository:
    """`name` begins with the registry's id; `artifacts` are by tag, or by digest."""

    name: str
    images: ImageSet = field(default_factory=ImageSet)
    owner_of_digest: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    names_of_digest: dict[str, set[str]] = field(default_factory=dict)
    _children: dict[object, frozenset[str]] = field(default_factory=dict)

    @property
    def short_name(self) -> str:
        return self.name.partition("/")[2]

    def image_of(self, reference: str) -> Image | None:
        """The image with that tag or digest."""
        if ":" in reference:
            return self.images.get(self.owner_of_digest.get(reference, ""))
        artifact = self.artifacts.get(reference)
        return artifact.image if artifact else None

    def tag_names(self) -> list[str]:
        return [name for name in self.artifacts if ":" not in name]

    def children(self, version: int, *, of_tagged: bool) -> frozenset[str]:
        """The digests that an index of the repository names, or one that has a tag or is named so itself.

        `version` is the registry's.
        """
        if (version, of_tagged) not in self._children:
            indexes = {image.digest: image for image in self.images.all() if image.own_manifest is not None}
            waiting = [digest for digest in indexes if not of_tagged or self.has_tag(digest)]
            named: set[str] = set()
            while waiting:
                fresh = {entry["digest"] for entry in index_entries(indexes[waiting.pop()])} - named
                named |= fresh
                waiting += fresh & indexes.keys()
            self._children = {(version, of_tagged): frozenset(named)}
        return self._children[(version, of_tagged)]

    def has_tag(self, digest: str) -> bool:
        return any(":" not in name for name in self.names_of_digest.get(digest, ()))


@dataclass
class CloudDryRun:
    result: DryRunLifecyclePolicyResponse
    artifacts: list[AffectedArtifact]


@dataclass
class CloudRegistry:
    """`redirects`: what is asked of `cr.yandex` for this registry is answered from here."""

    message: Registry
    immutable: bool = False
    redirects: bool = False
    repositories: dict[str, CloudRepository] = field(default_factory=dict)
    by_path: dict[str, Artifact] = field(default_factory=dict)
    past: dict[str, Artifact] = field(default_factory=dict)
    policies: dict[str, LifecyclePolicy] = field(default_factory=dict)
    version: int = 0

    @property
    def id(self) -> str:
        return str(self.message.id)

    @property
    def place(self) -> Place:
        return (self.id, self.message.folder_id)


class CloudRegistries:
    """All registries; nodes change only through its methods, which keep the indexes true."""

    def __init__(self, history: History) -> None:
        self.switches = CloudRegistrySwitches()
        self.by_id: dict[str, CloudRegistry] = {}
        self.nodes: dict[str, Artifact] = {}
        self.policies: dict[str, LifecyclePolicy] = {}
        self.dry_runs: dict[str, CloudDryRun] = {}
        self.lists: dict[object, tuple[object, list[Any], list[Artifact]]] = {}
        self._history = history

    def add(self, registry: CloudRegistry) -> None:
        self.by_id[registry.id] = registry

    def registry(self, registry_id: str) -> CloudRegistry:
        if registry_id not in self.by_id:
            raise not_found("Registry", registry_id)
        return self.by_id[registry_id]

    def place_of(self, node_id: str) -> Place:
        """The node, the folders that it is in, and where its registry is."""
        node = self.nodes.get(node_id)
        if node is None:
            return ()
        registry, ids, path = self.by_id[node.registry_id], [node.id], node.parent
        while path in registry.by_path:
            ids.append(registry.by_path[path].id)
            path = path.rpartition("/")[0]
        return (*ids, *registry.place)

    def of_folder(self, folder_id: str) -> list[CloudRegistry]:
        return [registry for registry in self.by_id.values() if registry.message.folder_id == folder_id]

    def repository(self, name: str) -> CloudRepository | None:
        """That of the full name, `<registry id>/<repository>`."""
        registry_id, _, short_name = name.partition("/")
        registry = self.by_id.get(registry_id)
        return registry.repositories.get(short_name) if registry else None

    def upsert_repository(self, registry: CloudRegistry, short_name: str, now: float) -> CloudRepository:
        parts = short_name.split("/")
        for length in range(1, len(parts) + 1):
            path = "/" + "/".join(parts[:length])
            if path not in registry.by_path:
                folder_id = cloud_id("crf", f"{registry.id} {path}")
                self._put(registry, Artifact(folder_id, registry.id, path, FOLDER, now, now))
        name = f"{registry.id}/{short_name}"
        return registry.repositories.setdefault(short_name, CloudRepository(name))

    def set_kind(self, registry: CloudRegistry, repository: CloudRepository, kind: int) -> None:
        node = registry.by_path[f"/{repository.short_name}"]
        self._put(registry, replace(node, kind=kind))

    def push(
        self,
        registry: CloudRegistry,
        repository: CloudRepository,
        image: Image,
        now: float,
        ids: dict[str, str] | None = None,
        status: int = 0,
    ) -> None:
        """Put an image and its tags there.

        `ids` are those of its artifacts by tag, where they are not made up.
        """
        for tag in image.tags:
            self._check_may_be_pushed(registry, repository, tag, image.digest)
        known = repository.image_of(image.digest)
        if known is None:
            repository.images.put(image)
            repository.owner_of_digest[image.digest] = image.id
        held = known or image
        for name in image.tags or (image.digest,):
            wanted_id = (ids or {}).get(name) or artifact_id(held, name)
            self._name(registry, repository, name, held, wanted_id, now, status)

    def put_tag(
        self, registry: CloudRegistry, repository: CloudRepository, tag: str, image: Image, now: float
    ) -> None:
        """Let the tag name that image, whatever it named before."""
        self._check_may_be_pushed(registry, repository, tag, image.digest)
        self._name(registry, repository, tag, image, artifact_id(image, tag), now)

    def _check_may_be_pushed(
        self, registry: CloudRegistry, repository: CloudRepository, tag: str, digest: str
    ) -> None:
        before = repository.artifacts.get(tag)
        if before and before.image and before.image.digest == digest:
            return
        path = f"/{repository.short_name}/{tag}"
        if registry.immutable and (before or path in registry.past):
            raise ApiError(FAILED_PRECONDITION, f"Registry {registry.id} is immutable, and {path} was used")

    def _name(  # noqa: PLR0913 - what an artifact is made of
        self,
        registry: CloudRegistry,
        repository: CloudRepository,
        name: str,
        image: Image,
        wanted_id: str,
        now: float,
        status: int = 0,
    ) -> None:
        names = repository.names_of_digest.setdefault(image.digest, set())
        if name in names or (":" in name and names):
            return
        before = repository.artifacts.get(name)
        artifact = Artifact(
            wanted_id,
            registry.id,
            f"/{repository.short_name}/{name}",
            ARTIFACT,
            image.created_at,
            now if before else image.created_at,
            image,
        )
        if status:
            artifact = replace(artifact, status=status)
        if before:
            artifact = self._moved(artifact, before)
            self.nodes.pop(before.id)
        repository.artifacts[name] = artifact
        names.add(name)
        self._put(registry, artifact)
        if before and before.image:
            self._left(registry, repository, before.image, name)
        if ":" not in name and image.digest in names:
            self._drop(registry, repository, repository.artifacts[image.digest])

    def _moved(self, artifact: Artifact, before: Artifact) -> Artifact:
        if self.switches.retag_keeps_id:
            artifact = replace(artifact, id=before.id)
        if self.switches.retag_keeps_created_at:
            artifact = replace(artifact, created_at=before.created_at)
        return artifact

    def _left(self, registry: CloudRegistry, repository: CloudRepository, image: Image, name: str) -> None:
        """The image has lost that tag; without another one, it is named by its digest."""
        names = repository.names_of_digest[image.digest]
        names.discard(name)
        if not names:
            self._name(
                registry,
                repository,
                image.digest,
                image,
                artifact_id(image, image.digest),
                image.created_at,
            )

    def _put(self, registry: CloudRegistry, node: Artifact) -> None:
        known = self.nodes.get(node.id, node)
        if (known.registry_id, known.path) != (node.registry_id, node.path):
            raise ApiError(ALREADY_EXISTS, f"Artifact {node.id} exists already, at {known.path}")
        registry.by_path[node.path] = node
        registry.version += 1
        self.nodes[node.id] = node

    def _drop(self, registry: CloudRegistry, repository: CloudRepository, artifact: Artifact) -> None:
        assert artifact.image is not None
        del repository.artifacts[artifact.name]
        repository.names_of_digest[artifact.image.digest].discard(artifact.name)
        del registry.by_path[artifact.path]
        self.nodes.pop(artifact.id, None)
        registry.version += 1

    def remove(self, node_id: str, *, with_history: bool = False) -> None:
        """An artifact, or a folder with all that is in it."""
        node = self.nodes[node_id]
        registry = self.by_id[node.registry_id]
        if node.kind == ARTIFACT:
            self._remove_artifact(registry, node, with_history)
            return
        inside = [other for other in registry.by_path.values() if other.path.startswith(node.path + "/")]
        for other in inside:
            if other.kind == ARTIFACT:
                self._remove_artifact(registry, other, with_history)
        for other in (node, *inside):
            if other.kind != ARTIFACT:
                del registry.by_path[other.path], self.nodes[other.id]
                registry.repositories.pop(other.path[1:], None)
        registry.version += 1

    def _remove_artifact(self, registry: CloudRegistry, artifact: Artifact, with_history: bool) -> None:
        assert artifact.image is not None
        repository, image = registry.repositories[artifact.parent[1:]], artifact.image
        self._history.add(
            "artifact-removed", artifact_id=artifact.id, path=artifact.path, digest=image.digest
        )
        self._drop(registry, repository, artifact)
        registry.past.pop(artifact.path, None)
        if not with_history:
            registry.past[artifact.path] = replace(artifact, status=DELETED)
        if not repository.names_of_digest[image.digest]:
            del repository.names_of_digest[image.digest], repository.owner_of_digest[image.digest]
            repository.images.remove(image.id)
            self._history.add("removed", image_id=image.id, service="cloud-registry")

    def shows(self, registry: CloudRegistry, node: Artifact) -> bool:
        """Whether the API tells of the node: by the switches it may not of an image that has no tag."""
        if node.kind != ARTIFACT or node.has_tag:
            return True
        repository = registry.repositories[node.parent[1:]]
        is_child = node.name in self._children_of(registry, repository)
        return self.switches.children_listed if is_child else self.switches.untagged_kept

    def _children_of(self, registry: CloudRegistry, repository: CloudRepository) -> frozenset[str]:
        return repository.children(registry.version, of_tagged=not self.switches.untagged_kept)

    def holds(self, repository_name: str, image: Image) -> bool:
        """Whether the image can be pulled: by the switches one that no tag and no index names may be gone."""
        repository = self.repository(repository_name)
        if repository is None or self.switches.untagged_kept or repository.has_tag(image.digest):
            return repository is not None
        registry = self.by_id[repository_name.partition("/")[0]]
        return image.digest in self._children_of(registry, repository)

    def shown(self, registry: CloudRegistry) -> Iterator[Artifact]:
        nodes = registry.by_path.values()
        if self.switches.children_listed and self.switches.untagged_kept:
            yield from nodes
        else:
            yield from (node for node in nodes if self.shows(registry, node))
        if self.switches.deleted_listed:
            yield from (node for path, node in registry.past.items() if path not in registry.by_path)
