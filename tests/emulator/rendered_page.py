"""A page of a list as a join of its items' own JSON texts, for a page of a thousand must cost no more than
that.
"""

from collections.abc import Sequence
from typing import Protocol

from google.protobuf.message import Message


class Item(Protocol):
    @property
    def json_text(self) -> str: ...

    def message(self) -> Message: ...


class RenderedPage:
    """The response message has `field` for the items."""

    def __init__(
        self, response_class: type[Message], field: str, items: Sequence[Item], next_token: str
    ) -> None:
        self._response_class = response_class
        self._field = field
        self._items = items
        self._next_token = next_token

    def json_text(self) -> str:
        parts = []
        if self._items:
            json_name = self._response_class.DESCRIPTOR.fields_by_name[self._field].json_name
            parts.append(f'"{json_name}":[{",".join([item.json_text for item in self._items])}]')
        if self._next_token:
            parts.append(f'"nextPageToken":"{self._next_token}"')
        return "{" + ",".join(parts) + "}"

    def message(self) -> Message:
        response = self._response_class(next_page_token=self._next_token)
        getattr(response, self._field).extend(item.message() for item in self._items)
        return response
