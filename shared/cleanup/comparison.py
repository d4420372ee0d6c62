"""Lists a repository in both services and compares it. Changes nothing.

Manifests are read only of indexes whose parts no listing names and of untagged images that the target does
not list: from the target, and from the source what the target does not have. With redirects both services'
hosts answer from the target (container-registry/tutorials, container-registry-migration); what nobody can
show then is compared by the listings alone.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection
from functools import partial

import msgspec

from shared.cleanup.run import Run
from shared.cloud.client import Cloud
from shared.cloud.manifests import Manifests
from shared.cloud.parallel import for_each
from shared.cloud.registry_services import service_of
from shared.errors import CallError
from shared.retention import migration
from shared.retention.creation_times import hours
from shared.retention.migration import Compared, Contents
from shared.retention.records import Image, Manifest, Repository


class Looked(msgspec.Struct):
    """What was learnt of a registry so far; not ``whole`` if anything could not be read."""

    moved: bool
    source: Contents
    target: Contents
    compared: list[Compared] = []
    created: Counter[str] = msgspec.field(default_factory=Counter)
    whole: bool = True
    lock: threading.Lock = msgspec.field(default_factory=threading.Lock)

    def note(self, source: list[Image], target: list[Image], compared: Compared | None) -> None:
        with self.lock:
            self.source = self.source.with_images(source) if source else self.source
            self.target = self.target.with_images(target) if target else self.target
            self.created.update(hours(image.created_at for image in target))
            if compared:
                self.compared.append(compared)


def compare(
    run: Run, cloud: Cloud, looked: Looked, source: Repository | None, target: Repository | None
) -> None:
    """Adds what the services hold of one repository, and what of it has not arrived."""
    try:
        old, new = _images(cloud, source), _images(cloud, target)
    except CallError as error:
        run.problem(error)
        looked.whole = False
        return
    if not source or not looked.moved:
        looked.note(old, new, None)
        return
    manifests = migration.listed_indexes([*old, *new])
    there: set[str] = set()
    try:
        manifests |= _read(run, cloud, (target, source), migration.manifests_needed(old, new))
        if target:
            wanted = migration.to_look_for(old, new, manifests)
            there = _existing(_reader(run, cloud, target), wanted, cloud.concurrency)
    except CallError as error:
        run.problem(error)
        looked.whole = False
        there = migration.to_look_for(
            old, new, manifests
        )  # what cannot be looked for is not said to be missing
    used_by = partial(run.usage.where, source.full_name)
    looked.note(
        old, new, migration.compare(source.name, old, new if target else None, manifests, there, used_by)
    )


def _images(cloud: Cloud, repository: Repository | None) -> list[Image]:
    return list(service_of(repository).images(cloud, repository)) if repository else []


def _reader(run: Run, cloud: Cloud, repository: Repository) -> Manifests:
    return Manifests(cloud, run.docker_endpoints, repository)


def _read(
    run: Run, cloud: Cloud, repositories: tuple[Repository | None, ...], wanted: set[str]
) -> dict[str, Manifest]:
    """The manifests, each from the first of the repositories that has it. Raises CallError."""
    manifests: dict[str, Manifest] = {}
    for repository in filter(None, repositories):
        manifests |= _reader(run, cloud, repository).read(wanted - manifests.keys(), lambda _: True)
    return manifests


def _existing(reader: Manifests, digests: Collection[str], width: int) -> set[str]:
    """Those of the digests that the registry has. Raises CallError."""
    there: set[str] = set()

    def ask(digest: str) -> None:
        if reader.exists(digest):
            there.add(digest)

    for_each(digests, ask, width)
    return there
