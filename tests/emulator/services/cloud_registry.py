"""Cloud Registry: registries and their artifacts.

Lists have 10 items a page unless more are asked for. Filters are one condition, `name = "x"` or `name !=
"x"`. `orderBy` is `name`, `created_at` or `modified_at`, each with `asc` or `desc`; without it lists go by
id. A list of artifacts takes one of `folderId` and `registryId`: the definitions say of each that it is
ignored if the other is given, so both are refused.
"""

import dataclasses
import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf import empty_pb2
from google.protobuf.message import Message
from yandex.cloud.cloudregistry.v1 import artifact_service_pb2 as artifact_service
from yandex.cloud.cloudregistry.v1 import registry_service_pb2 as registry_service
from yandex.cloud.cloudregistry.v1.artifact_pb2 import Artifact as ArtifactMessage
from yandex.cloud.cloudregistry.v1.registry_pb2 import Registry
from yandex.cloud.operation.operation_pb2 import Operation

from tests.emulator.access import Place
from tests.emulator.cloud_artifacts import Artifact
from tests.emulator.cloud_registries import CloudRegistry
from tests.emulator.errors import NOT_FOUND, ApiError, invalid, not_found
from tests.emulator.listing import check_folder
from tests.emulator.methods import method
from tests.emulator.operations import origin
from tests.emulator.paging import cut_page
from tests.emulator.rendered_page import RenderedPage
from tests.emulator.services.access_bindings import bindable
from tests.emulator.state import State
from tests.emulator.switches import PUSHER

SERVICES = (
    artifact_service.DESCRIPTOR.services_by_name["ArtifactService"],
    registry_service.DESCRIPTOR.services_by_name["RegistryService"],
)

API = "yandex.cloud.cloudregistry.v1"
VIEWER = "cloud-registry.viewer"
ADMIN = "cloud-registry.admin"
DEFAULT_PAGE_SIZE = 10
ORDER_FIELDS = ("name", "created_at", "modified_at")
LISTED_TYPES = (Registry.Type.LOCAL, Registry.Type.REMOTE)
KEPT_LISTS = 64

_CONDITION = re.compile(r'\s*(\w+)\s*(!?=)\s*"([^"]*)"\s*')
_ORDER = re.compile(r"\s*(\w+)(?:\s+(asc|desc))?\s*")


@functools.total_ordering
@dataclasses.dataclass(frozen=True)
class Descending:
    value: Any

    def __lt__(self, other: "Descending") -> bool:
        return bool(self.value > other.value)


def condition_of(expression: str, field: str, where: str) -> Callable[[str], bool]:
    """The test that a filter puts to the field."""
    if not expression:
        return lambda text: True
    match = _CONDITION.fullmatch(expression)
    if match is None or match[1] != field:
        raise invalid(f'{where}: expected {field} = "..." or {field} != "...", got {expression!r}')
    return lambda text: (text == match[3]) == (match[2] == "=")


def key_of(order_by: str, allowed: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """The key by which an order sorts records that have an id."""
    fields = []
    for part in order_by.split(",") if order_by else ():
        match = _ORDER.fullmatch(part)
        if match is None or match[1] not in allowed:
            raise invalid(f"order_by: expected {', '.join(allowed)} with asc or desc, got {part!r}")
        fields.append((match[1], Descending if match[2] == "desc" else lambda value: value))
    return lambda record: (*(wrap(getattr(record, name)) for name, wrap in fields), record.id)


def _place_of_registry(state: State, registry_id: str) -> Place:
    registry = state.cloud_registries.by_id.get(registry_id)
    return registry.place if registry else ()


def _place_of_node(state: State, node_id: str) -> Place:
    return state.cloud_registries.place_of(node_id)


def place_of(state: State, request: Any) -> Place:
    if node_id := getattr(request, "artifact_id", ""):
        return _place_of_node(state, node_id)
    if registry_id := getattr(request, "registry_id", ""):
        return _place_of_registry(state, registry_id)
    folder_id = getattr(request, "folder_id", "")
    return (folder_id,) if folder_id else ()


bindable(f"{API}.RegistryService", "Registry", _place_of_registry, viewer=VIEWER, admin=ADMIN)
bindable(f"{API}.ArtifactService", "Artifact", _place_of_node, viewer=VIEWER, admin=ADMIN)


def node_by_id(state: State, node_id: str) -> Artifact:
    registries = state.cloud_registries
    node = registries.nodes.get(node_id)
    if node is None or not registries.shows(registries.by_id[node.registry_id], node):
        raise not_found("Artifact", node_id)
    return node


def told(state: State, nodes: list[Artifact]) -> list[Artifact]:
    """The nodes as the API tells of them."""
    if state.cloud_registries.switches.registry_id_told:
        return nodes
    return [dataclasses.replace(node, registry_id="") for node in nodes]


def require_role(state: State, role: str, place: Place) -> None:
    """Refuse the caller who lacks a role that a switch asks for."""
    state.access.require(origin.get().subject_id, role, place)


@method(f"{API}.RegistryService/Get", role=VIEWER, place_of=place_of)
def get_registry(state: State, request: registry_service.GetRegistryRequest) -> Registry:
    return state.cloud_registries.registry(request.registry_id).message


@method(f"{API}.RegistryService/List", role=VIEWER, place_of=place_of)
def list_registries(
    state: State, request: registry_service.ListRegistriesRequest
) -> registry_service.ListRegistriesResponse:
    check_folder(state, request.folder_id)
    has_name = condition_of(request.name_filter, "name", "name_filter")
    wanted = [
        registry.message
        for registry in state.cloud_registries.of_folder(request.folder_id)
        if has_name(registry.message.name)
        and all(
            not values or getattr(registry.message, field) in values
            for field, values in (("kind", request.kind), ("type", request.type), ("status", request.status))
        )
    ]
    wanted.sort(key=lambda message: message.id)
    part, next_token = cut_page(
        state.page_tokens,
        query_of(request),
        [message.id for message in wanted],
        request.page_size,
        request.page_token,
        DEFAULT_PAGE_SIZE,
    )
    return registry_service.ListRegistriesResponse(registries=wanted[part], next_page_token=next_token)


def query_of(request: Message) -> tuple[str, str]:
    """What a page token is good for: everything that the request says but for its pages."""
    fields = [(field.name, value) for field, value in request.ListFields() if "page_" not in field.name]
    return (str(request.DESCRIPTOR.full_name), repr(fields))


@method(f"{API}.RegistryService/ListArtifacts", role=VIEWER, place_of=place_of)
def list_children(state: State, request: registry_service.ListArtifactsRequest) -> RenderedPage:
    registry = state.cloud_registries.registry(request.registry_id)
    parent = "/" + request.path.strip("/") if request.path.strip("/") else ""
    if parent and parent not in registry.by_path:
        raise not_found("Artifact", request.path)
    children = [node for node in state.cloud_registries.shown(registry) if node.parent == parent]
    children.sort(key=lambda node: node.path)
    part, next_token = cut_page(
        state.page_tokens,
        query_of(request),
        [node.path for node in children],
        request.page_size,
        request.page_token,
        DEFAULT_PAGE_SIZE,
    )
    return RenderedPage(
        registry_service.ListArtifactsResponse, "artifacts", told(state, children[part]), next_token
    )


@method(f"{API}.ArtifactService/Get", role=VIEWER, place_of=place_of)
def get_artifact(state: State, request: artifact_service.GetArtifactRequest) -> ArtifactMessage:
    return told(state, [node_by_id(state, request.artifact_id)])[0].message()


@method(f"{API}.ArtifactService/GetByPath", role=VIEWER, place_of=place_of)
def get_by_path(state: State, request: artifact_service.GetArtifactByPathRequest) -> ArtifactMessage:
    registry = state.cloud_registries.registry(request.registry_id)
    node = registry.by_path.get("/" + request.path.strip("/"))
    if node is None:
        raise not_found("Artifact", request.path)
    return told(state, [node_by_id(state, node.id)])[0].message()


@method(f"{API}.ArtifactService/List", role=VIEWER, place_of=place_of)
def list_artifacts(state: State, request: artifact_service.ListArtifactsWithFiltersRequest) -> RenderedPage:
    if bool(request.folder_id) == bool(request.registry_id):
        raise invalid("exactly one of folder_id, registry_id must be set")
    if any(registry_type not in LISTED_TYPES for registry_type in request.registry_type):
        raise invalid("registry_type: only LOCAL and REMOTE are supported")
    if request.registry_id:
        registries = [state.cloud_registries.registry(request.registry_id)]
    else:
        check_folder(state, request.folder_id)
        registries = state.cloud_registries.of_folder(request.folder_id)
    query = query_of(request)
    keys, nodes = _list_of(state, query, registries, request)
    part, next_token = cut_page(
        state.page_tokens, query, keys, request.page_size, request.page_token, DEFAULT_PAGE_SIZE
    )
    response_class = artifact_service.ListArtifactsWithFiltersResponse
    return RenderedPage(response_class, "artifacts", told(state, nodes[part]), next_token)


def _list_of(
    state: State, query: object, registries: list[CloudRegistry], request: Any
) -> tuple[list[Any], list[Artifact]]:
    """Sort keys and nodes of the whole list, which is made once for all its pages as long as nothing
    changes.
    """
    versions = (
        state.cloud_registries.switches,
        *((registry.id, registry.version) for registry in registries),
    )
    lists = state.cloud_registries.lists
    known = lists.get(query)
    if known and known[0] == versions:
        return known[1], known[2]
    wants, key = _node_filter(request), key_of(request.order_by, ORDER_FIELDS)
    pairs = sorted(
        (
            (key(node), node)
            for registry in registries
            if not request.registry_kind or registry.message.kind in request.registry_kind
            if not request.registry_type or registry.message.type in request.registry_type
            for node in state.cloud_registries.shown(registry)
            if wants(node)
        ),
        key=lambda pair: pair[0],
    )
    if len(lists) >= KEPT_LISTS:
        lists.clear()
    lists[query] = (versions, [place for place, _ in pairs], [node for _, node in pairs])
    return lists[query][1], lists[query][2]


def _node_filter(request: Any) -> Callable[[Artifact], bool]:
    has_name = condition_of(request.name_filter, "name", "name_filter")
    has_path = condition_of(request.path_filter, "path", "path_filter")
    kinds, statuses = set(request.kind), set(request.status)
    after, before = float("-inf"), float("inf")
    if request.HasField("created_after"):
        after = request.created_after.ToMicroseconds() / 1e6
    if request.HasField("created_before"):
        before = request.created_before.ToMicroseconds() / 1e6

    def wants(node: Artifact) -> bool:
        return (
            after <= node.created_at < before
            and (not kinds or node.kind in kinds)
            and (not statuses or node.status in statuses)
            and has_name(node.name)
            and has_path(node.path)
            and not request.labels  # nothing here has any
        )

    return wants


@method(f"{API}.ArtifactService/Delete", role=PUSHER, place_of=place_of)
def delete_artifact(state: State, request: artifact_service.DeleteArtifactRequest) -> Operation:
    """Whatever has the id: a folder goes with all that is in it."""
    node_id, with_history = request.artifact_id, request.with_history
    require_role(state, state.cloud_registries.switches.delete_role, _place_of_node(state, node_id))
    node_by_id(state, node_id)

    def effect() -> Message:
        if node_id not in state.cloud_registries.nodes:
            raise ApiError(NOT_FOUND, f"Artifact {node_id} not found")
        state.cloud_registries.remove(node_id, with_history=with_history)
        return empty_pb2.Empty()

    metadata = artifact_service.DeleteArtifactMetadata(artifact_id=node_id)
    return state.operations.start("Delete artifact", metadata, effect)
