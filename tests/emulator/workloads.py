"""What runs images: serverless containers, virtual machines, instance groups, Kubernetes clusters.

The first three are the API's own messages. A cluster's message is made when it is asked for, since its
endpoint is known only once its server listens (`kubernetes_servers.py`).
"""

from dataclasses import dataclass, field
from typing import Any

from yandex.cloud.compute.v1.instance_pb2 import Instance
from yandex.cloud.compute.v1.instancegroup.instance_group_pb2 import InstanceGroup
from yandex.cloud.serverless.containers.v1.container_pb2 import Container, Revision

from tests.emulator.kubernetes_objects import CustomKind

NOWHERE = "https://127.0.0.1:1"  # a port at which nothing listens


@dataclass
class Cluster:
    """`objects` are lists by kind (a custom one's by its path), ordered by namespace and name; `url` is where
    the Kubernetes API is.
    """

    id: str
    folder_id: str
    name: str
    status: str
    created_at: float
    objects: dict[str, list[dict[str, Any]]]
    custom: list[CustomKind] = field(default_factory=list)
    bearer_needed: bool = True
    endpoint: str = "external"
    url: str = NOWHERE

    @property
    def is_served(self) -> bool:
        return self.status != "STOPPED"


@dataclass
class Workloads:
    containers: dict[str, Container] = field(default_factory=dict)
    revisions: dict[str, Revision] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    instance_groups: dict[str, InstanceGroup] = field(default_factory=dict)
    clusters: dict[str, Cluster] = field(default_factory=dict)
