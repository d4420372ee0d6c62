"""Fixtures of several rooms."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.retention import matching


@pytest.fixture
def new_run() -> Iterator[None]:
    matching.renew()
    yield
    matching.renew()
