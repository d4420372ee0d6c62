"""Pages of a list: `pageSize` (100 when absent), `pageToken`, `filter` and `orderBy`.

A page token stands for a place in the order, not for a number of items, so a list that loses items between
two pages skips none of the others. It is good for the query that it was given for, and for no other.
"""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from tests.emulator.errors import invalid

DEFAULT_PAGE_SIZE = 100

_CONDITION = re.compile(r"""\s*(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)')\s*""")


class PageTokens:
    """The page tokens given out so far, each with its query and its place."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[object, Any]] = {}

    def issue(self, query: object, place: Any) -> str:
        token = hashlib.sha256(repr((query, place)).encode()).hexdigest()[:40]
        self._places[token] = (query, place)
        return token

    def place(self, token: str, query: object) -> Any:
        issued_for, place = self._places.get(token, (None, None))
        if issued_for != query:
            raise invalid("page_token: unknown, or issued for another query")
        return place


def cut_page(
    tokens: PageTokens,
    query: object,
    keys: Sequence[Any],
    page_size: int,
    page_token: str,
    default_size: int = DEFAULT_PAGE_SIZE,
) -> tuple[slice, str]:
    """The part of the sorted, distinct `keys` that the asked page covers, and the next page's token."""
    if page_size < 0:
        raise invalid("page_size: must not be negative")
    start = bisect_right(keys, tokens.place(page_token, query)) if page_token else 0
    stop = start + (page_size or default_size)
    if stop >= len(keys):
        return slice(start, len(keys)), ""
    return slice(start, stop), tokens.issue(query, keys[stop - 1])


def filtered_name(expression: str) -> str | None:
    """The name that a filter asks for; the only filter that there is."""
    if not expression:
        return None
    conditions = filter_conditions(expression, ("name",))
    if len(conditions) > 1:
        raise invalid(f"filter: only one condition is supported, got {expression!r}")
    return conditions[0][1]


def filter_conditions(expression: str, fields: Collection[str]) -> list[tuple[str, str]]:
    """The conditions `field="value"` of a filter, joined by AND."""
    if not expression:
        return []
    conditions = []
    for part in re.split(r"\sAND\s", expression):
        match = _CONDITION.fullmatch(part)
        if match is None or match[1] not in fields:
            known = ", ".join(f'{field}="..."' for field in fields)
            raise invalid(f"filter: only {known} is supported, got {expression!r}")
        conditions.append((match[1], match[2] if match[2] is not None else match[3]))
    return conditions


def order_fields(order_by: str, allowed: Iterable[str]) -> tuple[str, ...]:
    """The fields of an `orderBy`; a direction such as `desc` isn't documented and so is refused."""
    fields = tuple(field.strip() for field in order_by.split(",")) if order_by else ()
    for field in fields:
        if field not in allowed:
            raise invalid(f"order_by: cannot sort by {field!r}, only by {', '.join(allowed)}")
    return fields
