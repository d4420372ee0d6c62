"""What a cluster's pods run, and what its workloads would start.

A pod's status tells the image ids that were resolved. Replica sets and controller revisions are kept for
rollbacks, so all of them count. Finished pods count through what made them. Beside the fields for images,
every command, argument, variable, annotation and config map is searched: an operator starts what they name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from shared.cloud.client import Cloud
from shared.cloud.workloads.asking import doubtful
from shared.cloud.workloads.fields import Start, in_field
from shared.cloud.workloads.kubernetes_lists import SERVICE, pages
from shared.cloud.workloads.kubernetes_objects import (
    ConfigMaps,
    Container,
    CronJobs,
    Named,
    Names,
    Others,
    Pod,
    Pods,
    PodSpec,
    Workloads,
    WorkloadSpec,
)
from shared.cloud.workloads.search import search
from shared.cloud.workloads.unpacking import Unreadable
from shared.errors import NOT_FOUND, PERMISSION_DENIED, CallError
from shared.retention.references import Use

Listing = TypeVar("Listing", ConfigMaps, Others)

FINISHED = ("Succeeded", "Failed")
SOME = 100  # of objects that may be large
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"  # the same object once more
PODS, CRON_JOBS = "/api/v1/pods", "/apis/batch/v1/cronjobs"
CONFIG_MAPS, REVISIONS = "/api/v1/configmaps", "/apis/apps/v1/controllerrevisions"
WORKLOADS = {
    "deployment": ("/apis/apps/v1/deployments", "DeploymentList"),
    "stateful set": ("/apis/apps/v1/statefulsets", "StatefulSetList"),
    "daemon set": ("/apis/apps/v1/daemonsets", "DaemonSetList"),
    "replica set": ("/apis/apps/v1/replicasets", "ReplicaSetList"),
    "job": ("/apis/batch/v1/jobs", "JobList"),
    "replication controller": ("/api/v1/replicationcontrollers", "ReplicationControllerList"),
}


class Gathering:
    """What one cluster is seen to use: each use once, however many pods are alike."""

    def __init__(self, cluster: str, registry_ids: frozenset[str]) -> None:
        self.cluster, self._registry_ids = cluster, registry_ids
        self._uses: dict[tuple[str, str, bool], Use] = {}
        self._texts: set[int] = set()

    @property
    def uses(self) -> list[Use]:
        return list(self._uses.values())

    def where(self, kind: str, names: Names) -> str:
        place = f"{names.namespace}/{names.name}" if names.namespace else names.name
        return f"{kind} {place} of the Kubernetes cluster {self.cluster}"

    def add(self, uses: Iterable[Use]) -> None:
        for use in uses:
            self._uses.setdefault((use.reference, use.digest, use.alias), use)

    def add_image(self, image: str, where: str, digest: str = "") -> None:
        self.add(in_field(image, where, self._registry_ids, digest))

    def add_text(self, text: str, where: str, *, covers_registry: bool = True) -> None:
        """Searches a text, unless the same was searched. Raises CallError."""
        if not text or hash(text) in self._texts:
            return
        self._texts.add(hash(text))
        try:
            self.add(search([(where, text)], self._registry_ids, covers_registry=covers_registry))
        except Unreadable as error:
            raise doubtful(
                f"a text of the {where} {error}, so that it cannot be searched for images",
                SERVICE,
                f"GET {PODS}",
            ) from None


def look_at_workloads(master: Cloud, gathering: Gathering) -> int:
    """Gathers what the cluster's own kinds use, and returns the number of its pods. Raises CallError."""
    pods = _look_at_pods(master, gathering)
    for kind, (path, listed) in WORKLOADS.items():
        for workloads in pages(master, path, Workloads, listed, gathering.cluster):
            for workload in workloads.items or ():
                _add_workload(
                    gathering, workload.spec, workload.metadata, gathering.where(kind, workload.metadata)
                )
    for cron_jobs in pages(master, CRON_JOBS, CronJobs, "CronJobList", gathering.cluster):
        for job in cron_jobs.items or ():
            where = gathering.where("cron job", job.metadata)
            _add_workload(gathering, job.spec.job_template.spec, job.metadata, where)
    return pods


def look_at_revisions(master: Cloud, gathering: Gathering) -> None:
    """Gathers what a rollback of a stateful set or a daemon set would start. Raises CallError."""
    for page in _if_served(
        pages(master, REVISIONS, Others, "ControllerRevisionList", gathering.cluster, size=SOME)
    ):
        add_objects(gathering, page, "controller revision", covers_registry=True)


def look_at_config_maps(master: Cloud, gathering: Gathering) -> list[str]:
    """Gathers what config maps name, and returns the kinds that may not be listed. Raises CallError."""
    config_maps = pages(master, CONFIG_MAPS, ConfigMaps, "ConfigMapList", gathering.cluster, size=SOME)
    try:
        for page in _if_served(config_maps):
            for config in page.items or ():
                where = gathering.where("config map", config.metadata)
                gathering.add_text("\n".join((config.data or {}).values()), where, covers_registry=False)
    except CallError as error:
        if error.code != PERMISSION_DENIED:
            raise
        return ["configmaps"]
    return []


def add_objects(gathering: Gathering, page: Others, kind: str, *, covers_registry: bool) -> None:
    """Searches objects whose form is not known here."""
    for item in page.items or ():
        names = msgspec.json.decode(item, type=Named, strict=False).metadata
        gathering.add_text(
            bytes(item).decode("utf-8", "replace"),
            gathering.where(kind, names),
            covers_registry=covers_registry,
        )


def _if_served(listing: Iterator[Listing]) -> Iterator[Listing]:
    """The pages, or none when the server has no such kind."""
    try:
        yield from listing
    except CallError as error:
        if error.code != NOT_FOUND:
            raise


def _look_at_pods(master: Cloud, gathering: Gathering) -> int:
    count = 0
    for page in pages(master, PODS, Pods, "PodList", gathering.cluster):
        for pod in page.items or ():
            count += 1
            if pod.status.phase not in FINISHED:
                _add_pod(gathering, pod)
    return count


def _add_pod(gathering: Gathering, pod: Pod) -> None:
    """What a pod names, and the digests that its nodes resolved."""
    where, status = gathering.where("pod", pod.metadata), pod.status
    _add_spec(gathering, pod.spec, pod.metadata, where)
    for statuses in (
        status.container_statuses,
        status.init_container_statuses,
        status.ephemeral_container_statuses,
    ):
        for of_container in statuses or ():
            gathering.add_image("", where, of_container.image_id)


def _add_workload(gathering: Gathering, spec: WorkloadSpec, names: Names, where: str) -> None:
    gathering.add_text(_annotations(names), where)
    if spec.template:
        _add_spec(gathering, spec.template.spec, spec.template.metadata, where)


def _add_spec(gathering: Gathering, spec: PodSpec, names: Names, where: str) -> None:
    texts = [_annotations(names)]
    for container in _containers(spec):
        gathering.add_image(container.image, where)
        texts.append(_start(container).text)
    gathering.add_text("\n".join(filter(None, texts)), where)
    for volume in spec.volumes or ():
        if volume.image:
            gathering.add_image(volume.image.reference, where)


def _start(container: Container) -> Start:
    environment = tuple((variable.name, variable.value or "") for variable in container.env or ())
    return Start((*(container.command or ()), *(container.args or ())), environment)


def _annotations(names: Names) -> str:
    """The values alone: an annotation's name is nothing that a variable would be called."""
    return "\n".join(value for name, value in (names.annotations or {}).items() if name != APPLIED)


def _containers(spec: PodSpec) -> Iterator[Container]:
    for containers in (spec.containers, spec.init_containers, spec.ephemeral_containers):
        yield from containers or ()
