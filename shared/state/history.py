"""The numbers of the last runs, ``history/<run id>.json`` in the state, a small object each.

An object holds these keys of the run's report: ``run_id``, ``mode``, ``status``, ``started_at``,
``finished_at`` and ``totals``. It also has ``whole``: false after a push, when the run looked at some
repositories alone.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import msgspec

from shared.errors import StateError
from shared.retention.records import Totals
from shared.state.store import Store, body, write_once

FOLDER = "history/"
KEPT = 90
AT_ONCE = 16  # each object of a bucket takes some 30 ms


class Row(msgspec.Struct, frozen=True):
    """A run of the history. Times are RFC 3339 text."""

    run_id: str
    mode: str
    status: str
    started_at: str
    finished_at: str
    totals: Totals
    all_repositories: bool = msgspec.field(name="whole")


def keep(state: Store, run: Row) -> None:
    """Adds a run to the history. Raises StateError."""
    write_once(state, f"{FOLDER}{run.run_id}.json", [msgspec.json.encode(run)])


def outlived(state: Store) -> list[str]:
    """The objects of all runs before the last 90. Raises StateError."""
    return state.names(FOLDER)[:-KEPT]


def trend(state: Store) -> list[Row]:
    """The last 90 runs, oldest first; an object that is broken or cannot be read is left out."""

    def read(name: str) -> Row | None:
        try:
            return msgspec.json.decode(body(state.read(name)) or b"", type=Row)
        except (StateError, msgspec.DecodeError):
            return None

    try:
        names = state.names(FOLDER)[-KEPT:]
    except StateError:
        return []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [run for run in pool.map(read, names) if run]
