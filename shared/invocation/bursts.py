"""A burst of pushes is one clean-up: with a state, the first push cleans its repository, and a push in the
next five minutes does not. Its images wait for the timer, or for the next push after that.
"""

from __future__ import annotations

from shared.retention.records import Notice, RepositoryName
from shared.state import seen
from shared.state.store import Store

SECONDS = 300
UNSIGNED_SECONDS = 600
CLEANED = Notice(
    "cleaned-already",
    "A repository that was pushed to has been cleaned for a push a few minutes ago, and is left to the timer"
    " or the next push.",
)


def fresh(
    state: Store, mode: str, pushed: frozenset[RepositoryName], now: float
) -> frozenset[RepositoryName]:
    """The pushed repositories that no run in this mode has cleaned in the last minutes. Raises StateError."""
    return frozenset(
        name for name in pushed if seen.first(state, f"pushes/{mode}", name.full_name, now, SECONDS)
    )


def unsigned(state: Store, pushed: frozenset[RepositoryName], now: float) -> frozenset[RepositoryName]:
    """The repositories that no unsigned event has named for ten minutes; other pushes do not count.

    Raises StateError.
    """
    return frozenset(
        name for name in pushed if seen.first(state, "pushes/unsigned", name.full_name, now, UNSIGNED_SECONDS)
    )
