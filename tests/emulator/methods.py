"""The API's methods that the emulator has, by full name, and what stands before each of them.

A service module registers its handlers:

    @method("yandex.cloud.containerregistry.v1.ImageService/Get", role="container-registry.viewer", ...)
    def get_image(state, request): ...

`invoke` is what every front calls: it checks the token, then the request, then the role, then runs the
handler. That returns the response message, or, where speed matters, something that renders itself as one.
"""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from google.protobuf.message import Message

from tests.emulator.access import Place
from tests.emulator.behaviour import Fault
from tests.emulator.errors import UNIMPLEMENTED, ApiError
from tests.emulator.operations import OperationError, Origin, origin
from tests.emulator.state import State
from tests.emulator.validation import validate


class Rendered(Protocol):
    """An answer that knows its own JSON text."""

    def json_text(self) -> str: ...

    def message(self) -> Message: ...


Answer: TypeAlias = Message | Rendered
Handler = Callable[[State, Any], Answer | Awaitable[Answer]]
PlaceOf = Callable[[State, Any], Place]


@dataclass(frozen=True)
class Method:
    handler: Handler
    role: str
    place_of: PlaceOf
    needs_token: bool


@dataclass(frozen=True)
class OperationWish:
    """What a test wants of the operation that a call starts."""

    error: OperationError | None = None
    never_done: bool = False


METHODS: dict[str, Method] = {}

_NO_WISH = OperationWish()


def wish_of(fault: Fault | None) -> OperationWish:
    return OperationWish(fault.operation_error, fault.operation_never_done) if fault else _NO_WISH


def _nowhere(state: State, request: Any) -> Place:
    return ()


def method(
    full_name: str, role: str = "", place_of: PlaceOf = _nowhere, needs_token: bool = True
) -> Callable[[Handler], Handler]:
    """Register a handler; `role` is what its caller must hold in the place that `place_of` tells."""

    def register(handler: Handler) -> Handler:
        METHODS[full_name] = Method(handler, role, place_of, needs_token)
        return handler

    return register


async def invoke(
    state: State,
    full_name: str,
    authorization: str,
    read_request: Callable[[], Message],
    wish: OperationWish = _NO_WISH,
) -> Answer:
    """Answer one call; `read_request` runs once the caller is known, for a stranger is told nothing."""
    called = METHODS.get(full_name)
    if called is None:
        raise ApiError(UNIMPLEMENTED, f"{full_name} is not implemented by the emulator")
    account = state.accounts.signed_in(authorization) if called.needs_token else None
    request = read_request()
    validate(request)
    if account is not None and called.role:
        state.access.require(account.id, called.role, called.place_of(state, request))
    if state.container_registry.refuses(full_name):
        raise ApiError(state.container_registry.read_only, "Container Registry is read-only")
    origin.set(Origin(account.id if account else "", wish.error, wish.never_done))
    answer = called.handler(state, request)
    return await answer if inspect.isawaitable(answer) else answer
