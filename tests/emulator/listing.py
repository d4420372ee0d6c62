"""A page of a plain list: items of one folder, ordered by id, filtered by `field="value"` conditions.

Container Registry, whose lists are long and take other orders, has its own
(`services/container_registry.py`).
"""

from collections.abc import Collection, Iterable
from typing import Any, TypeVar

from tests.emulator.access import Place
from tests.emulator.errors import ALREADY_EXISTS, ApiError, invalid, not_found
from tests.emulator.paging import cut_page, filter_conditions
from tests.emulator.state import State

Item = TypeVar("Item", bound=Any)


def folder_asked(state: State, request: Any) -> Place:
    """The place of a call that is about a folder."""
    return (request.folder_id,)


def in_folder(state: State, folder_id: str, items: Iterable[Item]) -> list[Item]:
    check_folder(state, folder_id)
    return [item for item in items if item.folder_id == folder_id]


def check_folder(state: State, folder_id: str) -> None:
    if not folder_id:
        raise invalid("folder_id: is required")
    if state.folders and folder_id not in state.folders:
        raise not_found("Folder", folder_id)


def check_name_is_free(kind: str, name: str, others: Iterable[Any]) -> None:
    """Refuse a name that one of the others has; no name at all may be had by many."""
    if name and any(other.name == name for other in others):
        raise ApiError(ALREADY_EXISTS, f"{kind} with name {name} already exists")


def check_name_in_folder(kind: str, item: Any, items: Iterable[Any]) -> None:
    """Refuse the item's name if another one of its folder has it."""
    others = (other for other in items if other.folder_id == item.folder_id and other.id != item.id)
    check_name_is_free(kind, item.name, others)


def page_of(
    state: State, request: Any, items: Iterable[Item], filterable: Collection[str]
) -> tuple[list[Item], str]:
    """The items that the list request asks for, and the next page's token."""
    conditions = filter_conditions(getattr(request, "filter", ""), filterable)
    found = sorted(
        (item for item in items if all(_text(item, name) == text for name, text in conditions)),
        key=lambda item: item.id,
    )
    scope = [
        (field.name, value) for field, value in request.ListFields() if not field.name.startswith("page")
    ]
    query = (request.DESCRIPTOR.full_name, scope)
    part, next_token = cut_page(
        state.page_tokens, query, [item.id for item in found], request.page_size, request.page_token
    )
    return found[part], next_token


def _text(item: Any, name: str) -> str:
    """A field's value as a filter writes it: an enum's by its name."""
    value = getattr(item, name)
    if isinstance(value, str):
        return value
    enum = item.DESCRIPTOR.fields_by_name[name].enum_type
    return str(enum.values_by_number[value].name)
