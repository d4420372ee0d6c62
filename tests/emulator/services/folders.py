"""Folders of the one cloud that there is. They cannot be made or changed here; roles can be bound on them.

A seed that declares no folders has every folder that is asked for.
"""

from yandex.cloud.resourcemanager.v1 import folder_pb2
from yandex.cloud.resourcemanager.v1 import folder_service_pb2 as service

from tests.emulator.access import Place
from tests.emulator.errors import not_found
from tests.emulator.listing import check_folder, folder_asked, page_of
from tests.emulator.methods import method
from tests.emulator.services.access_bindings import bindable
from tests.emulator.state import State

SERVICES = (service.DESCRIPTOR.services_by_name["FolderService"],)

API = "yandex.cloud.resourcemanager.v1.FolderService"
CLOUD_ID = "b1gcloud000000000000"


def place_of_folder(state: State, folder_id: str) -> Place:
    return (folder_id,) if not state.folders or folder_id in state.folders else ()


bindable(
    API,
    "Folder",
    place_of_folder,
    viewer="resource-manager.viewer",
    admin="resource-manager.admin",
    tells_effect=True,
)


@method(f"{API}/Get", role="resource-manager.auditor", place_of=folder_asked)
def get_folder(state: State, request: service.GetFolderRequest) -> folder_pb2.Folder:
    check_folder(state, request.folder_id)
    return _message(request.folder_id)


@method(f"{API}/List")
def list_folders(state: State, request: service.ListFoldersRequest) -> service.ListFoldersResponse:
    if request.cloud_id != CLOUD_ID:
        raise not_found("Cloud", request.cloud_id)
    folders = [_message(folder_id) for folder_id in state.folders]
    page, next_token = page_of(state, request, folders, ("name",))
    return service.ListFoldersResponse(folders=page, next_page_token=next_token)


def _message(folder_id: str) -> folder_pb2.Folder:
    return folder_pb2.Folder(
        id=folder_id, cloud_id=CLOUD_ID, name=folder_id, status=folder_pb2.Folder.Status.ACTIVE
    )
