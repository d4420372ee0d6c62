"""Cloud Functions: functions. Their versions have their own module.

A function is deleted with its versions. Its triggers stay, and fail when they fire: that the cloud would
refuse, or delete them too, isn't documented.
"""

import itertools
from functools import partial
from typing import Any

from google.protobuf import empty_pb2
from google.protobuf.message import Message
from yandex.cloud.operation.operation_pb2 import Operation
from yandex.cloud.serverless.functions.v1 import function_service_pb2 as service
from yandex.cloud.serverless.functions.v1.function_pb2 import Function

from tests.emulator.access import Place
from tests.emulator.clock import timestamp
from tests.emulator.errors import RESOURCE_EXHAUSTED, ApiError, not_found
from tests.emulator.images import cloud_id
from tests.emulator.listing import check_folder, check_name_in_folder, folder_asked, in_folder, page_of
from tests.emulator.methods import method
from tests.emulator.services.access_bindings import bindable
from tests.emulator.state import State
from tests.emulator.updating import replacing, updated

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


def function_by_id(state: State, function_id: str) -> Function:
    if function_id not in state.serverless.functions:
        raise not_found("Function", function_id)
    return state.serverless.functions[function_id]


@method(f"{API}/Get", role=VIEWER, place_of=place_of)
def get_function(state: State, request: service.GetFunctionRequest) -> Function:
    return function_by_id(state, request.function_id)


@method(f"{API}/List", role=VIEWER, place_of=folder_asked)
def list_functions(state: State, request: service.ListFunctionsRequest) -> service.ListFunctionsResponse:
    functions = in_folder(state, request.folder_id, state.serverless.functions.values())
    page, next_token = page_of(state, request, functions, ("name",))
    return service.ListFunctionsResponse(functions=page, next_page_token=next_token)


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

    def effect() -> Message:
        _check_name(state, function)
        state.serverless.functions[function.id] = function
        return function

    metadata = service.CreateFunctionMetadata(function_id=function.id)
    return state.operations.start("Create function", metadata, effect)


@method(f"{API}/Update", role=EDITOR, place_of=place_of)
def update_function(state: State, request: service.UpdateFunctionRequest) -> Operation:
    changed = updated(function_by_id(state, request.function_id), request)
    _check_name(state, changed)
    effect = replacing(partial(function_by_id, state, request.function_id), changed)
    metadata = service.UpdateFunctionMetadata(function_id=request.function_id)
    return state.operations.start("Update function", metadata, effect)


@method(f"{API}/Delete", role=EDITOR, place_of=place_of)
def delete_function(state: State, request: service.DeleteFunctionRequest) -> Operation:
    function_id = function_by_id(state, request.function_id).id

    def effect() -> Message:
        function_by_id(state, function_id)
        for version in state.serverless.versions_of(function_id):
            state.serverless.remove_version(version.id, state.clock.now())
        del state.serverless.functions[function_id]
        state.access.forget(function_id)
        return empty_pb2.Empty()

    metadata = service.DeleteFunctionMetadata(function_id=function_id)
    return state.operations.start("Delete function", metadata, effect)


@method(f"{API}/ListOperations", role=VIEWER, place_of=place_of)
def list_operations(
    state: State, request: service.ListFunctionOperationsRequest
) -> service.ListFunctionOperationsResponse:
    function_by_id(state, request.function_id)
    operations = state.operations.about(request.function_id)
    page, next_token = page_of(state, request, operations, ())
    return service.ListFunctionOperationsResponse(operations=page, next_page_token=next_token)
