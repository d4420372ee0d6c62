"""The token in a plan's link is for one plan, one action and a while."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.auth.plan_links import check, link, token
from shared.errors import RequestRefused

KEY, NOW = b"k" * 32, datetime(2026, 11, 24, 3, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
GOOD = token(KEY, "p", "view", LATER)

REFUSED = {
    "of another plan": (token(KEY, "q", "view", LATER), 403),
    "of another action": (token(KEY, "p", "approve", LATER), 403),
    "of another key": (token(b"x" * 32, "p", "view", LATER), 403),
    "with a later end": (f"{int(LATER.timestamp()) + 1}.{GOOD.partition('.')[2]}", 403),
    "none": ("", 403),
    "with a line break": (GOOD + "\n", 403),
    "that has run out": (token(KEY, "p", "view", NOW), 410),
}


def test_a_token_is_good_until_it_ends() -> None:
    check(KEY, GOOD, "p", "view", NOW)


@pytest.mark.parametrize("name", REFUSED)
def test_a_token_is_refused(name: str) -> None:
    said, status = REFUSED[name]
    with pytest.raises(RequestRefused) as refused:
        check(KEY, said, "p", "view", NOW)
    assert refused.value.http_status == status


@pytest.mark.parametrize("url", ["https://f.example/x", "https://f.example/x?tag=$latest"])
def test_a_link_leads_to_the_plan(url: str) -> None:
    query = parse_qs(urlsplit(link(url, KEY, "p", LATER)).query)
    assert (query["plan"], query["token"]) == (["p"], [GOOD])
