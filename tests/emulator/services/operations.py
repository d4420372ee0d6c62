"""Operations, polled by id. `:cancel` is a GET, as in the API's definitions."""

from yandex.cloud.operation import operation_service_pb2 as operations
from yandex.cloud.operation.operation_pb2 import Operation

from tests.emulator.errors import FAILED_PRECONDITION, ApiError, not_found
from tests.emulator.methods import method
from tests.emulator.state import State

SERVICES = (operations.DESCRIPTOR.services_by_name["OperationService"],)


@method("yandex.cloud.operation.OperationService/Get")
def get_operation(state: State, request: operations.GetOperationRequest) -> Operation:
    operation = state.operations.get(request.operation_id)
    if operation is None:
        raise not_found("Operation", request.operation_id)
    return operation


@method("yandex.cloud.operation.OperationService/Cancel")
def cancel_operation(state: State, request: operations.CancelOperationRequest) -> Operation:
    """No operation of the emulator's can be stopped once it has begun."""
    get_operation(state, operations.GetOperationRequest(operation_id=request.operation_id))
    raise ApiError(FAILED_PRECONDITION, f"Operation {request.operation_id} cannot be cancelled")
