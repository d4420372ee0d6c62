"""What the services have in common that list, get, create, update and delete a resource of a folder."""

import re
from collections.abc import Callable, Collection, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from google.protobuf import empty_pb2
from google.protobuf.message import Message
from yandex.cloud.operation.operation_pb2 import Operation

from tests.emulator.errors import not_found
from tests.emulator.listing import folder_asked, in_folder, page_of
from tests.emulator.methods import PlaceOf, method
from tests.emulator.state import State
from tests.emulator.updating import replacing

Item = TypeVar("Item", bound=Any)


def _nothing(state: State, item_id: str) -> None:
    """What most kinds do before a deletion."""


@dataclass(frozen=True)
class Labelled(Generic[Item]):
    """One kind of resource; its messages and methods are named after ``kind`` in the module ``service``.

    ``key`` is the field of a request that names the resource, ``kept`` where the resources are.
    """

    kind: str
    service: Any
    api: str
    key: str
    kept: Callable[[State], MutableMapping[str, Item]]

    def by_id(self, state: State, item_id: str) -> Item:
        kept = self.kept(state)
        if item_id not in kept:
            raise not_found(self.kind, item_id)
        return kept[item_id]

    def offer_reading(self, viewer: str, place_of: PlaceOf, filterable: Collection[str]) -> None:
        """Registers Get and List."""
        plural = re.sub("(?<!^)(?=[A-Z])", "_", f"{self.kind}s").lower()

        def get(state: State, request: Any) -> Message:
            item: Message = self.by_id(state, getattr(request, self.key))
            return item

        def list_all(state: State, request: Any) -> Message:
            items = in_folder(state, request.folder_id, self.kept(state).values())
            page, next_token = page_of(state, request, items, filterable)
            return self._message("List{}sResponse", next_page_token=next_token, **{plural: page})

        method(f"{self.api}/Get", role=viewer, place_of=place_of)(get)
        method(f"{self.api}/List", role=viewer, place_of=folder_asked)(list_all)

    def offer_operations(self, viewer: str, place_of: PlaceOf) -> None:
        """Registers ListOperations."""

        def list_operations(state: State, request: Any) -> Message:
            item_id = getattr(request, self.key)
            self.by_id(state, item_id)
            page, next_token = page_of(state, request, state.operations.about(item_id), ())
            return self._message("List{}OperationsResponse", operations=page, next_page_token=next_token)

        method(f"{self.api}/ListOperations", role=viewer, place_of=place_of)(list_operations)

    def create(self, state: State, item: Item, check: Callable[[State, Item], None]) -> Operation:
        """Keeps the item once the operation is done, if ``check`` lets it, now and then."""
        check(state, item)

        def effect() -> Message:
            check(state, item)
            self.kept(state)[item.id] = item
            kept: Message = item
            return kept

        return self._start(state, "Create", item.id, effect)

    def update(self, state: State, item_id: str, changed: Item) -> Operation:
        return self._start(state, "Update", item_id, replacing(partial(self.by_id, state, item_id), changed))

    def delete(
        self, state: State, item_id: str, before: Callable[[State, str], None] = _nothing
    ) -> Operation:
        """Deletes the item and who may use it once the operation is done; ``before`` may refuse that."""
        self.by_id(state, item_id)

        def effect() -> Message:
            self.by_id(state, item_id)
            before(state, item_id)
            del self.kept(state)[item_id]
            state.access.forget(item_id)
            return empty_pb2.Empty()

        return self._start(state, "Delete", item_id, effect)

    def _start(self, state: State, verb: str, item_id: str, effect: Callable[[], Message]) -> Operation:
        words = re.sub("(?<!^)(?=[A-Z])", " ", self.kind).lower()
        metadata = self._message(f"{verb}{{}}Metadata", **{self.key: item_id})
        return state.operations.start(f"{verb} {words}", metadata, effect)

    def _message(self, template: str, /, **fields: Any) -> Message:
        made: Message = getattr(self.service, template.format(self.kind))(**fields)
        return made
