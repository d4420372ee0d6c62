"""The migration from Container Registry to Cloud Registry, which is over as soon as its operation is; over
gRPC alone.

What Cloud Registry has already is left as it is. A dashboard tells of the registries of Container Registry
that are in Cloud Registry as COMPLETED, and counts the others as created.
"""

from collections.abc import Iterable
from typing import Any

from google.protobuf import empty_pb2
from google.protobuf.message import Message
from yandex.cloud.cloudregistry.v1 import migration_pb2 as messages
from yandex.cloud.cloudregistry.v1 import migration_service_pb2 as service
from yandex.cloud.operation.operation_pb2 import Operation

from tests.emulator.access import Place
from tests.emulator.cloud_migration import migrate
from tests.emulator.errors import not_found
from tests.emulator.methods import method
from tests.emulator.services.folders import CLOUD_ID
from tests.emulator.state import Registry, State

SERVICES = (service.DESCRIPTOR.services_by_name["MigrationService"],)

API = "yandex.cloud.cloudregistry.v1.MigrationService"
RUNNER = "cloud-registry.registries.migrationRunner"
WATCHER = "cloud-registry.registries.migrationViewer"


def place_of(state: State, request: Any) -> Place:
    if registry := state.cloud_registries.by_id.get(getattr(request, "registry_id", "")):
        return registry.place
    folder_id = getattr(request, "folder_id", "")
    return (folder_id,) if folder_id else ()


def _scope(state: State, request: Any) -> list[Registry]:
    if hasattr(request, "folder_id"):
        return state.registries_of(request.folder_id)
    if request.cloud_id != CLOUD_ID:
        raise not_found("Cloud", request.cloud_id)
    return list(state.registries.values())


def _start(state: State, request: Any, metadata: Message) -> Operation:
    registries = _scope(state, request)

    def effect() -> Message:
        for registry in registries:
            if registry.id not in state.cloud_registries.by_id:
                migrate(state, registry).redirects = not request.disable_redirects
        return empty_pb2.Empty()

    return state.operations.start("Migrate registries", metadata, effect)


@method(f"{API}/StartFolder", role=RUNNER, place_of=place_of)
def start_folder(state: State, request: service.StartFolderMigrationRequest) -> Operation:
    ids = [registry.id for registry in _scope(state, request)]
    metadata = service.StartFolderMigrationMetadata(folder_id=request.folder_id, registry_ids=ids)
    return _start(state, request, metadata)


@method(f"{API}/StartCloud", role=RUNNER, place_of=place_of)
def start_cloud(state: State, request: service.StartCloudMigrationRequest) -> Operation:
    ids = [registry.id for registry in _scope(state, request)]
    metadata = service.StartCloudMigrationMetadata(cloud_id=request.cloud_id, registry_ids=ids)
    return _start(state, request, metadata)


def _dashboard(state: State, registries: list[Registry]) -> dict[str, Any]:
    counters = service.CloudMigrationProgressCounters()
    for registry in registries:
        target = state.cloud_registries.by_id.get(registry.id)
        repositories = target.repositories if target else {}
        _count(counters.registries, [target is not None])
        for repository in registry.repositories.values():
            copy = repositories.get(repository.short_name)
            _count(counters.repositories, [copy is not None])
            _count(
                counters.tags, (copy is not None and tag in copy.artifacts for tag in repository.tag_names())
            )
    complete = counters.tags.total == counters.tags.completed
    complete = complete and counters.registries.total == counters.registries.completed
    return {"status": messages.COMPLETED if complete else messages.CREATED, "progress": counters}


def _count(counters: messages.MigrationCounters, arrived: Iterable[bool]) -> None:
    for has_arrived in arrived:
        counters.total += 1
        if has_arrived:
            counters.completed += 1
        else:
            counters.created += 1


@method(f"{API}/GetFolderMigrationStatusDashboard", role=WATCHER, place_of=place_of)
def folder_dashboard(
    state: State, request: service.GetFolderMigrationStatusDashboardRequest
) -> service.FolderMigrationStatusDashboard:
    dashboard = _dashboard(state, _scope(state, request))
    return service.FolderMigrationStatusDashboard(folder_id=request.folder_id, **dashboard)


@method(f"{API}/GetCloudMigrationStatusDashboard", role=WATCHER, place_of=place_of)
def cloud_dashboard(
    state: State, request: service.GetCloudMigrationStatusDashboardRequest
) -> service.CloudMigrationStatusDashboard:
    dashboard = _dashboard(state, _scope(state, request))
    return service.CloudMigrationStatusDashboard(cloud_id=request.cloud_id, **dashboard)


def _toggle(state: State, ids: list[str], enabled: bool, metadata: Message) -> Operation:
    def effect() -> Message:
        for registry_id in ids:
            state.cloud_registries.registry(registry_id).redirects = enabled
        return empty_pb2.Empty()

    return state.operations.start("Toggle redirects", metadata, effect)


@method(f"{API}/ToggleRegistryRedirects", role=RUNNER, place_of=place_of)
def toggle_registry(state: State, request: service.ToggleRegistryRedirectsRequest) -> Operation:
    state.cloud_registries.registry(request.registry_id)
    metadata = service.ToggleRegistryRedirectsMetadata(
        registry_id=request.registry_id, enabled=request.enabled
    )
    return _toggle(state, [request.registry_id], request.enabled, metadata)


@method(f"{API}/ToggleFolderRedirects", role=RUNNER, place_of=place_of)
def toggle_folder(state: State, request: service.ToggleFolderRedirectsRequest) -> Operation:
    ids = [registry.id for registry in state.cloud_registries.of_folder(request.folder_id)]
    metadata = service.ToggleFolderRedirectsMetadata(
        folder_id=request.folder_id, registry_ids=ids, enabled=request.enabled
    )
    return _toggle(state, ids, request.enabled, metadata)


@method(f"{API}/ToggleCloudRedirects", role=RUNNER, place_of=place_of)
def toggle_cloud(state: State, request: service.ToggleCloudRedirectsRequest) -> Operation:
    ids = list(state.cloud_registries.by_id)
    metadata = service.ToggleCloudRedirectsMetadata(
        cloud_id=request.cloud_id, registry_ids=ids, enabled=request.enabled
    )
    return _toggle(state, ids, request.enabled, metadata)
