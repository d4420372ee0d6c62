"""What the tests of the history and of the expiry of old runs share."""

from __future__ import annotations

from pathlib import Path

from shared.retention.records import Totals
from shared.state.history import Row

LONG_AGO, MEANWHILE = "20240101T030000000000Z", "20240601T030000000000Z"


def remembered(run_id: str) -> Row:
    """A run that did nothing, as the history has it."""
    return Row(run_id, "apply", "ok", "2026-11-24T03:00:00Z", "2026-11-24T03:00:09Z", Totals(), True)


def fill(state: Path, run_id: str, *names: str) -> Path:
    folder = state / "runs" / run_id
    folder.mkdir(parents=True)
    for name in ("begin.json", *names):
        (folder / name).write_text("{}")
    return folder


def numbered(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{number:04}" for number in range(count)]
