"""A burst of pushes is one clean-up: with ``STATE_DIR``, a repository is cleaned on the first push, and not
again on those of the next five to ten minutes. The timer, or the next push after that, cleans up what these
bring.
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
    """The pushed repositories that no run in this mode has cleaned in the last minutes. Raises StateError."""
    return frozenset(
        name for name in pushed if seen.first(state, f"pushes/{mode}", name.full_name, now, SECONDS)
    )


def unsigned(state: StateDir, pushed: frozenset[RepositoryName], now: float) -> frozenset[RepositoryName]:
    """The repositories that no unsigned event has named for ten minutes; other pushes do not count.

    Raises StateError.
    """
    return frozenset(
        name for name in pushed if seen.first(state, "pushes/unsigned", name.full_name, now, UNSIGNED_SECONDS)
    )
