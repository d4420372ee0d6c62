"""Serverless Containers: the revisions that run, and those that a rollback would bring back.

``GET /containers/v1/revisions?folderId=`` lists the revisions of every container of a folder; one has
``image.imageUrl`` and ``image.imageDigest``, the command, arguments and environment that it starts with, and
a status: CREATING, ACTIVE or OBSOLETE. An OBSOLETE revision can be rolled back to
(yandex/cloud/serverless/containers/v1).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from shared.cloud.client import Cloud
from shared.cloud.workloads.asking import ASKED, Seen, doubtful, every, named_in
from shared.cloud.workloads.fields import Start, in_field
from shared.retention.references import Use

PLACE = "the serverless containers"
SERVICE, ROLE = "serverless-containers", "serverless-containers.viewer"
CONTAINERS, REVISIONS = "/containers/v1/containers", "/containers/v1/revisions"
ROLLBACKS = 3
WITHOUT_REVISION = ("DELETING", "ERROR")


class _Command(msgspec.Struct, frozen=True):
    command: list[str] = []


class _Arguments(msgspec.Struct, frozen=True):
    args: list[str] = []


class _Image(msgspec.Struct, rename="camel", frozen=True):
    image_url: str = ""
    image_digest: str = ""
    command: _Command = _Command()
    args: _Arguments = _Arguments()
    environment: dict[str, str] = {}


class _Revision(msgspec.Struct, rename="camel", frozen=True):
    id: str
    container_id: str = ""
    created_at: str = ""
    status: str = ""
    image: _Image = _Image()


class _Revisions(msgspec.Struct, rename="camel", frozen=True):
    revisions: list[_Revision] | None = None
    next_page_token: str = ""


class _Container(msgspec.Struct, frozen=True):
    id: str
    name: str = ""
    status: str = ""


class _Containers(msgspec.Struct, rename="camel", frozen=True):
    containers: list[_Container] | None = None
    next_page_token: str = ""


def look(cloud: Cloud, folder_id: str, registry_ids: frozenset[str]) -> Seen:
    """What the folder's containers use. Raises CallError."""
    containers, revisions = _shown(cloud, folder_id)
    names = {container.id: container.name or container.id for container in containers}
    seen = Seen()
    for container_id, of_container in _by_container(revisions).items():
        for revision in _counting(of_container):
            name = names.get(container_id, container_id)
            where = f"serverless container {name}, revision {revision.id} ({revision.status})"
            seen.uses += _uses(revision.image, where, registry_ids)
    return seen


def _shown(cloud: Cloud, folder_id: str) -> tuple[list[_Container], list[_Revision]]:
    """The containers and the revisions, which must fit each other. Raises CallError."""
    params = {"folderId": folder_id}
    doubt = ""
    for _ in range(ASKED):
        containers: list[_Container] = every(
            cloud, SERVICE, CONTAINERS, _Containers, lambda page: page.containers, role=ROLE, params=params
        )
        revisions: list[_Revision] = every(
            cloud, SERVICE, REVISIONS, _Revisions, lambda page: page.revisions, role=ROLE, params=params
        )
        doubt = next(_doubts(containers, revisions), "")
        if not doubt:
            return containers, revisions
    raise doubtful(doubt, SERVICE, f"GET {REVISIONS}")


def _doubts(containers: list[_Container], revisions: list[_Revision]) -> Iterator[str]:
    with_revision = {revision.container_id for revision in revisions}
    for container in containers:
        if container.id not in with_revision and container.status not in WITHOUT_REVISION:
            yield (
                f"the serverless container {container.name or container.id} shows not one revision; if it"
                " really has none, deploy one or delete the container"
            )
    for revision in revisions:
        if revision.status != "OBSOLETE" and not (revision.image.image_url or revision.image.image_digest):
            yield f"the revision {revision.id} ({revision.status}) shows no image; run it again later"


def _by_container(revisions: list[_Revision]) -> dict[str, list[_Revision]]:
    by_container: dict[str, list[_Revision]] = {}
    for revision in revisions:
        by_container.setdefault(revision.container_id, []).append(revision)
    return by_container


def _counting(revisions: list[_Revision]) -> list[_Revision]:
    """Those that run, and the newest of the others."""
    obsolete = [revision for revision in revisions if revision.status == "OBSOLETE"]
    obsolete.sort(key=lambda revision: revision.created_at, reverse=True)
    running = [revision for revision in revisions if revision.status != "OBSOLETE"]
    return running + obsolete[:ROLLBACKS]


def _uses(image: _Image, where: str, registry_ids: frozenset[str]) -> list[Use]:
    start = Start((*image.command.command, *image.args.args), tuple(image.environment.items()))
    texts = [(where, start.text)]
    return [
        *in_field(image.image_url, where, registry_ids, image.image_digest),
        *named_in(texts, registry_ids, where, SERVICE, f"GET {REVISIONS}"),
    ]
