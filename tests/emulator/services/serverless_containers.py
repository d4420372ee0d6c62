"""Serverless Containers: containers and their revisions, each of which names the image it runs.

Revisions are listed by folder or by container, by exactly one of them.
"""

from typing import Any

from yandex.cloud.serverless.containers.v1 import container_pb2
from yandex.cloud.serverless.containers.v1 import container_service_pb2 as service

from tests.emulator.access import Place
from tests.emulator.errors import not_found
from tests.emulator.listing import folder_asked, in_folder, page_of
from tests.emulator.methods import method
from tests.emulator.state import State

SERVICES = (service.DESCRIPTOR.services_by_name["ContainerService"],)

API = "yandex.cloud.serverless.containers.v1.ContainerService"
VIEWER = "serverless-containers.viewer"


def place_of(state: State, request: Any) -> Place:
    """The folder that the request names, or that of its container or revision."""
    if folder_id := getattr(request, "folder_id", ""):
        return (folder_id,)
    container_id = getattr(request, "container_id", "")
    if revision_id := getattr(request, "container_revision_id", ""):
        revision = state.workloads.revisions.get(revision_id)
        container_id = revision.container_id if revision else ""
    container = state.workloads.containers.get(container_id)
    return (container.folder_id,) if container else ()


@method(f"{API}/Get", role=VIEWER, place_of=place_of)
def get_container(state: State, request: service.GetContainerRequest) -> container_pb2.Container:
    return _known_container(state, request.container_id)


def _known_container(state: State, container_id: str) -> container_pb2.Container:
    if container_id not in state.workloads.containers:
        raise not_found("Container", container_id)
    return state.workloads.containers[container_id]


@method(f"{API}/List", role=VIEWER, place_of=folder_asked)
def list_containers(state: State, request: service.ListContainersRequest) -> service.ListContainersResponse:
    containers = in_folder(state, request.folder_id, state.workloads.containers.values())
    page, next_token = page_of(state, request, containers, ("name",))
    return service.ListContainersResponse(containers=page, next_page_token=next_token)


@method(f"{API}/GetRevision", role=VIEWER, place_of=place_of)
def get_revision(state: State, request: service.GetContainerRevisionRequest) -> container_pb2.Revision:
    revision = state.workloads.revisions.get(request.container_revision_id)
    if revision is None:
        raise not_found("Revision", request.container_revision_id)
    return revision


@method(f"{API}/ListRevisions", role=VIEWER, place_of=place_of)
def list_revisions(
    state: State, request: service.ListContainersRevisionsRequest
) -> service.ListContainersRevisionsResponse:
    if request.container_id:
        containers = [_known_container(state, request.container_id)]
    else:
        containers = in_folder(state, request.folder_id, state.workloads.containers.values())
    ids = {container.id for container in containers}
    revisions = [found for found in state.workloads.revisions.values() if found.container_id in ids]
    page, next_token = page_of(state, request, revisions, ("status",))
    return service.ListContainersRevisionsResponse(revisions=page, next_page_token=next_token)
