"""A burst of pushes is one clean-up: with ``STATE_DIR``, a repository is cleaned on the first push, and not
again on those of the next five to ten minutes. What these bring is left to the timer, or to the next push
after them.
"""

from __future__ import annotations

from shared.retention.records import Notice, RepositoryName
from shared.state import seen
from shared.state.directory import StateDir

SECONDS = 300
UNSIGNED_SECONDS = 600
CLEANED = Notice(
    "cleaned-already",
    "A repository that was pushed to has been cleaned for a push a few minutes ago, and is left to the timer"
    " or the next push.",
)


def fresh(
    state: StateDir, mode: str, pushed: frozenset[RepositoryName], now: float
) -> frozenset[RepositoryName]:
    """Those of the pushed repositories that no run in this mode has just been cleaning. Raises StateError."""
    return frozenset(
        one for one in pushed if seen.first(state, f"pushes/{mode}", one.full_name, now, SECONDS)
    )


def unsigned(state: StateDir, pushed: frozenset[RepositoryName], now: float) -> frozenset[RepositoryName]:
    """Those that no unsigned event has named for ten minutes at least.

    They take no turn of a push's. Raises StateError.
    """
    return frozenset(
        one for one in pushed if seen.first(state, "pushes/unsigned", one.full_name, now, UNSIGNED_SECONDS)
    )
