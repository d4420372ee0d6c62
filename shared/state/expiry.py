"""Deletes from the state what the last runs have outlived: journals, history, keys that were registered long
ago.

Every object of a bucket takes its time, so one sweep deletes only so much; the next run goes on.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from shared.cloud.parallel import for_each, meanwhile
from shared.errors import StateError
from shared.state import history, journal, seen
from shared.state.store import Store

JOURNALS, OBJECTS, KEYS, AT_ONCE = 10, 200, 50, 8
REGISTERED = ("calls/", "pushes/")
KEY_LIVES = timedelta(days=2).total_seconds()


def sweep(state: Store, until: float, clock: Callable[[], float] = time.monotonic) -> None:
    """Deletes outlived objects, until ``until`` at most, a time of ``clock``.

    An object that cannot be deleted stays; that is no warning.
    """
    left = OBJECTS

    def delete(name: str) -> None:
        if clock() < until:
            with suppress(StateError):
                state.delete(name)

    def delete_key(name: str) -> None:
        if clock() < until and seen.outlived(state, name, time.time() - KEY_LIVES):
            delete(name)

    def gone(names: list[str]) -> bool:
        """Deletes the objects, and says whether there was time for all of them."""
        nonlocal left
        some = names[:left]
        left -= len(some)
        for_each(some, delete, AT_ONCE)
        return len(some) == len(names) and clock() < until

    def sweep_keys() -> None:
        keys = [name for folder in REGISTERED for name in state.names(folder)]
        for_each(random.sample(keys, min(KEYS, len(keys))), delete_key, AT_ONCE)

    if clock() >= until:
        return
    with meanwhile(sweep_keys), suppress(StateError):
        if not gone(history.outlived(state)):
            return
        for run_id, files in _long_ago(journal.runs(state)):
            if not all(gone(names) for names in journal.closed_files(run_id, files)):
                return


def _long_ago(runs: dict[str, list[str]]) -> list[tuple[str, list[str]]]:
    """Some of the runs before the last 90: those that never end must not stand before the others."""
    old = list(runs.items())[: -history.KEPT]
    return random.sample(old, min(JOURNALS, len(old)))
