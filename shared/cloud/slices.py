"""A long list read in slices of time at once, where its pages by themselves can only be read one after
another.

The list takes ``createdAfter`` and ``createdBefore``. Whether they include the moment itself is not
documented, so that slices overlap by a second: items may come twice. A slice that its first page shows to be
much longer than the others is cut again; how the pages are ordered matters for that guess alone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

import msgspec

from shared.cloud.client import Cloud
from shared.cloud.parallel import for_each

WIDTH, FEW, MANY = 16, 2, 8
OVERLAP, NARROWEST = timedelta(seconds=1), timedelta(seconds=60)

Page = TypeVar("Page")


class _Slice(msgspec.Struct, frozen=True):
    """From one moment to another; None is open."""

    begin: datetime | None
    end: datetime | None


def in_slices(  # noqa: PLR0913 - a list, by keyword
    cloud: Cloud,
    service: str,
    path: str,
    answer: type[Page],
    note: Callable[[Page], list[str]],
    *,
    params: dict[str, Any],
    role: str,
) -> None:
    """``note`` for every page of the list, from several threads; it returns when the page's items were
    created.

    Raises CallError.
    """
    now = datetime.now(UTC)

    def read(part: _Slice, most: int) -> list[_Slice]:
        """Reads a slice, or no more than its first page, and returns what to read in its place."""
        query = params | _bounds(part)
        for number, page in enumerate(cloud.pages(service, path, answer, role=role, params=query)):
            moments = note(page)
            token: str = getattr(page, "next_page_token", "")
            if number == 0 and token:
                smaller = _cut(part, moments, now, most)
                if smaller:
                    return smaller
        return []

    waiting = read(_Slice(None, None), FEW)
    while waiting:
        later: list[_Slice] = []
        for_each(waiting, partial(_extend, later, read), min(WIDTH, cloud.concurrency))
        waiting = later


def _extend(later: list[_Slice], read: Callable[[_Slice, int], list[_Slice]], part: _Slice) -> None:
    later.extend(read(part, MANY))


def _bounds(part: _Slice) -> dict[str, str]:
    bounds = {}
    if part.begin:
        bounds["createdAfter"] = (part.begin - OVERLAP).isoformat().replace("+00:00", "Z")
    if part.end:
        bounds["createdBefore"] = (part.end + OVERLAP).isoformat().replace("+00:00", "Z")
    return bounds


def _cut(part: _Slice, texts: list[str], now: datetime, most: int) -> list[_Slice]:
    """``WIDTH`` slices in place of one that has more than ``most`` pages, by what its first page covers."""
    try:
        moments = [datetime.fromisoformat(text) for text in texts]
        first, last = min(moments), max(moments)
        whole = (part.end or now) - first
    except (ValueError, TypeError):
        return []
    heeded = part.begin is None or first >= part.begin - OVERLAP
    if not heeded or whole < NARROWEST or (last - first) * most >= whole:
        return []
    edges = [part.begin, *(first + whole * number / WIDTH for number in range(1, WIDTH)), part.end]
    return [_Slice(begin, end) for begin, end in pairwise(edges)]
