"""Long-running operations: ``GET https://operation.api.cloud.yandex.net/operations/{id}`` until ``done``.

``error`` may show while ``done`` is still false: the service is rolling back, and the result is not final
before ``done``. (Yandex Cloud's documentation: api-design-guide/concepts/operation.)
"""

from __future__ import annotations

import msgspec

from shared.cloud.client import Cloud, part
from shared.errors import UNKNOWN, CallError

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
TOGETHER = ","


class OperationError(msgspec.Struct, frozen=True):
    code: int = 0
    message: str = ""


class Operation(msgspec.Struct, frozen=True):
    """``metadata`` and ``response`` stay undecoded: their form is the caller's business."""

    id: str = ""
    done: bool = False
    error: OperationError | None = None
    metadata: msgspec.Raw = msgspec.Raw(b"{}")
    response: msgspec.Raw = msgspec.Raw(b"{}")


def get(cloud: Cloud, operation_id: str) -> Operation:
    """The operation as it is now, or several that were put `together`. Raises CallError."""
    ids = operation_id.split(TOGETHER)
    return together([cloud.call("GET", "operation", f"/operations/{part(each)}", Operation) for each in ids])


def together(all_of_them: list[Operation]) -> Operation:
    """Several operations as one, which is done when all are, and has failed when any has."""
    if len(all_of_them) == 1:
        return all_of_them[0]
    failed = next((each for each in all_of_them if each.done and each.error and each.error.code), None)
    return Operation(
        TOGETHER.join(each.id for each in all_of_them),
        all(each.done for each in all_of_them),
        failed.error if failed else None,
    )


def wait(cloud: Cloud, operation: Operation, call: str, *, at_most: float) -> Operation:
    """``operation`` when it is done.

    Raises CallError when it failed, or isn't done ``at_most`` seconds later.
    """
    until, pause = cloud.pace.clock() + at_most, FIRST_PAUSE
    while not operation.done:
        if cloud.pace.clock() + pause > until:
            raise unsettled(operation, call, at_most)
        cloud.pause(pause, f"{call}: the operation {operation.id} is not done")
        pause = min(LONGEST_PAUSE, pause * 1.5)
        operation = get(cloud, operation.id)
    if operation.error and operation.error.code:
        raise failure(operation.error, operation.id, call)
    return operation


def failure(error: OperationError, operation_id: str, call: str) -> CallError:
    return CallError(
        f"the operation {operation_id} failed: {error.message}",
        service="operation",
        call=call,
        code=error.code,
    )


def unsettled(operation: Operation, call: str, seconds: float) -> CallError:
    message = f"the operation {operation.id} is not done after {seconds:.0f} s"
    return CallError(message, service="operation", call=call, code=UNKNOWN)
