"""Deletes from the state directory what the last runs have outlived: journals, history, leases of runs that
have ended.

Every file of a mounted bucket takes its time, so one sweep deletes only so much; the next run goes on.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial

from shared.cloud.parallel import for_each
from shared.errors import StateError
from shared.state import history, journal
from shared.state.directory import StateDir
from shared.state.leases import left_behind

JOURNALS, FILES, AT_ONCE = 10, 200, 8


def sweep(state: StateDir, until: float, clock: Callable[[], float] = time.monotonic) -> None:
    """Deletes outlived files, until ``until`` at most, a time of ``clock``.

    A file that cannot be deleted stays; that is no warning.
    """
    left = FILES

    def delete(name: str) -> None:
        if clock() < until:
            state.delete(name)

    def gone(names: list[str]) -> bool:
        """Deletes the files, and says whether there was time for all of them."""
        nonlocal left
        some = names[:left]
        left -= len(some)
        for_each(some, delete, AT_ONCE)
        return len(some) == len(names) and clock() < until

    try:
        leases = list(left_behind(state, partial(journal.ended, state)))
        if not gone(history.outlived(state)) or not gone(leases):
            return
        old = journal.runs(state)[: -history.KEPT]
        random.shuffle(old)  # those that never end must not stand before the others
        for run_id in old[:JOURNALS]:
            files = journal.closed_files(state, run_id)
            if not all(gone(names) for names in files):
                return
            if files:
                state.delete_folder(f"runs/{run_id}")
    except StateError:
        return
