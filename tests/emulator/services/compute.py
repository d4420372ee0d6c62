"""Compute Cloud: virtual machines. Their metadata is shown by Get with `view=FULL`, and by nothing else."""

from yandex.cloud.compute.v1 import instance_pb2
from yandex.cloud.compute.v1 import instance_service_pb2 as service

from tests.emulator.access import Place
from tests.emulator.errors import not_found
from tests.emulator.listing import folder_asked, in_folder, page_of
from tests.emulator.methods import method
from tests.emulator.paging import order_fields
from tests.emulator.state import State

SERVICES = (service.DESCRIPTOR.services_by_name["InstanceService"],)

API = "yandex.cloud.compute.v1.InstanceService"
VIEWER = "compute.viewer"


def place_of(state: State, request: service.GetInstanceRequest) -> Place:
    instance = state.workloads.instances.get(request.instance_id)
    return (instance.folder_id,) if instance else ()


@method(f"{API}/Get", role=VIEWER, place_of=place_of)
def get_instance(state: State, request: service.GetInstanceRequest) -> instance_pb2.Instance:
    instance = state.workloads.instances.get(request.instance_id)
    if instance is None:
        raise not_found("Instance", request.instance_id)
    return instance if request.view == service.InstanceView.FULL else _without_metadata(instance)


@method(f"{API}/List", role=VIEWER, place_of=folder_asked)
def list_instances(state: State, request: service.ListInstancesRequest) -> service.ListInstancesResponse:
    order_fields(request.order_by, ("id",))
    instances = in_folder(state, request.folder_id, state.workloads.instances.values())
    page, next_token = page_of(state, request, instances, ("name", "status"))
    return service.ListInstancesResponse(
        instances=[_without_metadata(instance) for instance in page], next_page_token=next_token
    )


def _without_metadata(instance: instance_pb2.Instance) -> instance_pb2.Instance:
    shown = instance_pb2.Instance()
    shown.CopyFrom(instance)
    shown.ClearField("metadata")
    return shown
