"""The cloud of a world at every moment of its history: made anew from its seed, by the changes and removals
told of.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

from yandex.cloud.containerregistry.v1.lifecycle_policy_pb2 import LifecyclePolicy

from tests.emulator.changes import apply_change
from tests.emulator.documents import DocumentError
from tests.emulator.images import Image
from tests.emulator.seed import state_from
from tests.emulator.state import State

Document = dict[str, Any]

SOURCES = {
    "containers": "/containers/v1/revisions",
    "instances": "/compute/v1/instances",
    "instance_groups": "/compute/v1/instanceGroups",
    "clusters": "/managed-kubernetes/v1/clusters",
}
REFERENCE = re.compile(r"cr\.yandex/([a-z0-9/-]+)(?::([\w.-]+))?(?:@(sha256:[0-9a-f]{64}))?")


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
    """The cloud from a place in the history on, until the next snapshot."""

    place: int
    images: dict[str, Image]
    policies: dict[str, list[LifecyclePolicy]]
    uses: list[Use]

    def of_repository(self, name: str) -> list[Image]:
        return [image for image in self.images.values() if image.name == name]

    def by_digest(self, repository: str, digest: str) -> Image | None:
        of_repository = self.of_repository(repository)
        return next((image for image in of_repository if image.digest == digest), None)


@dataclass(frozen=True)
class Removal:
    """An image that the client under test removed; `place` is in the history, `asked` that of the call."""

    place: int
    asked: int
    image: Image


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
    """`snapshots`: the cloud after each change and removal; `removals`: what the client under test
    deleted.
    """

    def __init__(self, cloud: Document, history: list[Document]) -> None:
        self.history = history
        self._state = state_from(cloud)
        self._uses = uses_in(cloud)
        self.snapshots = [_snapshot(self._state, self._uses, -1)]
        self.removals: list[Removal] = []
        self.by_others: set[str] = set()
        asked: dict[str, int] = {}
        for place, entry in enumerate(history):
            if entry["kind"] == "call" and entry["method"] == "DELETE":
                asked[entry["path"].rpartition("/")[2]] = place
            elif entry["kind"] == "change":
                self._change(entry["do"])
                self.snapshots.append(_snapshot(self._state, self._uses, place))
            elif entry["kind"] == "removed" and entry["image_id"] in self._state.images:
                image = self._state.images[entry["image_id"]]
                self.removals.append(Removal(place, asked[image.id], image))
                self._state.remove_image(image.id)
                self.snapshots.append(_snapshot(self._state, self._uses, place))
        self._places = [snapshot.place for snapshot in self.snapshots]

    def _change(self, change: Document) -> None:
        before = set(self._state.images)
        try:
            apply_change(self._state, change)
        except DocumentError:
            return  # the emulator could not make it either
        self._uses = self._uses + uses_in(change.get("run", {}))
        self.by_others |= before - set(self._state.images)

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


def _snapshot(state: State, uses: list[Use], place: int) -> Snapshot:
    policies = {
        repository.name: list(repository.policies.values()) for repository in state.repositories.values()
    }
    return Snapshot(place, dict(state.images), policies, uses)
