"""What nobody knows of the two registry services yet, each for a test to choose.

    {"cloud_registry": {"children_listed": true,          the children of an index are artifacts, named by
                                                          their digest
                        "untagged_kept": true,            an image without a tag is an artifact, named by its
                                                          digest
                        "deleted_listed": false,          artifacts that left a history are listed, as DELETED
                        "retag_keeps_id": true,           a tag that moves keeps its artifact's id
                        "retag_keeps_created_at": false,  and the time at which the artifact was made
                        "retained_in_dry_run": false,     a dry run names what a KEEP rule keeps, as RETAIN
                        "registry_id_told": true,         an artifact names its registry, as older servers do
                                                          not
                        "delete_role": "cloud-registry.artifacts.pusher",
                        "dry_run_role": "cloud-registry.artifacts.pusher"},
     "container_registry": {"read_only": 9,               every write is refused with that code; 0: it is not
                                                          read-only
                            "dry_run": false,             but a dry run of a policy is not
                            "closed": 404 | 410 | "no-answer"}}

What is closed is the API of Container Registry, and `/v2/` for the registries that are not redirected.
"""

from dataclasses import dataclass, fields
from typing import Any, TypeVar

from tests.emulator.documents import DocumentError, checked

CLOSED = (404, 410, "no-answer")
PUSHER = "cloud-registry.artifacts.pusher"

CONTAINER_REGISTRY = "yandex.cloud.containerregistry."


@dataclass(frozen=True)
class CloudRegistrySwitches:
    children_listed: bool = True
    untagged_kept: bool = True
    deleted_listed: bool = False
    retag_keeps_id: bool = True
    retag_keeps_created_at: bool = False
    retained_in_dry_run: bool = False
    registry_id_told: bool = True
    delete_role: str = PUSHER
    dry_run_role: str = PUSHER


@dataclass(frozen=True)
class ContainerRegistrySwitches:
    read_only: int = 0
    dry_run: bool = False
    closed: int | str | None = None

    def refuses(self, full_name: str) -> bool:
        """Whether the method is a write to a service that is only read any more."""
        service, _, name = full_name.partition("/")
        if not self.read_only or not service.startswith(CONTAINER_REGISTRY):
            return False
        return not name.startswith(("Get", "List")) and not (self.dry_run and name == "DryRun")


Switches = TypeVar("Switches", CloudRegistrySwitches, ContainerRegistrySwitches)


def switches_from(document: Any, where: str, kind: type[Switches]) -> Switches:
    names = " ".join(field.name for field in fields(kind))
    switches = kind(**checked(document or {}, where, optional=names))
    closed = getattr(switches, "closed", None)
    if closed is not None and closed not in CLOSED:
        raise DocumentError(f"{where}.closed: expected 404, 410 or no-answer, got {closed!r}")
    return switches
