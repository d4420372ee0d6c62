"""A list read in slices of time: everything comes, whatever the server makes of the bounds and the order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from shared.cloud.slices import in_slices
from tests.support.json_server import JsonServer, Request, json_server

NOW = datetime.now(UTC)
PAGE = 1000
Rows = list[tuple[str, datetime]]


class Page(msgspec.Struct, rename="camel"):
    items: list[dict[str, str]] = []
    next_page_token: str = ""


@pytest.fixture
def server() -> Iterator[JsonServer]:
    with json_server() as running:
        yield running


def stored(count: int, over: timedelta, ago: timedelta = timedelta()) -> Rows:
    """So many items, made evenly ``over`` a time that ended that long ``ago``."""
    step = over / max(count - 1, 1)
    return [(f"item{number}", NOW - ago - step * number) for number in range(count)]


def answering(
    rows: Rows, *, ordered: bool = True, inclusive: bool = True, bounded: bool = True
) -> Callable[[Request], Any]:
    def answer(request: Request) -> dict[str, Any]:
        query = {name: values[0] for name, values in parse_qs(request.query).items()}
        found = rows
        if bounded:
            after = datetime.fromisoformat(query.get("createdAfter", "1970-01-01T00:00:00Z"))
            before = datetime.fromisoformat(query.get("createdBefore", "2970-01-01T00:00:00Z"))
            found = [
                row for row in rows if (after <= row[1] <= before if inclusive else after < row[1] < before)
            ]
        if ordered:
            found = sorted(found, key=lambda row: row[1])
        begin = int(query.get("pageToken", "0"))
        page = found[begin : begin + PAGE]
        items = [{"id": name, "at": at.isoformat().replace("+00:00", "Z")} for name, at in page]
        more = str(begin + PAGE) if begin + PAGE < len(found) else ""
        return {"items": items, "nextPageToken": more}

    return answer


def read(server: JsonServer) -> set[str]:
    names: set[str] = set()

    def note(page: Page) -> list[str]:
        names.update(item["id"] for item in page.items)
        return [item["at"] for item in page.items]

    in_slices(server.cloud(), "registry", "/list", Page, note, params={}, role="viewer")
    return names


STORED = {
    "nothing": [],
    "one": stored(1, timedelta()),
    "a page": stored(1000, timedelta(days=300)),
    "a little more": stored(1001, timedelta(days=300)),
    "many": stored(7000, timedelta(days=300)),
    "many in one hour": stored(6000, timedelta(hours=1), timedelta(days=10)),
    "many at one moment": stored(5000, timedelta(), timedelta(days=10)),
    "most in one minute": stored(4000, timedelta(minutes=1)) + stored(300, timedelta(days=900)),
    "in the future": stored(3000, timedelta(days=1), timedelta(days=-30)),
}


@pytest.mark.parametrize("rows", STORED.values(), ids=STORED)
@pytest.mark.parametrize("ways", [{}, {"ordered": False}, {"inclusive": False}, {"bounded": False}], ids=str)
def test_everything_comes(server: JsonServer, rows: Rows, ways: dict[str, bool]) -> None:
    server.answer("GET /list", answering(rows, **ways))
    assert read(server) == {name for name, _ in rows}


def test_a_short_list_costs_no_more_than_its_pages(server: JsonServer) -> None:
    server.answer("GET /list", answering(STORED["a little more"]))
    read(server)
    assert len(server.requests) == 2


def test_a_long_list_is_read_in_slices(server: JsonServer) -> None:
    rows = stored(20_000, timedelta(days=300))
    server.answer("GET /list", answering(rows))
    assert len(read(server)) == 20_000
    chains = {request.query for request in server.requests if "pageToken" not in request.query}
    assert len(chains) == 17
    assert len(server.requests) < 2.5 * 20
