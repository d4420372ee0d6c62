"""Compute instances: the images that their metadata names, of stopped ones too.

Container Solution keeps them under the keys ``docker-container-declaration`` and ``docker-compose``
(Yandex Cloud's documentation: cos/concepts/coi-specifications), and cloud-init's ``user-data`` may run others; so
every value is searched for references to the registries. ``GET /compute/v1/instances`` never shows metadata, only
``GET /compute/v1/instances/{id}?view=FULL`` does (yandex/cloud/compute/v1/instance_service.proto).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from shared.errors import NOT_FOUND, CallError
from shared.http import Cloud, part
from shared.in_use.references import Use, scan
from shared.parallel import for_each

PLACE = "the Compute instances"
SERVICE, ROLE = "compute", "compute.viewer"
ROOT = "/compute/v1/instances"


class _Instance(msgspec.Struct, frozen=True):
    id: str
    name: str = ""
    metadata: dict[str, str] = {}


class _Instances(msgspec.Struct, rename="camel", frozen=True):
    instances: list[_Instance] | None = None
    next_page_token: str = ""


def look(cloud: Cloud, folder_id: str, registry_ids: frozenset[str]) -> tuple[list[Use], list[str]]:
    """The uses of the folder's instances. Raises CallError."""
    uses: list[Use] = []

    def one(instance_id: str) -> None:
        try:
            path = f"{ROOT}/{part(instance_id)}"
            instance = cloud.call("GET", SERVICE, path, _Instance, params={"view": "FULL"}, role=ROLE)
        except CallError as error:
            if error.code != NOT_FOUND:  # it was deleted since it was listed
                raise
        else:
            where = f"Compute instance {instance.name or instance.id}"
            uses.extend(named_in(instance.metadata, where, registry_ids))

    instances = [
        instance.id
        for page in cloud.pages(SERVICE, ROOT, _Instances, role=ROLE, params={"folderId": folder_id})
        for instance in page.instances or ()
    ]
    for_each(instances, one, cloud.concurrency)
    return uses, []


def named_in(metadata: Mapping[str, str], where: str, registry_ids: frozenset[str]) -> Iterator[Use]:
    """The uses that a machine's metadata declares, whatever the format of its values."""
    for key, value in metadata.items():
        for reference in scan(value, registry_ids):
            yield Use(f"{where} ({key})", reference)
