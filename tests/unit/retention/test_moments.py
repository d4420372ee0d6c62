"""Durations and moments."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest

from shared.retention.moments import DURATION, duration, timestamp


@pytest.mark.parametrize(("text", "hours"), [("36h", 36), ("7d", 168), ("2w", 336), ("0h", 0)])
def test_a_duration(text: str, hours: int) -> None:
    assert re.search(DURATION, text)
    assert duration(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "7", "d", "7 d", "7m", "-7d", "1.5d", "7d\n", "12345678d"])
def test_what_is_no_duration(text: str) -> None:
    assert not re.search(DURATION, text)


def test_a_moment_is_written_in_utc() -> None:
    moscow = timezone(timedelta(hours=3))
    assert timestamp(datetime(2026, 11, 24, 1, 2, 3, 999999, tzinfo=moscow)) == "2026-11-23T22:02:03Z"
