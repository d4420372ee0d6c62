"""The numbers of the last runs, ``history/<run id>.json`` in the state directory, a small file each.

A file holds the report's ``run_id``, ``mode``, ``status``, ``started_at``, ``finished_at`` and ``totals``,
and ``whole``: false after a push, when only some repositories were looked at.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from shared.errors import StateError
from shared.state.directory import StateDir

FOLDER = "history"
KEPT = 90
AT_ONCE = 16  # each file of a mounted bucket takes some 30 ms


class _Totals(msgspec.Struct):
    images: int
    candidates: int
    protected: int
    deleted: int
    failed: int
    reclaimed_bytes: int


class _Row(msgspec.Struct):
    """What a row has at least."""

    run_id: str
    mode: str
    status: str
    started_at: str
    finished_at: str
    totals: _Totals
    whole: bool


def keep(state: StateDir, report: dict[str, Any], *, whole: bool) -> None:
    """Adds a run to the history. Raises StateError."""
    told = ("run_id", "mode", "status", "started_at", "finished_at", "totals")
    row = {**{name: report[name] for name in told}, "whole": whole}
    state.make(FOLDER)
    state.write(f"{FOLDER}/{report['run_id']}.json", [msgspec.json.encode(row)])


def outlived(state: StateDir) -> list[str]:
    """The files of all runs before the last 90. Raises StateError."""
    return [f"{FOLDER}/{name}" for name in state.names(FOLDER)[:-KEPT]]


def trend(state: StateDir) -> list[dict[str, Any]]:
    """The last 90 runs, oldest first; a file that is broken or cannot be read is left out."""

    def row(name: str) -> dict[str, Any] | None:
        try:
            text = state.read(f"{FOLDER}/{name}") or b""
            msgspec.json.decode(text, type=_Row)
        except (StateError, msgspec.DecodeError):
            return None
        found: dict[str, Any] = msgspec.json.decode(text)
        return found

    try:
        names = state.names(FOLDER)[-KEPT:]
    except StateError:
        return []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [found for found in pool.map(row, names) if found]
