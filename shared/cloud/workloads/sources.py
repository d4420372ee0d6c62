"""What runs somewhere: where an image is used, looked up in every place that Yandex Cloud can run one.

Each source is a module with ``look(cloud, folder_id, registry_ids)``, which gives what it has seen
(`asking.Seen`), and ``PLACE``, what it looks at. Finding references in texts is in `search`, matching uses
with images in `references`; both are pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from types import ModuleType

import msgspec

from shared.cloud.client import Cloud
from shared.cloud.parallel import for_each
from shared.cloud.workloads import compute, instance_groups, kubernetes, serverless_containers
from shared.cloud.workloads.asking import Seen
from shared.errors import CallError
from shared.retention.references import Use

SOURCES: dict[str, ModuleType] = {
    "serverless-containers": serverless_containers,
    "compute": compute,
    "instance-groups": instance_groups,
    "kubernetes": kubernetes,
}


class Unavailable(msgspec.Struct, frozen=True):
    """A source that could not be checked in a folder. Nothing that it may use can be deleted."""

    source: str
    folder_id: str
    error: CallError

    def __str__(self) -> str:
        return (
            f"What {SOURCES[self.source].PLACE} of the folder {self.folder_id} run is not known, so nothing"
            f" that they could use is deleted: {self.error}. To go without looking there, leave {self.source}"
            " out of GUARDS_IN_USE."
        )


class Found(msgspec.Struct):
    """What was found: the uses, what could not be looked at, and what is worth a warning."""

    uses: list[Use] = []
    blind: list[Unavailable] = []
    doubts: list[str] = []


def look(cloud: Cloud, folders: Iterable[str], sources: Iterable[str], registry_ids: frozenset[str]) -> Found:
    """Looks at every source of every folder. ``Found.blind`` lists the sources that failed."""
    findings = Found()
    hidden: dict[str, list[str]] = {}
    places = [(source, folder_id) for folder_id in folders for source in sources]
    for_each(places, partial(_look_at, cloud, registry_ids, findings, hidden), len(places))
    if hidden:
        findings.doubts.append(_of_hidden(hidden))
    return findings


def _look_at(
    cloud: Cloud,
    registry_ids: frozenset[str],
    findings: Found,
    hidden: dict[str, list[str]],
    place: tuple[str, str],
) -> None:
    source, folder_id = place
    try:
        seen: Seen = SOURCES[source].look(cloud, folder_id, registry_ids)
    except CallError as error:
        findings.blind.append(Unavailable(source, folder_id, error))
    else:
        findings.uses.extend(seen.uses)
        findings.doubts.extend(seen.doubts)
        hidden |= seen.hidden


def _of_hidden(hidden: dict[str, list[str]]) -> str:
    kinds = "; ".join(f"of {cluster}: {', '.join(names)}" for cluster, names in sorted(hidden.items()))
    return (
        "These kinds of objects may not be listed, so that images which they alone name are not seen to be in"
        f" use: {kinds}. Let the ClusterRole view list them (label"
        " rbac.authorization.k8s.io/aggregate-to-view)."
    )
