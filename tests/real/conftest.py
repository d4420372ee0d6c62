"""Fixtures of this folder's tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from shared.report.page import page as pages
from tests.support.browser import Watched, chromium
from tests.support.pages import ADDRESS, Open


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Opens a page as the webhook would serve it; what is posted to it is in ``posted``."""
    all_opened: list[Watched] = []

    def open_page(html: str, **options: Any) -> Watched:
        watched = Watched(browser, **options)
        all_opened.append(watched)
        headers = {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": pages.content_security_policy(),
        }
        watched.page.route("**/*", lambda route: route.fulfill(body=html, headers=headers))
        watched.page.goto(ADDRESS)
        return watched

    yield open_page
    for watched in all_opened:
        watched.close()


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    made = Watched(browser)
    yield made
    made.close()
