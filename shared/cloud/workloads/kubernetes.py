"""Managed Kubernetes: the clusters of a folder, each looked into by the first of its addresses that answers.

``GET /managed-kubernetes/v1/clusters?folderId=`` gives each cluster's endpoints and CA
(yandex/cloud/k8s/v1/cluster.proto); its master takes an IAM token as bearer. `kubernetes_workloads`
and `kubernetes_custom` look into a cluster.
"""

from __future__ import annotations

import msgspec

from shared.cloud.address import read
from shared.cloud.client import PAGE, Cloud
from shared.cloud.parallel import for_each
from shared.cloud.workloads import kubernetes_lists
from shared.cloud.workloads.asking import Seen, doubtful, every
from shared.cloud.workloads.kubernetes_custom import look_at_custom
from shared.cloud.workloads.kubernetes_workloads import (
    PODS,
    Gathering,
    look_at_config_maps,
    look_at_revisions,
    look_at_workloads,
)
from shared.errors import INTERNAL, UNAVAILABLE, CallError, short

PLACE = "the Managed Kubernetes clusters"
SERVICE, ROLE, CLUSTER_ROLE = "mks", "k8s.viewer", kubernetes_lists.ROLE
ROOT = "/managed-kubernetes/v1/clusters"
ATTEMPTS, TIMEOUT = 3, 15.0


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


def look(cloud: Cloud, folder_id: str, registry_ids: frozenset[str]) -> Seen:
    """What the folder's clusters use, and what is doubtful about them. Raises CallError."""
    seen = Seen()

    def look_into(cluster: _Cluster) -> None:
        gathering, pods, hidden = _look_into(cloud, cluster, registry_ids)
        seen.uses.extend(gathering.uses)
        if hidden:
            seen.hidden[gathering.cluster] = hidden
        if not pods:
            seen.doubts.append(
                f"The cluster {gathering.cluster} ({cluster.status or 'of an unknown status'}) shows not one"
                " pod."
            )

    clusters: list[_Cluster] = every(
        cloud, SERVICE, ROOT, _Clusters, lambda page: page.clusters, role=ROLE, params={"folderId": folder_id}
    )
    for_each([cluster for cluster in clusters if cluster.status != "DELETING"], look_into, cloud.concurrency)
    return seen


def _look_into(
    cloud: Cloud, cluster: _Cluster, registry_ids: frozenset[str]
) -> tuple[Gathering, int, list[str]]:
    """As `_seen`, from the first of the cluster's addresses that answers."""
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
            call=f"GET {ROOT}",
            code=UNAVAILABLE,
        )
    failures: list[CallError] = []
    for address in filter(None, addresses):
        try:
            return _seen(_master(cloud, cluster, address), cluster, Gathering(name, registry_ids))
        except CallError as error:
            if error.code != UNAVAILABLE:
                raise
            failures.append(error)
    tried = "; ".join(
        f"{address}: {error.message}"
        for address, error in zip(filter(None, addresses), failures, strict=True)
    )
    raise CallError(
        f"the cluster {name} ({cluster.status}) does not answer ({tried}); start it, and attach the function"
        " to its network (--network-id) if it has no public address",
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
            f"the cluster {cluster.name or cluster.id} has the address {short(address)}, which is none that"
            " takes a token: https, a host and a port",
            service=SERVICE,
            call=f"GET {ROOT}",
            code=INTERNAL,
        )
    authority = cluster.master.master_auth.cluster_ca_certificate
    return cloud.at(server.origin, authority=authority, attempts=ATTEMPTS, timeout=TIMEOUT, most=PAGE)


def _seen(master: Cloud, cluster: _Cluster, gathering: Gathering) -> tuple[Gathering, int, list[str]]:
    """What one cluster uses, the number of its pods, and the kinds that may not be listed.

    Raises CallError.
    """
    pods = look_at_workloads(master, gathering)
    if not pods and cluster.status == "RUNNING":
        raise doubtful(
            f"the cluster {gathering.cluster} is RUNNING, but it shows not one pod; run it again later, and"
            " if the cluster really has none, stop or delete it",
            "kubernetes",
            f"GET {PODS}",
        )
    look_at_revisions(master, gathering)
    hidden = look_at_config_maps(master, gathering)
    return gathering, pods, hidden + look_at_custom(master, gathering)
