"""Compute instances: the images that their metadata names, of stopped ones too.

Container Solution keeps them under the keys ``docker-container-declaration`` and ``docker-compose`` (Yandex
Cloud's documentation: cos/concepts/coi-specifications), and cloud-init's ``user-data`` may run others; so
every value is searched for references to the registries. ``GET /compute/v1/instances`` never shows metadata,
only ``GET /compute/v1/instances/{id}?view=FULL`` does (yandex/cloud/compute/v1/instance_service.proto).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from shared.cloud.client import Cloud, part
from shared.cloud.parallel import for_each
from shared.cloud.workloads.asking import ASKED, Seen, doubtful, every, named_in
from shared.errors import NOT_FOUND, CallError
from shared.retention.references import Use

PLACE = "the Compute instances"
SERVICE, ROLE = "compute", "compute.viewer"
ROOT = "/compute/v1/instances"


class _Instance(msgspec.Struct, frozen=True):
    id: str = ""
    name: str = ""
    status: str = ""
    metadata: dict[str, str] = {}


class _Listed(msgspec.Struct, frozen=True):
    id: str


class _Instances(msgspec.Struct, rename="camel", frozen=True):
    instances: list[_Listed] | None = None
    next_page_token: str = ""


def look(cloud: Cloud, folder_id: str, registry_ids: frozenset[str]) -> Seen:
    """What the folder's instances use. Raises CallError."""
    uses: list[Use] = []
    missing: list[str] = []

    def show(instance_id: str) -> None:
        instance = _shown(cloud, instance_id)
        if instance is None:
            missing.append(instance_id)
        else:
            uses.extend(_uses(instance, registry_ids))

    listed = _listed(cloud, folder_id)
    for_each(listed, show, cloud.concurrency)
    for instance_id in _still_listed(cloud, folder_id, missing, len(listed)):
        instance = _shown(cloud, instance_id)
        if instance is None:
            raise doubtful(
                f"the Compute instance {instance_id} is listed, but it answers 404; run it again later",
                SERVICE,
                _call(instance_id),
            )
        uses += _uses(instance, registry_ids)
    return Seen(uses)


def _listed(cloud: Cloud, folder_id: str) -> list[str]:
    params = {"folderId": folder_id}
    instances = every(cloud, SERVICE, ROOT, _Instances, lambda page: page.instances, role=ROLE, params=params)
    return [instance.id for instance in instances]


def _still_listed(cloud: Cloud, folder_id: str, missing: list[str], before: int) -> list[str]:
    """Those of the ``missing`` that the folder's list still has; the others are gone.

    ``before`` were listed.
    """
    if not missing:
        return []
    listed = _listed(cloud, folder_id)
    if not listed and before > len(missing):
        raise doubtful(
            f"the folder {folder_id} shows no Compute instance, where it showed {before} a moment ago; run it"
            " again later",
            SERVICE,
            f"GET {ROOT}",
        )
    return sorted(set(missing).intersection(listed))


def _shown(cloud: Cloud, instance_id: str) -> _Instance | None:
    """The instance with its metadata, or None when there is none of that id. Raises CallError."""
    path = f"{ROOT}/{part(instance_id)}"
    instance = _Instance()
    for _ in range(ASKED):
        try:
            instance = cloud.call("GET", SERVICE, path, _Instance, params={"view": "FULL"}, role=ROLE)
        except CallError as error:
            if error.code == NOT_FOUND:
                return None
            raise
        if instance.id == instance_id and (instance.metadata or instance.status == "DELETING"):
            return instance
    name = instance.name or instance_id
    if instance.id != instance_id:
        raise doubtful(
            f"the answer about the Compute instance {instance_id} is about {instance.id or 'none'}; run it"
            " again later",
            SERVICE,
            _call(instance_id),
        )
    raise doubtful(
        f"the Compute instance {name} shows no metadata, which may name images; if it really has none, give"
        f" it any metadata key, as in yc compute instance add-metadata {name} --metadata"
        " registry-janitor=none",
        SERVICE,
        _call(instance_id),
    )


def _call(instance_id: str) -> str:
    return f"GET {ROOT}/{part(instance_id)}"


def _uses(instance: _Instance, registry_ids: frozenset[str]) -> list[Use]:
    where = f"Compute instance {instance.name or instance.id}"
    return metadata_uses(instance.metadata, where, registry_ids, _call(instance.id))


def metadata_uses(
    metadata: Mapping[str, str], where: str, registry_ids: frozenset[str], call: str
) -> list[Use]:
    """The uses that a machine's metadata declares, whatever the format of its values. Raises CallError."""
    texts = ((f"{where} ({key})", value) for key, value in metadata.items())
    return named_in(texts, registry_ids, where, SERVICE, call)
