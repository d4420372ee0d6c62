"""Instance groups: the images that the metadata of their templates names.

``GET /compute/v1/instanceGroups?view=FULL`` shows ``instanceTemplate.metadata``
(yandex/cloud/compute/v1/instancegroup/instance_group_service.proto). The template counts beside the instances that
were made from it: it is what the next instance will run.
"""

from __future__ import annotations

import msgspec

from shared.http import Cloud
from shared.in_use.compute import ROLE, SERVICE, named_in
from shared.in_use.references import Use

PLACE = "the instance groups"


class _Template(msgspec.Struct, frozen=True):
    metadata: dict[str, str] = {}


class _Group(msgspec.Struct, rename="camel", frozen=True):
    id: str
    name: str = ""
    instance_template: _Template = _Template()


class _Groups(msgspec.Struct, rename="camel", frozen=True):
    instance_groups: list[_Group] | None = None
    next_page_token: str = ""


def look(cloud: Cloud, folder_id: str, registry_ids: frozenset[str]) -> tuple[list[Use], list[str]]:
    """The uses of the folder's instance groups. Raises CallError."""
    folder = {"folderId": folder_id, "view": "FULL"}
    uses = [
        use
        for page in cloud.pages(SERVICE, "/compute/v1/instanceGroups", _Groups, role=ROLE, params=folder)
        for group in page.instance_groups or ()
        for use in named_in(
            group.instance_template.metadata, f"instance group {group.name or group.id}", registry_ids
        )
    ]
    return uses, []
