"""Container Registry: registries, repositories and images.

An image list takes the narrowest scope it is given: `repositoryName` before `registryId` before `folderId`.
Without `orderBy` lists go by id, images of several registries too. Lifecycle policies have their own module.
"""

from typing import Any

from google.protobuf import empty_pb2
from google.protobuf.message import Message
from yandex.cloud.containerregistry.v1 import (
    image_pb2,
    image_service_pb2,
    registry_pb2,
    registry_service_pb2,
    repository_pb2,
    repository_service_pb2,
)
from yandex.cloud.operation.operation_pb2 import Operation

from tests.emulator.access import Place
from tests.emulator.clock import timestamp
from tests.emulator.errors import NOT_FOUND, ApiError, invalid, not_found
from tests.emulator.images import ORDER_FIELDS, ImageSet, cloud_id
from tests.emulator.methods import method
from tests.emulator.paging import cut_page, filtered_name, order_fields
from tests.emulator.rendered_page import RenderedPage
from tests.emulator.services.access_bindings import bindable
from tests.emulator.state import Registry, Repository, State

SERVICES = (
    image_service_pb2.DESCRIPTOR.services_by_name["ImageService"],
    registry_service_pb2.DESCRIPTOR.services_by_name["RegistryService"],
    repository_service_pb2.DESCRIPTOR.services_by_name["RepositoryService"],
)

API = "yandex.cloud.containerregistry.v1"
VIEWER = "container-registry.viewer"
PUSHER = "container-registry.images.pusher"
ADMIN = "container-registry.admin"


def place_of(state: State, request: Any) -> Place:
    """Where the first thing is that the request names, the narrowest first."""
    if image_id := getattr(request, "image_id", ""):
        image = state.images.get(image_id)
        return state.repositories_by_name[image.name].place if image else ()
    if name := getattr(request, "repository_name", "") or getattr(request, "name", ""):
        return state.place_of_repository(name)
    if repository_id := getattr(request, "repository_id", ""):
        return _place_of_repository(state, repository_id)
    if registry_id := getattr(request, "registry_id", ""):
        return _place_of_registry(state, registry_id)
    folder_id = getattr(request, "folder_id", "")
    return (folder_id,) if folder_id else ()


def _place_of_registry(state: State, registry_id: str) -> Place:
    registry = state.registries.get(registry_id)
    return registry.place if registry else ()


def _place_of_repository(state: State, repository_id: str) -> Place:
    repository = state.repositories.get(repository_id)
    return repository.place if repository else ()


bindable(f"{API}.RegistryService", "Registry", _place_of_registry, viewer=VIEWER, admin=ADMIN)
bindable(f"{API}.RepositoryService", "Repository", _place_of_repository, viewer=VIEWER, admin=ADMIN)


def registry_by_id(state: State, registry_id: str) -> Registry:
    if registry_id not in state.registries:
        raise not_found("Registry", registry_id)
    return state.registries[registry_id]


def repository_by_id(state: State, repository_id: str) -> Repository:
    if repository_id not in state.repositories:
        raise not_found("Repository", repository_id)
    return state.repositories[repository_id]


def repository_by_name(state: State, name: str) -> Repository:
    if name not in state.repositories_by_name:
        raise not_found("Repository", name)
    return state.repositories_by_name[name]


def image_page(
    state: State, scope: str, images: ImageSet, request: Any, field: str, response_class: type[Message]
) -> RenderedPage:
    """The page that a list request asks of the images of its scope."""
    order = order_fields(request.order_by, ORDER_FIELDS if field == "images" else ("name", "created_at"))
    keys, ordered = images.ordered(order)
    query = (scope, request.filter, order)
    part, next_token = cut_page(state.page_tokens, query, keys, request.page_size, request.page_token)
    return RenderedPage(response_class, field, ordered[part], next_token)


def folder_registries(state: State, folder_id: str) -> list[Registry]:
    if state.folders and folder_id not in state.folders:
        raise not_found("Folder", folder_id)
    return state.registries_of(folder_id)


@method(f"{API}.ImageService/List", role=VIEWER, place_of=place_of)
def list_images(state: State, request: image_service_pb2.ListImagesRequest) -> RenderedPage:
    if request.repository_name:
        images, scope = repository_by_name(state, request.repository_name).images, request.repository_name
    elif request.registry_id:
        images, scope = registry_by_id(state, request.registry_id).images, request.registry_id
    elif request.folder_id:
        folder_registries(state, request.folder_id)
        images, scope = state.folder_images(request.folder_id), request.folder_id
    else:
        raise invalid("one of repository_name, registry_id, folder_id must be set")
    name = filtered_name(request.filter)
    if name is not None:
        images = _named(state, images, name)
    return image_page(state, scope, images, request, "images", image_service_pb2.ListImagesResponse)


def _named(state: State, images: ImageSet, name: str) -> ImageSet:
    """Those of the images that are in the repository of that name."""
    repository = state.repositories_by_name.get(name)
    whole = repository.images if repository else ImageSet()
    return whole if all(image_id in images for image_id in whole.ids()[:1]) else ImageSet()


@method(f"{API}.ImageService/Get", role=VIEWER, place_of=place_of)
def get_image(state: State, request: image_service_pb2.GetImageRequest) -> image_pb2.Image:
    if request.image_id not in state.images:
        raise not_found("Image", request.image_id)
    return state.images[request.image_id].message()


@method(f"{API}.ImageService/Delete", role=PUSHER, place_of=place_of)
def delete_image(state: State, request: image_service_pb2.DeleteImageRequest) -> Operation:
    image_id = request.image_id
    if image_id not in state.images:
        raise not_found("Image", image_id)

    def effect() -> Message:
        if image_id not in state.images:
            raise ApiError(NOT_FOUND, f"Image {image_id} not found")
        state.remove_image(image_id)
        return empty_pb2.Empty()

    metadata = image_service_pb2.DeleteImageMetadata(image_id=image_id)
    return state.operations.start("Delete image", metadata, effect)


def _registry_message(registry: Registry) -> registry_pb2.Registry:
    return registry_pb2.Registry(
        id=registry.id,
        folder_id=registry.folder_id,
        name=registry.name,
        status=registry_pb2.Registry.Status.ACTIVE,
        created_at=timestamp(registry.created_at),
        labels=registry.labels,
    )


@method(f"{API}.RegistryService/Get", role=VIEWER, place_of=place_of)
def get_registry(state: State, request: registry_service_pb2.GetRegistryRequest) -> registry_pb2.Registry:
    return _registry_message(registry_by_id(state, request.registry_id))


@method(f"{API}.RegistryService/List", role=VIEWER, place_of=place_of)
def list_registries(
    state: State, request: registry_service_pb2.ListRegistriesRequest
) -> registry_service_pb2.ListRegistriesResponse:
    name = filtered_name(request.filter)
    found = [
        registry for registry in folder_registries(state, request.folder_id) if name in (None, registry.name)
    ]
    found.sort(key=lambda registry: registry.id)
    query = ("registries", request.folder_id, name)
    part, next_token = cut_page(
        state.page_tokens, query, [registry.id for registry in found], request.page_size, request.page_token
    )
    return registry_service_pb2.ListRegistriesResponse(
        registries=[_registry_message(registry) for registry in found[part]], next_page_token=next_token
    )


def _repository_message(repository: Repository) -> repository_pb2.Repository:
    return repository_pb2.Repository(id=repository.id, name=repository.name)


@method(f"{API}.RepositoryService/Get", role=VIEWER, place_of=place_of)
def get_repository(
    state: State, request: repository_service_pb2.GetRepositoryRequest
) -> repository_pb2.Repository:
    return _repository_message(repository_by_id(state, request.repository_id))


@method(f"{API}.RepositoryService/GetByName", role=VIEWER, place_of=place_of)
def get_repository_by_name(
    state: State, request: repository_service_pb2.GetRepositoryByNameRequest
) -> repository_pb2.Repository:
    return _repository_message(repository_by_name(state, request.repository_name))


@method(f"{API}.RepositoryService/List", role=VIEWER, place_of=place_of)
def list_repositories(
    state: State, request: repository_service_pb2.ListRepositoriesRequest
) -> repository_service_pb2.ListRepositoriesResponse:
    if request.registry_id:
        registries = [registry_by_id(state, request.registry_id)]
    elif request.folder_id:
        registries = folder_registries(state, request.folder_id)
    else:
        raise invalid("one of registry_id, folder_id must be set")
    name = filtered_name(request.filter)
    order = order_fields(request.order_by, ("name", "id"))
    found = sorted(
        ([*(getattr(repository, field) for field in order), repository.id], repository)
        for registry in registries
        for repository in registry.repositories.values()
        if name in (None, repository.name)
    )
    query = ("repositories", request.registry_id or request.folder_id, name, order)
    keys = [key for key, _ in found]
    part, next_token = cut_page(state.page_tokens, query, keys, request.page_size, request.page_token)
    return repository_service_pb2.ListRepositoriesResponse(
        repositories=[_repository_message(repository) for _, repository in found[part]],
        next_page_token=next_token,
    )


@method(f"{API}.RepositoryService/Upsert", role=PUSHER, place_of=place_of)
def upsert_repository(state: State, request: repository_service_pb2.UpsertRepositoryRequest) -> Operation:
    registry_id, _, short_name = request.name.partition("/")
    registry = registry_by_id(state, registry_id)
    if not short_name:
        raise invalid("name: must be <registry id>/<repository name>")
    repository_id = cloud_id("crp", f"repository {request.name}")
    if request.name in state.repositories_by_name:
        repository_id = state.repositories_by_name[request.name].id

    def effect() -> Message:
        if request.name not in state.repositories_by_name:
            state.add_repository(Repository(repository_id, request.name, registry))
        return _repository_message(state.repositories_by_name[request.name])

    metadata = repository_service_pb2.UpsertRepositoryMetadata(repository_id=repository_id)
    return state.operations.start("Upsert repository", metadata, effect)


@method(f"{API}.RepositoryService/Delete", role=PUSHER, place_of=place_of)
def delete_repository(state: State, request: repository_service_pb2.DeleteRepositoryRequest) -> Operation:
    repository_id = request.repository_id
    repository_by_id(state, repository_id)

    def effect() -> Message:
        state.remove_repository(repository_by_id(state, repository_id))
        return empty_pb2.Empty()

    metadata = repository_service_pb2.DeleteRepositoryMetadata(repository_id=repository_id)
    return state.operations.start("Delete repository", metadata, effect)
