"""The objects of the Kubernetes API, as far as they tell what runs, and the lists that they come in."""

from __future__ import annotations

import msgspec


class Names(msgspec.Struct, frozen=True):
    name: str = ""
    namespace: str = ""
    annotations: dict[str, str] | None = None


class Variable(msgspec.Struct, frozen=True):
    name: str = ""
    value: str | None = None


class Container(msgspec.Struct, frozen=True):
    name: str = ""
    image: str = ""
    command: list[str] | None = None
    args: list[str] | None = None
    env: list[Variable] | None = None


class ImageVolume(msgspec.Struct, frozen=True):
    reference: str = ""


class Volume(msgspec.Struct, frozen=True):
    image: ImageVolume | None = None


class PodSpec(msgspec.Struct, rename="camel", frozen=True):
    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    ephemeral_containers: list[Container] | None = None
    volumes: list[Volume] | None = None


class ContainerStatus(msgspec.Struct, frozen=True):
    image_id: str = msgspec.field(default="", name="imageID")


class PodStatus(msgspec.Struct, rename="camel", frozen=True):
    phase: str = ""
    container_statuses: list[ContainerStatus] | None = None
    init_container_statuses: list[ContainerStatus] | None = None
    ephemeral_container_statuses: list[ContainerStatus] | None = None


class Pod(msgspec.Struct, frozen=True):
    metadata: Names = Names()
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class Template(msgspec.Struct, frozen=True):
    metadata: Names = Names()
    spec: PodSpec = PodSpec()


class WorkloadSpec(msgspec.Struct, frozen=True):
    template: Template | None = None


class Workload(msgspec.Struct, frozen=True):
    metadata: Names = Names()
    spec: WorkloadSpec = WorkloadSpec()


class JobTemplate(msgspec.Struct, frozen=True):
    spec: WorkloadSpec = WorkloadSpec()


class CronJobSpec(msgspec.Struct, rename="camel", frozen=True):
    job_template: JobTemplate = JobTemplate()


class CronJob(msgspec.Struct, frozen=True):
    metadata: Names = Names()
    spec: CronJobSpec = CronJobSpec()


class ConfigMap(msgspec.Struct, frozen=True):
    metadata: Names = Names()
    data: dict[str, str] | None = None


class Named(msgspec.Struct, frozen=True):
    """An object of any kind."""

    metadata: Names = Names()


class ListMetadata(msgspec.Struct, rename="camel", frozen=True):
    token: str = msgspec.field(default="", name="continue")
    remaining_item_count: int | None = None


class Listed(msgspec.Struct, frozen=True):
    kind: str = ""
    metadata: ListMetadata = ListMetadata()


class Pods(Listed, frozen=True):
    items: list[Pod] | None = None


class Workloads(Listed, frozen=True):
    items: list[Workload] | None = None


class CronJobs(Listed, frozen=True):
    items: list[CronJob] | None = None


class ConfigMaps(Listed, frozen=True):
    items: list[ConfigMap] | None = None


class Others(Listed, frozen=True):
    items: list[msgspec.Raw] | None = None


class GroupVersion(msgspec.Struct, rename="camel", frozen=True):
    group_version: str = ""


class Group(msgspec.Struct, rename="camel", frozen=True):
    name: str = ""
    versions: list[GroupVersion] | None = None
    preferred_version: GroupVersion | None = None

    @property
    def served(self) -> list[str]:
        """The versions, the preferred one first."""
        versions = [self.preferred_version, *(self.versions or ())]
        return list(dict.fromkeys(version.group_version for version in versions if version))


class Groups(msgspec.Struct, frozen=True):
    groups: list[Group]


class Resource(msgspec.Struct, frozen=True):
    name: str = ""
    kind: str = ""
    verbs: list[str] | None = None


class Resources(msgspec.Struct, frozen=True):
    resources: list[Resource]
