"""Operations: what the cloud answers to a call that changes something.

An operation begins with `done` absent, and takes effect when it finishes, `operation_ms` after the call by
the monotonic clock; with 0 that is before the call is answered. It ends with `response`, or with `error`.
A test may ask for an operation that fails (its effect doesn't happen; with `before_done` the error shows
while `done` is still false, as when a service rolls back), or for one that never ends.
"""

import heapq
import itertools
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from google.protobuf.message import Message
from yandex.cloud.operation.operation_pb2 import Operation

from tests.emulator.clock import Clock, timestamp
from tests.emulator.errors import ApiError
from tests.emulator.images import cloud_id

Effect = Callable[[], Message]


@dataclass(frozen=True)
class OperationError:
    """How a test wants an operation to fail."""

    code: int
    message: str
    before_done: bool = False


@dataclass(frozen=True)
class Origin:
    """The call that starts an operation: who made it, and what its test wants of the operation."""

    subject_id: str = ""
    error: OperationError | None = None
    never_done: bool = False


origin: ContextVar[Origin] = ContextVar("origin", default=Origin())  # noqa: B039 - it is frozen


class Operations:
    """All operations by id; those that are under way also in the order in which they end."""

    def __init__(self, clock: Clock) -> None:
        self.duration_ms = 0.0
        self._clock = clock
        self._by_id: dict[str, Operation] = {}
        self._started_for: dict[str, str] = {}
        self._under_way: list[tuple[float, int, Operation, Effect]] = []
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, operation_id: str) -> Operation | None:
        return self._by_id.get(operation_id)

    def about(self, resource_id: str) -> list[Operation]:
        """Those whose metadata names the resource, or that were started for it."""
        name = resource_id.encode()
        return [
            operation
            for operation in self._by_id.values()
            if name in operation.metadata.value or self._started_for.get(operation.id) == resource_id
        ]

    def start(self, description: str, metadata: Message, effect: Effect, resource_id: str = "") -> Operation:
        """`resource_id` is of the resource that it is for, where its metadata doesn't tell."""
        call = origin.get()
        number = next(self._numbers)
        begun = timestamp(self._clock.now())
        operation = Operation(
            id=cloud_id("cdf", f"operation {number}"),
            description=description,
            created_at=begun,
            created_by=call.subject_id,
            modified_at=begun,
        )
        operation.metadata.Pack(metadata)
        self._by_id[operation.id] = operation
        if resource_id:
            self._started_for[operation.id] = resource_id
        if call.error:
            effect = _failing(call.error)
            if call.error.before_done:
                operation.error.code, operation.error.message = call.error.code, call.error.message
        if call.never_done:
            return operation
        if self.duration_ms > 0:
            ends = self._clock.monotonic() + self.duration_ms / 1000
            heapq.heappush(self._under_way, (ends, number, operation, effect))
        else:
            self._finish(operation, effect)
        return operation

    def settle(self) -> None:
        """Finish what is due by now."""
        while self._under_way and self._under_way[0][0] <= self._clock.monotonic():
            _, _, operation, effect = heapq.heappop(self._under_way)
            self._finish(operation, effect)

    def _finish(self, operation: Operation, effect: Effect) -> None:
        try:
            operation.response.Pack(effect())
        except ApiError as error:
            operation.error.code, operation.error.message = error.code, error.message
        operation.done = True
        operation.modified_at.CopyFrom(timestamp(self._clock.now()))


def _failing(wanted: OperationError) -> Effect:
    def effect() -> Message:
        raise ApiError(wanted.code, wanted.message)

    return effect
