"""Managed Service for Kubernetes: clusters, their endpoints and their certificate authorities.

A cluster's external endpoint is where its Kubernetes API really listens (`kubernetes_servers.py`); so is the
internal one of a cluster that has no other. The internal endpoint of a cluster with both cannot be reached,
as from outside its network.
"""

from yandex.cloud.k8s.v1 import cluster_pb2
from yandex.cloud.k8s.v1 import cluster_service_pb2 as service

from tests.emulator.access import Place
from tests.emulator.certificates import cluster_certificates
from tests.emulator.clock import timestamp
from tests.emulator.errors import not_found
from tests.emulator.listing import folder_asked, in_folder, page_of
from tests.emulator.methods import method
from tests.emulator.state import State
from tests.emulator.workloads import NOWHERE, Cluster

SERVICES = (service.DESCRIPTOR.services_by_name["ClusterService"],)

API = "yandex.cloud.k8s.v1.ClusterService"
VIEWER = "k8s.viewer"


def place_of(state: State, request: service.GetClusterRequest) -> Place:
    cluster = state.workloads.clusters.get(request.cluster_id)
    return (cluster.folder_id,) if cluster else ()


@method(f"{API}/Get", role=VIEWER, place_of=place_of)
def get_cluster(state: State, request: service.GetClusterRequest) -> cluster_pb2.Cluster:
    cluster = state.workloads.clusters.get(request.cluster_id)
    if cluster is None:
        raise not_found("Cluster", request.cluster_id)
    return _message(cluster)


@method(f"{API}/List", role=VIEWER, place_of=folder_asked)
def list_clusters(state: State, request: service.ListClustersRequest) -> service.ListClustersResponse:
    clusters = in_folder(state, request.folder_id, state.workloads.clusters.values())
    page, next_token = page_of(state, request, clusters, ("name",))
    return service.ListClustersResponse(
        clusters=[_message(cluster) for cluster in page], next_page_token=next_token
    )


def _message(cluster: Cluster) -> cluster_pb2.Cluster:
    if cluster.endpoint == "internal":
        endpoints = cluster_pb2.MasterEndpoints(internal_v4_endpoint=cluster.url)
    else:
        endpoints = cluster_pb2.MasterEndpoints(
            internal_v4_endpoint=NOWHERE, external_v4_endpoint=cluster.url
        )
    authority = cluster_certificates(cluster.id).authority
    return cluster_pb2.Cluster(
        id=cluster.id,
        folder_id=cluster.folder_id,
        created_at=timestamp(cluster.created_at),
        name=cluster.name,
        status=cluster_pb2.Cluster.Status.Value(cluster.status),
        master=cluster_pb2.Master(
            endpoints=endpoints, master_auth=cluster_pb2.MasterAuth(cluster_ca_certificate=authority)
        ),
    )
