"""Serverless Containers: the revisions that run, and those that a rollback would bring back.

``GET /containers/v1/revisions?folderId=`` lists the revisions of every container of a folder; one has
``image.imageUrl`` and ``image.imageDigest``, and a status: CREATING, ACTIVE or OBSOLETE. An OBSOLETE revision can be
rolled back to (yandex/cloud/serverless/containers/v1).
"""

from __future__ import annotations

import msgspec

from shared.http import Cloud
from shared.in_use.references import Use

PLACE = "the serverless containers"
SERVICE, ROLE = "serverless-containers", "serverless-containers.viewer"
ROLLBACKS = 3


class _Image(msgspec.Struct, rename="camel", frozen=True):
    image_url: str = ""
    image_digest: str = ""


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


class _Containers(msgspec.Struct, rename="camel", frozen=True):
    containers: list[_Container] | None = None
    next_page_token: str = ""


def look(cloud: Cloud, folder_id: str, registry_ids: frozenset[str]) -> tuple[list[Use], list[str]]:
    """The uses of the folder's containers, and what is doubtful about them. Raises CallError."""
    folder = {"folderId": folder_id}
    names = {
        container.id: container.name or container.id
        for page in cloud.pages(SERVICE, "/containers/v1/containers", _Containers, role=ROLE, params=folder)
        for container in page.containers or ()
    }
    revisions: dict[str, list[_Revision]] = {}
    for page in cloud.pages(SERVICE, "/containers/v1/revisions", _Revisions, role=ROLE, params=folder):
        for revision in page.revisions or ():
            revisions.setdefault(revision.container_id, []).append(revision)
    uses = [
        use
        for container_id, of_container in revisions.items()
        for use in _uses(names.get(container_id, container_id), of_container)
    ]
    if names and not revisions:
        doubt = (
            f"The folder {folder_id} has {len(names)} serverless containers, but not one revision is shown."
        )
        return uses, [doubt]
    return uses, []


def _uses(container: str, revisions: list[_Revision]) -> list[Use]:
    obsolete = [revision for revision in revisions if revision.status == "OBSOLETE"]
    obsolete.sort(key=lambda revision: revision.created_at, reverse=True)
    running = [revision for revision in revisions if revision.status != "OBSOLETE"]
    return [
        Use(
            f"serverless container {container}, revision {revision.id} ({revision.status})",
            revision.image.image_url,
            revision.image.image_digest,
        )
        for revision in running + obsolete[:ROLLBACKS]
    ]
