"""What `test_history` and `unit.state.test_history` share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

TOTALS = dict.fromkeys(
    ("images", "candidates", "protected", "deleted", "already_gone", "failed", "remaining"), 0
) | {"candidate_bytes": 0, "reclaimed_bytes": 0}
LONG_AGO, MEANWHILE = "20240101T030000000000Z", "20240601T030000000000Z"


def told(run_id: str, **changes: Any) -> dict[str, Any]:
    at = {"started_at": "2026-11-24T03:00:00Z", "finished_at": "2026-11-24T03:00:09Z"}
    return {
        "run_id": run_id,
        "mode": "apply",
        "status": "ok",
        **at,
        "totals": TOTALS,
        "images": [],
        **changes,
    }


def fill(state: Path, run_id: str, *names: str) -> Path:
    folder = state / "runs" / run_id
    folder.mkdir(parents=True)
    for name in ("begin.json", *names):
        (folder / name).write_text("{}")
    return folder


def numbered(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{number:04}" for number in range(count)]
