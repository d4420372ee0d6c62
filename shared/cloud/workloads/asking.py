"""Lists of a source, where an absence is a doubt and no proof: a doubtful list is fetched again, and if the
doubt stays, that is a CallError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

import msgspec

from shared.cloud.client import Cloud
from shared.cloud.workloads.search import search
from shared.cloud.workloads.unpacking import Unreadable
from shared.errors import FAILED_PRECONDITION, CallError
from shared.retention.references import Use

ASKED = 2


class Seen(msgspec.Struct):
    """What a source shows: the uses, what is worth a warning, and by cluster the kinds that it does not
    show.
    """

    uses: list[Use] = []
    doubts: list[str] = []
    hidden: dict[str, list[str]] = {}


class Item(Protocol):
    @property
    def id(self) -> str: ...


Found = TypeVar("Found", bound=Item)


def doubtful(message: str, service: str, call: str) -> CallError:
    return CallError(message, service=service, call=call, code=FAILED_PRECONDITION)


def every(  # noqa: PLR0913 - where the list is, and what it is made of
    cloud: Cloud,
    service: str,
    path: str,
    page: type[Any],
    items: Callable[[Any], Iterable[Found] | None],
    *,
    role: str,
    params: dict[str, Any],
) -> list[Found]:
    """All items of a list. An empty list, or one with odd pages, is fetched again. Raises CallError."""
    oddity = ""
    for _ in range(ASKED):
        pages = [
            list(items(answer) or ()) for answer in cloud.pages(service, path, page, role=role, params=params)
        ]
        by_id = {item.id: item for part in pages for item in part}
        oddity = ""
        if len(pages) > 1 and not all(pages):
            oddity = "has an empty page"
        elif len(by_id) < sum(map(len, pages)):
            oddity = "shows the same thing twice"
        elif by_id:
            break
    if oddity:
        raise doubtful(
            f"the list {oddity}, each time that it was asked for; run it again later", service, f"GET {path}"
        )
    return list(by_id.values())


def named_in(
    texts: Iterable[tuple[str, str]], registry_ids: frozenset[str], thing: str, service: str, call: str
) -> list[Use]:
    """The uses that the texts of one thing declare, whatever their format. Raises CallError."""
    try:
        return list(search(list(texts), registry_ids))
    except Unreadable as error:
        raise doubtful(
            f"a text of {thing} {error}, so that it cannot be searched for images", service, call
        ) from None
