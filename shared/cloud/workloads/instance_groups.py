"""Instance groups: the images that the metadata of their templates names.

``GET /compute/v1/instanceGroups?view=FULL`` shows ``instanceTemplate.metadata``
(yandex/cloud/compute/v1/instancegroup/instance_group_service.proto). The template counts beside the instances
that were made from it: it is what the next instance will run.
"""

from __future__ import annotations

import msgspec

from shared.cloud.client import Cloud
from shared.cloud.workloads.asking import ASKED, Seen, doubtful, every
from shared.cloud.workloads.compute import ROLE, SERVICE, metadata_uses

PLACE = "the instance groups"
ROOT = "/compute/v1/instanceGroups"


class _Template(msgspec.Struct, frozen=True):
    metadata: dict[str, str] = {}


class _Group(msgspec.Struct, rename="camel", frozen=True):
    id: str
    name: str = ""
    status: str = ""
    instance_template: _Template = _Template()


class _Groups(msgspec.Struct, rename="camel", frozen=True):
    instance_groups: list[_Group] | None = None
    next_page_token: str = ""


def look(cloud: Cloud, folder_id: str, registry_ids: frozenset[str]) -> Seen:
    """What the folder's instance groups use. Raises CallError."""
    seen = Seen()
    for group in _groups(cloud, folder_id):
        where = f"instance group {group.name or group.id}"
        seen.uses += metadata_uses(group.instance_template.metadata, where, registry_ids, f"GET {ROOT}")
    return seen


def _groups(cloud: Cloud, folder_id: str) -> list[_Group]:
    params = {"folderId": folder_id, "view": "FULL"}
    bare: _Group | None = None
    for _ in range(ASKED):
        groups: list[_Group] = every(
            cloud, SERVICE, ROOT, _Groups, lambda page: page.instance_groups, role=ROLE, params=params
        )
        bare = next((group for group in groups if _is_bare(group)), None)
        if bare is None:
            return groups
    name = bare.name or bare.id if bare else ""
    raise doubtful(
        f"the instance group {name} shows no metadata of its template, which may name images; if it really"
        " has none, give its template any metadata key, such as registry-janitor: none",
        SERVICE,
        f"GET {ROOT}",
    )


def _is_bare(group: _Group) -> bool:
    return not group.instance_template.metadata and group.status != "DELETING"
