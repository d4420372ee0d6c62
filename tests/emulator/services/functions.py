"""Cloud Functions: functions. Their versions have their own module.

A function is deleted with its versions. Its triggers stay, and fail when they fire: that the cloud would
refuse, or delete them too, isn't documented.
"""

import itertools
from typing import Any

from yandex.cloud.operation.operation_pb2 import Operation
from yandex.cloud.serverless.functions.v1 import function_service_pb2 as service
from yandex.cloud.serverless.functions.v1.function_pb2 import Function

from tests.emulator.access import Place
from tests.emulator.clock import timestamp
from tests.emulator.errors import RESOURCE_EXHAUSTED, ApiError
from tests.emulator.images import cloud_id
from tests.emulator.labelled import Labelled
from tests.emulator.listing import check_folder, check_name_in_folder, folder_asked
from tests.emulator.methods import method
from tests.emulator.services.access_bindings import bindable
from tests.emulator.state import State
from tests.emulator.updating import updated

SERVICES = (service.DESCRIPTOR.services_by_name["FunctionService"],)

API = "yandex.cloud.serverless.functions.v1.FunctionService"
VIEWER = "functions.viewer"
EDITOR = "functions.editor"
MOST_FUNCTIONS = 10

_numbers = itertools.count(1)


def place_of_function(state: State, function_id: str) -> Place:
    function = state.serverless.functions.get(function_id)
    return (function.id, function.folder_id) if function else ()


def place_of(state: State, request: Any) -> Place:
    return place_of_function(state, request.function_id)


bindable(API, "Function", place_of_function, viewer=VIEWER, admin="functions.admin")


FUNCTIONS: Labelled[Function] = Labelled(
    "Function", service, API, "function_id", lambda state: state.serverless.functions
)
FUNCTIONS.offer_reading(VIEWER, place_of, ("name",))
FUNCTIONS.offer_operations(VIEWER, place_of)
function_by_id = FUNCTIONS.by_id


def _check_name(state: State, function: Function) -> None:
    check_name_in_folder("Function", function, state.serverless.functions.values())


@method(f"{API}/Create", role=EDITOR, place_of=folder_asked)
def create_function(state: State, request: service.CreateFunctionRequest) -> Operation:
    check_folder(state, request.folder_id)
    function_id = cloud_id("d4e", f"function {next(_numbers)}")
    function = Function(
        id=function_id,
        folder_id=request.folder_id,
        created_at=timestamp(state.clock.now()),
        name=request.name,
        description=request.description,
        labels=request.labels,
        http_invoke_url=f"https://functions.yandexcloud.net/{function_id}",
        status=Function.Status.ACTIVE,
    )
    _check_name(state, function)
    if len(state.serverless.functions) >= MOST_FUNCTIONS:
        raise ApiError(RESOURCE_EXHAUSTED, f"The quota of {MOST_FUNCTIONS} functions is exceeded")

    return FUNCTIONS.create(state, function, _check_name)


@method(f"{API}/Update", role=EDITOR, place_of=place_of)
def update_function(state: State, request: service.UpdateFunctionRequest) -> Operation:
    changed = updated(function_by_id(state, request.function_id), request)
    _check_name(state, changed)
    return FUNCTIONS.update(state, request.function_id, changed)


@method(f"{API}/Delete", role=EDITOR, place_of=place_of)
def delete_function(state: State, request: service.DeleteFunctionRequest) -> Operation:
    return FUNCTIONS.delete(state, request.function_id, _remove_versions)


def _remove_versions(state: State, function_id: str) -> None:
    for version in state.serverless.versions_of(function_id):
        state.serverless.remove_version(version.id, state.clock.now())
