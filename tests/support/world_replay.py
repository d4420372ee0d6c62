"""The cloud of a world at every moment of its history: made anew from its seed, by the changes and removals
told of.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import Any

from yandex.cloud.cloudregistry.v1.lifecycle_policy_pb2 import LifecyclePolicy as CloudPolicy
from yandex.cloud.containerregistry.v1.lifecycle_policy_pb2 import LifecyclePolicy

from tests.emulator.changes import apply_change
from tests.emulator.cloud_artifacts import ARTIFACT, Artifact
from tests.emulator.cloud_registries import CloudRegistry, CloudRepository
from tests.emulator.documents import DocumentError
from tests.emulator.images import Image
from tests.emulator.seed import state_from
from tests.emulator.state import State
from tests.emulator.switches import CloudRegistrySwitches

Document = dict[str, Any]

SOURCES = {
    "containers": "/containers/v1/revisions",
    "instances": "/compute/v1/instances",
    "instance_groups": "/compute/v1/instanceGroups",
    "clusters": "/managed-kubernetes/v1/clusters",
}
REFERENCE = re.compile(
    r"(?:cr\.yandex|registry\.yandexcloud\.net)/([a-z0-9/-]+)(?::([\w.-]+))?(?:@(sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True)
class Use:
    """That something runs an image: of which source it is, its id, and the repository with a tag or a
    digest.
    """

    source: str
    name: str
    repository: str
    tag: str
    digest: str

    def is_of(self, image: Image) -> bool:
        by_digest = self.digest == image.digest if self.digest else self.tag in image.tags
        return image.name == self.repository and by_digest


@dataclass(frozen=True)
class Snapshot:
    """The cloud from a place in the history on, until the next snapshot.

    An image of Cloud Registry has the id that the product gives it, the tags that it has then, and the time
    at which it got the last of them; ``made_as`` is its id in the seed. ``parts`` are the ids of its
    artifacts, ``listed`` those artifacts of a registry that the API tells of, ``removed`` those that the
    client under test has removed by then, ``removed_images`` such images of Container Registry.
    """

    place: int
    images: dict[str, Image]
    policies: dict[str, list[LifecyclePolicy]]
    uses: list[Use]
    parts: dict[str, list[str]] = field(default_factory=dict)
    made_as: dict[str, str] = field(default_factory=dict)
    listed: dict[str, list[Artifact]] = field(default_factory=dict)
    removed: dict[str, list[Artifact]] = field(default_factory=dict)
    removed_images: list[Image] = field(default_factory=list)
    cloud_policies: dict[str, list[CloudPolicy]] = field(default_factory=dict)

    def tells_of(self, image_id: str) -> bool:
        """Whether the API tells of the image: it need not of an index's children."""
        listed = {artifact.id for artifacts in self.listed.values() for artifact in artifacts}
        return image_id not in self.parts or not listed.isdisjoint(self.parts[image_id])

    def of_repository(self, name: str) -> list[Image]:
        return [image for image in self.images.values() if image.name == name]

    def by_digest(self, repository: str, digest: str) -> Image | None:
        of_repository = self.of_repository(repository)
        return next((image for image in of_repository if image.digest == digest), None)


@dataclass(frozen=True)
class Removal:
    """An image, or an artifact of it, that the client under test removed: the image as it was before.

    `place` is in the history, `asked` that of the call, `looked` that of the last look at the artifact before
    it.
    """

    place: int
    asked: int
    image: Image
    artifact_id: str = ""
    looked: int = -1


def uses_in(workloads: Document) -> list[Use]:
    uses = []
    for source in SOURCES:
        for workload in workloads.get(source) or ():
            resolved = {one["image"]: one.get("digest", "") for one in workload.get("revisions", ())}
            for match in REFERENCE.finditer(json.dumps(workload)):
                digest = match[3] or resolved.get(match[0], "")
                uses.append(Use(source, workload["name"], match[1], match[2] or "latest", digest))
    return uses


class Replay:
    """`snapshots`: the cloud after each change and removal; `removals`: what the client under test deleted;
    `by_others`: the images that went without it.
    """

    def __init__(self, cloud: Document, history: list[Document], switches: Document | None = None) -> None:
        self.history = history
        self._state = state_from(cloud)
        self._state.cloud_registries.switches = CloudRegistrySwitches(**(switches or {}))
        self._uses = uses_in(cloud)
        self._removed: dict[str, list[Artifact]] = {}
        self.snapshots = [_snapshot(self._state, self._uses, -1)]
        self.removals: list[Removal] = []
        self.by_others: set[str] = set()
        asked: dict[str, int] = {}
        self._looked: dict[str, list[int]] = {}
        refused = _refused(history)
        for place, entry in enumerate(history):
            if entry["kind"] == "call" and entry["method"] == "GET":
                self._looked.setdefault(entry["path"].rpartition("/")[2], []).append(place)
            elif entry["kind"] == "call" and entry["method"] == "DELETE":
                asked[entry["path"].rpartition("/")[2]] = place
            elif entry["kind"] == "change" and place not in refused:
                self._change(entry["do"])
                self._look(place)
            elif entry["kind"] == "removed" and entry["image_id"] in self._state.images:
                image = self._state.images[entry["image_id"]]
                self.removals.append(Removal(place, asked[image.id], image))
                self._state.remove_image(image.id)
                self._look(place, image.id)
            elif entry["kind"] == "artifact-removed":
                self._remove_artifact(place, entry, asked)
        self._places = [snapshot.place for snapshot in self.snapshots]

    def _remove_artifact(self, place: int, entry: Document, asked: dict[str, int]) -> None:
        registries, artifact_id = self._state.cloud_registries, entry["artifact_id"]
        node = registries.nodes.get(artifact_id)
        if node is None or node.image is None or node.image.digest != entry["digest"]:
            return  # the change before it was that
        image = self.end.images.get(image_id_of(node.registry_id, node.parent, node.image))
        if image is None:
            return  # it was going already when it was pushed again
        looked = [at for at in self._looked.get(artifact_id, ()) if at < asked[artifact_id]]
        last = looked[-1] if looked else -1
        self.removals.append(Removal(place, asked[artifact_id], image, artifact_id, last))
        registries.remove(artifact_id)
        self._removed.setdefault(node.registry_id, []).append(node)
        self._look(place, image.id)

    def _change(self, change: Document) -> None:
        try:
            apply_change(self._state, change)
        except DocumentError:
            return  # the emulator could not make it either
        self._uses = self._uses + uses_in(change.get("run", {}))

    def _look(self, place: int, removed: str = "") -> None:
        before = set(self.end.images)
        self.snapshots.append(_snapshot(self._state, self._uses, place))
        of_container_registry = [removal.image for removal in self.removals if "@" not in removal.image.id]
        self.end.removed_images.extend(of_container_registry)
        self.end.removed.update({name: list(nodes) for name, nodes in self._removed.items()})
        self.by_others |= before - set(self.end.images) - {removed}

    def came_back(self, image_id: str) -> bool:
        """Whether the image was gone once, and is there at the end."""
        there = [image_id in snapshot.images for snapshot in self.snapshots]
        return there[-1] and False in there[there.index(True) :]

    def was_its_own(self, removal: Removal) -> bool:
        """Whether the artifact was of the image when the client last looked at it."""
        looked = self.between(removal.looked, removal.looked)[0]
        return removal.looked < 0 or removal.artifact_id in looked.parts.get(removal.image.id, ())

    def between(self, first: int, last: int) -> list[Snapshot]:
        """The cloud at the place `first` of the history, and after each change until just before the place
        `last`.
        """
        start = max(0, bisect_right(self._places, first) - 1)
        return [
            snapshot
            for snapshot in self.snapshots[start:]
            if snapshot.place < last or snapshot.place <= first
        ]

    @property
    def end(self) -> Snapshot:
        return self.snapshots[-1]


def _refused(history: list[Document]) -> set[int]:
    """The places of the changes that could not be made, as the history tells after each of them."""
    changes = [place for place, entry in enumerate(history) if entry["kind"] == "change"]
    return {
        max(place for place in changes if place < told and history[place]["do"] == entry["do"])
        for told, entry in enumerate(history)
        if entry["kind"] == "refused"
    }


def _snapshot(state: State, uses: list[Use], place: int) -> Snapshot:
    policies = {
        repository.name: list(repository.policies.values()) for repository in state.repositories.values()
    }
    snapshot = Snapshot(place, dict(state.images), policies, uses)
    registries = state.cloud_registries
    for registry in registries.by_id.values():
        listed = [node for node in registries.shown(registry) if node.kind == ARTIFACT]
        snapshot.listed[registry.id] = listed
        snapshot.cloud_policies[registry.id] = list(registry.policies.values())
        for repository in registry.repositories.values():
            for image in repository.images.all():
                if registries.holds(repository.name, image):
                    _add_image(snapshot, registry, repository, image)
    return snapshot


def _add_image(
    snapshot: Snapshot, registry: CloudRegistry, repository: CloudRepository, image: Image
) -> None:
    names = sorted(repository.names_of_digest[image.digest])
    artifacts = [repository.artifacts[name] for name in names]
    image_id = image_id_of(registry.id, artifacts[0].parent, image)
    snapshot.images[image_id] = replace(
        image,
        id=image_id,
        tags=tuple(name for name in names if ":" not in name),
        created_at=max(artifact.modified_at for artifact in artifacts),
    )
    snapshot.parts[image_id] = [artifact.id for artifact in artifacts]
    snapshot.made_as[image_id] = image.id


def image_id_of(registry_id: str, path: str, image: Image) -> str:
    """The id that the product gives an image of Cloud Registry."""
    return f"{registry_id}{path}@{image.digest}"
