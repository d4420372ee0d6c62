"""Durations and moments as settings and reports write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

DURATION = r"^[0-9]{1,7}[hdw]$(?!\n)"
LONGEST_DURATION = timedelta(days=36_525)
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


@cache
def duration(text: str) -> timedelta:
    """The time that a duration such as ``36h``, ``7d`` or ``2w`` stands for."""
    return int(text[:-1]) * UNITS[text[-1]]


def timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
