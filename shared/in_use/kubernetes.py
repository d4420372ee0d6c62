"""Managed Kubernetes: what the pods of every cluster run, and what its workloads would start.

``GET /managed-kubernetes/v1/clusters?folderId=`` gives each cluster's endpoints and CA
(yandex/cloud/k8s/v1/cluster.proto); its master takes an IAM token as bearer. Lists come in pages (``limit``,
``continue``). A pod's status tells the image ids that were resolved; replica sets are kept by a deployment for its
rollbacks, so all of them count. Finished pods count through what made them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from shared.address import read
from shared.errors import INTERNAL, UNAVAILABLE, CallError
from shared.http import PAGE, Cloud
from shared.in_use.references import Use, parse
from shared.parallel import for_each
from shared.wording import short

PLACE = "the Managed Kubernetes clusters"
SERVICE, ROLE, CLUSTER_ROLE = "mks", "k8s.viewer", "k8s.cluster-api.viewer"
PAGE_SIZE = 1000
GONE = 410
ATTEMPTS, TIMEOUT, RESTARTS = 3, 15.0, 3
FINISHED = ("Succeeded", "Failed")


class _Endpoints(msgspec.Struct, rename="camel", frozen=True):
    internal_v4_endpoint: str = ""
    external_v4_endpoint: str = ""
    external_v6_endpoint: str = ""


class _MasterAuth(msgspec.Struct, rename="camel", frozen=True):
    cluster_ca_certificate: str = ""


class _Master(msgspec.Struct, rename="camel", frozen=True):
    endpoints: _Endpoints = _Endpoints()
    master_auth: _MasterAuth = _MasterAuth()


class _Cluster(msgspec.Struct, frozen=True):
    id: str
    name: str = ""
    status: str = ""
    master: _Master = _Master()


class _Clusters(msgspec.Struct, rename="camel", frozen=True):
    clusters: list[_Cluster] | None = None
    next_page_token: str = ""


class _Names(msgspec.Struct, frozen=True):
    name: str = ""
    namespace: str = ""


class _Container(msgspec.Struct, frozen=True):
    name: str = ""
    image: str = ""


class _ImageVolume(msgspec.Struct, frozen=True):
    reference: str = ""


class _Volume(msgspec.Struct, frozen=True):
    image: _ImageVolume | None = None


class _PodSpec(msgspec.Struct, rename="camel", frozen=True):
    containers: list[_Container] | None = None
    init_containers: list[_Container] | None = None
    ephemeral_containers: list[_Container] | None = None
    volumes: list[_Volume] | None = None


class _ContainerStatus(msgspec.Struct, frozen=True):
    name: str = ""
    image: str = ""
    image_id: str = msgspec.field(default="", name="imageID")


class _PodStatus(msgspec.Struct, rename="camel", frozen=True):
    phase: str = ""
    container_statuses: list[_ContainerStatus] | None = None
    init_container_statuses: list[_ContainerStatus] | None = None
    ephemeral_container_statuses: list[_ContainerStatus] | None = None


class _Pod(msgspec.Struct, frozen=True):
    metadata: _Names = _Names()
    spec: _PodSpec = _PodSpec()
    status: _PodStatus = _PodStatus()


class _Template(msgspec.Struct, frozen=True):
    spec: _PodSpec = _PodSpec()


class _WorkloadSpec(msgspec.Struct, frozen=True):
    template: _Template | None = None


class _Workload(msgspec.Struct, frozen=True):
    metadata: _Names = _Names()
    spec: _WorkloadSpec = _WorkloadSpec()


class _JobTemplate(msgspec.Struct, frozen=True):
    spec: _WorkloadSpec = _WorkloadSpec()


class _CronJobSpec(msgspec.Struct, rename="camel", frozen=True):
    job_template: _JobTemplate = _JobTemplate()


class _CronJob(msgspec.Struct, frozen=True):
    metadata: _Names = _Names()
    spec: _CronJobSpec = _CronJobSpec()


class _Continue(msgspec.Struct, frozen=True):
    token: str = msgspec.field(default="", name="continue")


class _Pods(msgspec.Struct, frozen=True):
    items: list[_Pod] | None
    metadata: _Continue = _Continue()


class _Workloads(msgspec.Struct, frozen=True):
    items: list[_Workload] | None
    metadata: _Continue = _Continue()


class _CronJobs(msgspec.Struct, frozen=True):
    items: list[_CronJob] | None
    metadata: _Continue = _Continue()


PODS, CRON_JOBS = "/api/v1/pods", "/apis/batch/v1/cronjobs"
WORKLOADS = {
    "deployment": "/apis/apps/v1/deployments",
    "stateful set": "/apis/apps/v1/statefulsets",
    "daemon set": "/apis/apps/v1/daemonsets",
    "replica set": "/apis/apps/v1/replicasets",
    "job": "/apis/batch/v1/jobs",
    "replication controller": "/api/v1/replicationcontrollers",
}

Objects = TypeVar("Objects", _Pods, _Workloads, _CronJobs)


def look(cloud: Cloud, folder_id: str, registry_ids: frozenset[str]) -> tuple[list[Use], list[str]]:
    """The uses of the folder's clusters, and what is doubtful about them. Raises CallError."""
    uses: list[Use] = []
    doubts: list[str] = []

    def one(cluster: _Cluster) -> None:
        found, pods = _look_into(cloud, cluster, registry_ids)
        uses.extend(found)
        if not pods:
            doubts.append(f"The cluster {cluster.name or cluster.id} shows not one pod.")

    folder = {"folderId": folder_id}
    clusters = [
        cluster
        for page in cloud.pages(
            SERVICE, "/managed-kubernetes/v1/clusters", _Clusters, role=ROLE, params=folder
        )
        for cluster in page.clusters or ()
        if cluster.status != "DELETING"
    ]
    for_each(clusters, one, cloud.concurrency)
    return uses, doubts


def _look_into(cloud: Cloud, cluster: _Cluster, registry_ids: frozenset[str]) -> tuple[list[Use], int]:
    """The uses of one cluster and the number of its pods, from the first of its addresses that answers."""
    name, endpoints = cluster.name or cluster.id, cluster.master.endpoints
    addresses = (
        endpoints.external_v4_endpoint,
        endpoints.internal_v4_endpoint,
        endpoints.external_v6_endpoint,
    )
    if cluster.status == "STOPPED" or not any(addresses):
        raise CallError(
            f"the cluster {name} is {cluster.status or 'of an unknown status'} and does not answer; start it",
            service=SERVICE,
            call="GET /managed-kubernetes/v1/clusters",
            code=UNAVAILABLE,
        )
    failures: list[CallError] = []
    for address in filter(None, addresses):
        try:
            return _uses(_master(cloud, cluster, address), name, registry_ids)
        except CallError as error:
            if error.code != UNAVAILABLE:
                raise
            failures.append(error)
    tried = "; ".join(
        f"{address}: {error.message}"
        for address, error in zip(filter(None, addresses), failures, strict=True)
    )
    raise CallError(
        f"the cluster {name} ({cluster.status}) does not answer ({tried}); start it, and attach the function to its"
        " network (--network-id) if it has no public address",
        service="kubernetes",
        call=failures[-1].where,
        code=UNAVAILABLE,
    )


def _master(cloud: Cloud, cluster: _Cluster, address: str) -> Cloud:
    try:
        server = read(address if "://" in address else f"https://{address}")
        usable = server.scheme == "https" and not server.path.strip("/") and not server.query
    except ValueError:
        usable = False
    if not usable:
        raise CallError(
            f"the cluster {cluster.name or cluster.id} has the address {short(address)}, which is none that takes a"
            " token: https, a host and a port",
            service=SERVICE,
            call="GET /managed-kubernetes/v1/clusters",
            code=INTERNAL,
        )
    authority = cluster.master.master_auth.cluster_ca_certificate
    return cloud.at(server.origin, authority=authority, attempts=ATTEMPTS, timeout=TIMEOUT, most=PAGE)


def _uses(master: Cloud, cluster: str, registry_ids: frozenset[str]) -> tuple[list[Use], int]:
    uses: list[Use] = []
    pods = 0
    for page in _pages(master, PODS, _Pods):
        for pod in page.items or ():
            pods += 1
            if pod.status.phase not in FINISHED:
                uses += _named(_of_pod(pod, _where("pod", pod.metadata, cluster)), registry_ids)
    for kind, path in WORKLOADS.items():
        for workloads in _pages(master, path, _Workloads):
            for workload in workloads.items or ():
                uses += _named(
                    _of_workload(workload.spec, _where(kind, workload.metadata, cluster)), registry_ids
                )
    for cron_jobs in _pages(master, CRON_JOBS, _CronJobs):
        for job in cron_jobs.items or ():
            where = _where("cron job", job.metadata, cluster)
            uses += _named(_of_workload(job.spec.job_template.spec, where), registry_ids)
    return uses, pods


def _pages(master: Cloud, path: str, objects: type[Objects]) -> Iterator[Objects]:
    """Every page of a list. One whose continuation ran out (410) is read again from its beginning."""
    asked: dict[str, str | int] = {"limit": PAGE_SIZE}
    restarts = 0
    while True:
        try:
            page = master.call("GET", "kubernetes", path, objects, params=asked, role=CLUSTER_ROLE)
        except CallError as error:
            if error.status != GONE or restarts >= RESTARTS:
                raise
            restarts += 1
            asked.pop("continue", None)
            continue
        yield page
        if not page.metadata.token:
            return
        asked["continue"] = page.metadata.token


def _where(kind: str, names: _Names, cluster: str) -> str:
    return f"{kind} {names.namespace}/{names.name} of the Kubernetes cluster {cluster}"


def _named(uses: Iterable[Use], registry_ids: frozenset[str]) -> Iterator[Use]:
    """Those uses that name one of the registries."""
    return (use for use in uses if any(f"{registry_id}/" in use.reference for registry_id in registry_ids))


def _of_workload(spec: _WorkloadSpec, where: str) -> Iterator[Use]:
    if spec.template:
        yield from _of_spec(spec.template.spec, where)


def _of_spec(spec: _PodSpec, where: str) -> Iterator[Use]:
    for container in _containers(spec):
        yield Use(where, container.image)
    for volume in spec.volumes or ():
        if volume.image:
            yield Use(where, volume.image.reference)


def _of_pod(pod: _Pod, where: str) -> Iterator[Use]:
    """What a pod names, and the digests that its nodes resolved, under every path that they go by."""
    yield from _of_spec(pod.spec, where)
    status = pod.status
    named = {container.name: container.image for container in _containers(pod.spec)}
    for statuses in (
        status.container_statuses,
        status.init_container_statuses,
        status.ephemeral_container_statuses,
    ):
        for of_container in statuses or ():
            yield from _resolved(of_container, named.get(of_container.name, ""), where)


def _resolved(status: _ContainerStatus, image: str, where: str) -> Iterator[Use]:
    found = re.search(r"sha256:[0-9a-fA-F]{64}$", status.image_id)
    if not found:
        return
    digest = found[0].lower()
    for text in (image, status.image, status.image_id):
        reference = parse(text)
        if reference:
            yield Use(where, f"{reference.path}@{digest}")


def _containers(spec: _PodSpec) -> Iterator[_Container]:
    for containers in (spec.containers, spec.init_containers, spec.ephemeral_containers):
        yield from containers or ()
