"""Access bindings, which many services have by the same three methods: list them, replace them all, or change
some.

A service account that is bound must exist, and so must the role. What is added twice is there once, and what
isn't there may be removed: how the cloud answers to that isn't documented.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf import empty_pb2
from google.protobuf.message import Message
from yandex.cloud.access import access_pb2 as access
from yandex.cloud.operation.operation_pb2 import Operation

from tests.emulator.access import (
    ALL_AUTHENTICATED_USERS,
    ALL_USERS,
    INCLUDED_ROLES,
    SUBJECT_TYPES,
    Binding,
    Place,
)
from tests.emulator.errors import invalid, not_found
from tests.emulator.methods import method
from tests.emulator.paging import cut_page
from tests.emulator.state import State

REMOVE = access.AccessBindingAction.REMOVE


@dataclass(frozen=True)
class _Kind:
    """A kind of resources, in words, where each is, and whether operations say what they changed."""

    name: str
    place: Callable[[State, str], Place]
    tells_effect: bool

    def place_of(self, state: State, request: Any) -> Place:
        return self.place(state, request.resource_id)

    def bindings(self, state: State, resource_id: str) -> list[Binding]:
        if not self.place(state, resource_id):
            raise not_found(self.name, resource_id)
        return state.access.bindings(resource_id)

    def change(self, state: State, resource_id: str, wanted: list[Binding]) -> Message:
        before = self.bindings(state, resource_id)
        state.access.replace(resource_id, wanted)
        if not self.tells_effect:
            return empty_pb2.Empty()
        return access.AccessBindingsOperationResult(effective_deltas=_deltas(before, wanted))


def bindable(
    api: str,
    kind: str,
    place_of_resource: Callable[[State, str], Place],
    *,
    viewer: str,
    admin: str,
    tells_effect: bool = False,
) -> None:
    """Give a service the methods for its resources, of that kind in words.

    `viewer` may list the bindings, `admin` may change them; with `tells_effect` the operations say what they
    changed.
    """
    resources = _Kind(kind, place_of_resource, tells_effect)

    @method(f"{api}/ListAccessBindings", role=viewer, place_of=resources.place_of)
    def list_bindings(
        state: State, request: access.ListAccessBindingsRequest
    ) -> access.ListAccessBindingsResponse:
        return _page(state, request, resources.bindings(state, request.resource_id))

    @method(f"{api}/SetAccessBindings", role=admin, place_of=resources.place_of)
    def set_bindings(state: State, request: access.SetAccessBindingsRequest) -> Operation:
        resource_id = request.resource_id
        resources.bindings(state, resource_id)
        wanted = [_checked(state, binding) for binding in request.access_bindings]
        metadata = access.SetAccessBindingsMetadata(resource_id=resource_id)
        return state.operations.start(
            "Set access bindings", metadata, lambda: resources.change(state, resource_id, wanted)
        )

    @method(f"{api}/UpdateAccessBindings", role=admin, place_of=resources.place_of)
    def update_bindings(state: State, request: access.UpdateAccessBindingsRequest) -> Operation:
        resource_id, deltas = request.resource_id, request.access_binding_deltas
        resources.bindings(state, resource_id)
        for delta in deltas:
            if delta.action != REMOVE:
                _checked(state, delta.access_binding)

        def effect() -> Message:
            wanted = _changed(state.access.bindings(resource_id), deltas)
            return resources.change(state, resource_id, wanted)

        metadata = access.UpdateAccessBindingsMetadata(resource_id=resource_id)
        return state.operations.start("Update access bindings", metadata, effect)


def _page(
    state: State, request: access.ListAccessBindingsRequest, bindings: list[Binding]
) -> access.ListAccessBindingsResponse:
    query = ("access bindings", request.resource_id)
    part, next_token = cut_page(state.page_tokens, query, bindings, request.page_size, request.page_token)
    return access.ListAccessBindingsResponse(
        access_bindings=[_message(binding) for binding in bindings[part]], next_page_token=next_token
    )


def _changed(bindings: list[Binding], deltas: Iterable[access.AccessBindingDelta]) -> list[Binding]:
    wanted = dict.fromkeys(bindings)
    for delta in deltas:
        if delta.action == REMOVE:
            wanted.pop(_binding(delta.access_binding), None)
        else:
            wanted[_binding(delta.access_binding)] = None
    return list(wanted)


def _binding(message: access.AccessBinding) -> Binding:
    return Binding(message.role_id, message.subject.type, message.subject.id)


def _message(binding: Binding) -> access.AccessBinding:
    subject = access.Subject(id=binding.subject_id, type=binding.subject_type)
    return access.AccessBinding(role_id=binding.role_id, subject=subject)


def _checked(state: State, message: access.AccessBinding) -> Binding:
    """The binding of a role that exists to a subject that does."""
    binding = _binding(message)
    if binding.role_id not in INCLUDED_ROLES:
        raise invalid(f"access_bindings: there is no role {binding.role_id}")
    if binding.subject_type not in SUBJECT_TYPES:
        raise invalid(f"access_bindings: subject.type must be one of {', '.join(SUBJECT_TYPES)}")
    if binding.subject_type == "serviceAccount" and binding.subject_id not in state.accounts.service_accounts:
        raise not_found("ServiceAccount", binding.subject_id)
    if binding.subject_type == "system" and binding.subject_id not in (ALL_USERS, ALL_AUTHENTICATED_USERS):
        raise invalid(f"access_bindings: there is no system group {binding.subject_id}")
    return binding


def _deltas(before: Iterable[Binding], after: Iterable[Binding]) -> list[access.AccessBindingDelta]:
    actions = {
        access.AccessBindingAction.ADD: set(after) - set(before),
        REMOVE: set(before) - set(after),
    }
    return [
        access.AccessBindingDelta(action=action, access_binding=_message(binding))
        for action, bindings in actions.items()
        for binding in sorted(bindings)
    ]
