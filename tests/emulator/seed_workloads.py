"""The workloads of a seed: containers, virtual machines, instance groups, clusters (the format is told in
`seed.py`).
"""

from collections import defaultdict
from typing import Any

from yandex.cloud.compute.v1.instance_pb2 import Instance
from yandex.cloud.compute.v1.instancegroup.instance_group_pb2 import InstanceGroup, InstanceTemplate
from yandex.cloud.k8s.v1.cluster_pb2 import Cluster as ClusterMessage
from yandex.cloud.serverless.containers.v1.container_pb2 import Args, Command, Container, Image, Revision

from tests.emulator.clock import span_seconds, timestamp
from tests.emulator.documents import DEFAULT_FOLDER, DocumentError, checked, listed
from tests.emulator.kubernetes_objects import KINDS, CustomKind, series_objects, sort_key
from tests.emulator.state import State
from tests.emulator.workloads import Cluster

SYSTEM_POD = {  # no cluster is without one
    "metadata": {"namespace": "kube-system", "name": "coredns-1"},
    "spec": {"containers": [{"name": "coredns", "image": "cr.yandex/crpsj9s98o947hlp1rd6/coredns:1.9.4"}]},
    "status": {"phase": "Running"},
}

_COMMON = "folder_id name status age"


def add_workloads(state: State, document: dict[str, Any]) -> None:
    for where, container in listed(document.get("containers"), "containers"):
        _add_container(state, where, container)
    for where, instance in listed(document.get("instances"), "instances"):
        checked(instance, where, optional=f"{_COMMON} labels metadata", required="id")
        state.workloads.instances[instance["id"]] = Instance(
            **_described(state, instance, "RUNNING"),
            labels=instance.get("labels") or {},
            metadata=instance.get("metadata") or {},
        )
    for where, group in listed(document.get("instance_groups"), "instance_groups"):
        checked(group, where, optional=f"{_COMMON} metadata", required="id")
        state.workloads.instance_groups[group["id"]] = InstanceGroup(
            **_described(state, group, "ACTIVE"),
            instance_template=InstanceTemplate(metadata=group.get("metadata") or {}),
        )
    for where, cluster in listed(document.get("clusters"), "clusters"):
        _add_cluster(state, where, cluster)


def _described(state: State, document: dict[str, Any], status: str) -> dict[str, Any]:
    return {
        "id": document["id"],
        "folder_id": document.get("folder_id", DEFAULT_FOLDER),
        "name": document.get("name", ""),
        "status": document.get("status", status),
        "created_at": timestamp(_created_at(state, document)),
    }


def _created_at(state: State, document: dict[str, Any]) -> float:
    return state.clock.now() // 1 - span_seconds(document.get("age", "1d"))


def _add_container(state: State, where: str, document: dict[str, Any]) -> None:
    checked(document, where, optional=f"{_COMMON} revisions", required="id")
    container = Container(
        **_described(state, document, "ACTIVE"), url=f"https://{document['id']}.containers.yandexcloud.net/"
    )
    state.workloads.containers[container.id] = container
    for revision_where, revision in listed(document.get("revisions"), f"{where}.revisions"):
        checked(
            revision,
            revision_where,
            optional="status age digest environment command args",
            required="id image",
        )
        state.workloads.revisions[revision["id"]] = Revision(
            id=revision["id"],
            container_id=container.id,
            created_at=timestamp(_created_at(state, revision)),
            image=Image(
                image_url=revision["image"],
                image_digest=revision.get("digest", ""),
                command=Command(command=revision["command"]) if "command" in revision else None,
                args=Args(args=revision["args"]) if "args" in revision else None,
                environment=revision.get("environment") or {},
            ),
            status=revision.get("status", "ACTIVE"),
        )


def _add_cluster(state: State, where: str, document: dict[str, Any]) -> None:
    checked(
        document, where, optional=f"{_COMMON} objects series custom bearer_needed endpoint", required="id"
    )
    if document.get("endpoint", "external") not in ("internal", "external"):
        raise DocumentError(f"{where}.endpoint: expected internal or external")
    if document.get("status", "RUNNING") not in ClusterMessage.Status.DESCRIPTOR.values_by_name:
        raise DocumentError(f"{where}.status: unknown: {document['status']}")
    state.workloads.clusters[document["id"]] = Cluster(
        id=document["id"],
        folder_id=document.get("folder_id", DEFAULT_FOLDER),
        name=document.get("name", ""),
        status=document.get("status", "RUNNING"),
        created_at=_created_at(state, document),
        objects=_objects(document, where) | _custom_objects(document, where),
        custom=[
            CustomKind(**{name: value for name, value in given.items() if name != "objects"})
            for given in document.get("custom") or ()
        ],
        bearer_needed=document.get("bearer_needed", True),
        endpoint=document.get("endpoint", "external"),
    )


def _objects(document: dict[str, Any], where: str) -> dict[str, list[dict[str, Any]]]:
    """The cluster's objects by kind, as its lists hold them."""
    objects = [_object(given, place) for place, given in listed(document.get("objects"), f"{where}.objects")]
    for place, series in listed(document.get("series"), f"{where}.series"):
        checked(series, place, optional="image_id name namespace", required="kind count image")
        _known_kind(series["kind"], place)
        objects += series_objects(**series)
    by_kind: dict[str, dict[tuple[str, str], dict[str, Any]]] = defaultdict(dict)
    for found in objects:
        key = sort_key(found)
        if key in by_kind[found["kind"]]:
            raise DocumentError(f"{where}: there is a {found['kind']} {'/'.join(key)} already")
        by_kind[found["kind"]][key] = {
            name: value for name, value in found.items() if name not in ("kind", "apiVersion")
        }
    by_kind["Pod"] = by_kind["Pod"] or {sort_key(SYSTEM_POD): SYSTEM_POD}
    return {kind: [keyed[key] for key in sorted(keyed)] for kind, keyed in by_kind.items()}


def _custom_objects(document: dict[str, Any], where: str) -> dict[str, list[dict[str, Any]]]:
    """The cluster's custom objects by their kind's path.

    They bear kind and apiVersion, as custom resources do.
    """
    found = {}
    for place, given in listed(document.get("custom"), f"{where}.custom"):
        checked(given, place, optional="listable objects", required="group version resource kind")
        kind = CustomKind(**{name: value for name, value in given.items() if name != "objects"})
        found[kind.path] = sorted(
            (
                {
                    "apiVersion": kind.group_version,
                    "kind": kind.kind,
                    **thing,
                    "metadata": {"namespace": "default", **thing["metadata"]},
                }
                for thing in given.get("objects") or ()
            ),
            key=sort_key,
        )
    return found


def _object(document: dict[str, Any], where: str) -> dict[str, Any]:
    checked(document, where, optional="apiVersion spec status data", required="kind metadata")
    _known_kind(document["kind"], where)
    metadata = document["metadata"]
    if not metadata.get("name"):
        raise DocumentError(f"{where}.metadata: 'name' is required")
    return {**document, "metadata": {"namespace": "default", **metadata}}


def _known_kind(kind: str, where: str) -> None:
    if kind not in KINDS:
        raise DocumentError(f"{where}.kind: expected one of {', '.join(KINDS)}, got {kind!r}")
