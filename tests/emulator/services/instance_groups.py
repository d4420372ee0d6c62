"""Instance Groups: the template's metadata is shown with `view=FULL`, by Get and by List."""

from yandex.cloud.compute.v1.instancegroup import instance_group_pb2
from yandex.cloud.compute.v1.instancegroup import instance_group_service_pb2 as service

from tests.emulator.access import Place
from tests.emulator.errors import not_found
from tests.emulator.listing import folder_asked, in_folder, page_of
from tests.emulator.methods import method
from tests.emulator.state import State

SERVICES = (service.DESCRIPTOR.services_by_name["InstanceGroupService"],)

API = "yandex.cloud.compute.v1.instancegroup.InstanceGroupService"
VIEWER = "compute.viewer"


def place_of(state: State, request: service.GetInstanceGroupRequest) -> Place:
    group = state.workloads.instance_groups.get(request.instance_group_id)
    return (group.folder_id,) if group else ()


@method(f"{API}/Get", role=VIEWER, place_of=place_of)
def get_instance_group(
    state: State, request: service.GetInstanceGroupRequest
) -> instance_group_pb2.InstanceGroup:
    group = state.workloads.instance_groups.get(request.instance_group_id)
    if group is None:
        raise not_found("Instance group", request.instance_group_id)
    return _as_viewed(group, request.view)


@method(f"{API}/List", role=VIEWER, place_of=folder_asked)
def list_instance_groups(
    state: State, request: service.ListInstanceGroupsRequest
) -> service.ListInstanceGroupsResponse:
    groups = in_folder(state, request.folder_id, state.workloads.instance_groups.values())
    page, next_token = page_of(state, request, groups, ("name",))
    return service.ListInstanceGroupsResponse(
        instance_groups=[_as_viewed(group, request.view) for group in page], next_page_token=next_token
    )


def _as_viewed(group: instance_group_pb2.InstanceGroup, view: int) -> instance_group_pb2.InstanceGroup:
    if view == service.InstanceGroupView.FULL:
        return group
    shown = instance_group_pb2.InstanceGroup()
    shown.CopyFrom(group)
    shown.instance_template.ClearField("metadata")
    return shown
