"""Lists of images that are read again and again: an item of the same bytes as before is not decoded anew.

A big repository is looked at every few seconds, and nearly all of it is as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from shared.cloud.client import Cloud
from shared.retention.records import Image

Item = TypeVar("Item", bound=msgspec.Struct)
Made = Image | None
Known = dict[int, Made]
"""What was made of items, by 64 bits of their bytes' hash, which is salted for each process."""


class Listing(msgspec.Struct, Generic[Item], frozen=True):
    """Where images are listed: ``page`` decodes ``items``, undecoded, and ``next_page_token``; ``item``
    decodes an item.
    """

    service: str
    role: str
    page: msgspec.json.Decoder[Any]
    item: msgspec.json.Decoder[Item]

    def read(
        self,
        cloud: Cloud,
        path: str,
        params: dict[str, Any],
        make: Callable[[Item], Made],
        known: Known | None = None,
    ) -> Iterator[Image]:
        """The images that ``make`` makes of the items. Raises CallError.

        ``known`` is of an earlier listing; at the end, it is of this one.
        """
        before, now = dict(known or {}), Known()
        pages = cloud.pages(self.service, path, _Pages(self, before), role=self.role, params=params)
        for page in pages:
            for key, item in page.items:
                made = item if item is None or isinstance(item, Image) else make(item)
                if known is not None:
                    now[key] = made
                if made is not None:
                    yield made
        if known is not None:
            known.clear()
            known.update(now)


class _Page(msgspec.Struct, Generic[Item]):
    items: list[tuple[int, Made | Item]]
    next_page_token: str


class _Pages(Generic[Item]):
    """Decodes the pages of a list, as far as their items are not known."""

    def __init__(self, listing: Listing[Item], known: Mapping[int, Made]) -> None:
        self._listing, self._known = listing, known

    def decode(self, body: bytes) -> _Page[Item]:
        """Raises msgspec.DecodeError."""
        page = self._listing.page.decode(body)
        items: list[tuple[int, Made | Item]] = []
        for raw in page.items or ():
            key = hash(bytes(raw))
            known = key in self._known
            items.append((key, self._known[key] if known else self._listing.item.decode(raw)))
        return _Page(items, page.next_page_token)
