"""Lists of images that are read again and again: an item of the same bytes as before is not decoded anew.

A big repository is looked at every few seconds, and nearly all of it is as it was.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from shared.cloud.client import Cloud
from shared.retention.records import Image

Item = TypeVar("Item", bound=msgspec.Struct)
Made = Image | None


class Known:
    """What was made of the items of a listing, and of the one ``before`` by 64 bits of their bytes' hash,
    which is salted for each process.
    """

    def __init__(self, before: Known | None = None) -> None:
        self.before: Mapping[int, Made] = dict(before.items()) if before else {}
        self._hashes, self._made = array("q"), list[Made]()

    def note(self, key: int, made: Made) -> None:
        self._hashes.append(key)
        self._made.append(made)

    def items(self) -> Iterator[tuple[int, Made]]:
        return zip(self._hashes, self._made, strict=True)


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

        What was made ``before`` is made again as the same object, and then forgotten if it is listed no more.
        """
        pages = _Pages(self, known.before if known else {})
        for page in cloud.pages(self.service, path, pages, role=self.role, params=params):
            for key, item in page.items:
                made = item if item is None or isinstance(item, Image) else make(item)
                if known:
                    known.note(key, made)
                if made is not None:
                    yield made
        if known:
            known.before = {}


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
