"""The kinds of Kubernetes objects that the emulator lists, where, and objects made by the number."""

from dataclasses import dataclass
from typing import Any

KINDS = {
    "Pod": ("/api/v1", "pods"),
    "ReplicationController": ("/api/v1", "replicationcontrollers"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "StatefulSet": ("/apis/apps/v1", "statefulsets"),
    "DaemonSet": ("/apis/apps/v1", "daemonsets"),
    "ReplicaSet": ("/apis/apps/v1", "replicasets"),
    "Job": ("/apis/batch/v1", "jobs"),
    "CronJob": ("/apis/batch/v1", "cronjobs"),
    "ControllerRevision": ("/apis/apps/v1", "controllerrevisions"),
    "ConfigMap": ("/api/v1", "configmaps"),
}

KIND_OF_PATH = {f"{group}/{resource}": kind for kind, (group, resource) in KINDS.items()}


@dataclass(frozen=True)
class CustomKind:
    """A custom resource that a cluster serves; who has the role `view` may list it if it is `listable`."""

    group: str
    version: str
    resource: str
    kind: str
    listable: bool = True

    @property
    def group_version(self) -> str:
        return f"{self.group}/{self.version}"

    @property
    def path(self) -> str:
        return f"/apis/{self.group_version}/{self.resource}"


def sort_key(document: dict[str, Any]) -> tuple[str, str]:
    return document["metadata"]["namespace"], document["metadata"]["name"]


def series_objects(
    kind: str, count: int, image: str, image_id: str = "", name: str = "", namespace: str = "default"
) -> list[dict[str, Any]]:
    """`count` objects that run one image; `{n}` in the image stands for the object's number."""
    stem = name or kind.lower()
    return [
        {
            "kind": kind,
            "metadata": {"name": f"{stem}-{number:06}", "namespace": namespace},
            **_contents(kind, image.replace("{n}", str(number)), image_id.replace("{n}", str(number))),
        }
        for number in range(1, count + 1)
    ]


def _contents(kind: str, image: str, image_id: str) -> dict[str, Any]:
    pod_spec = {"containers": [{"name": "main", "image": image}]}
    if kind == "Pod":
        state = {"name": "main", "image": image, "imageID": image_id, "ready": True}
        return {"spec": pod_spec, "status": {"phase": "Running", "containerStatuses": [state]}}
    if kind == "CronJob":
        return {"spec": {"jobTemplate": {"spec": {"template": {"spec": pod_spec}}}}}
    return {"spec": {"template": {"spec": pod_spec}}}
