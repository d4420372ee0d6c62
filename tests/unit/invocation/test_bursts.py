"""A burst of pushes is one clean-up."""

from __future__ import annotations

from pathlib import Path

from shared.invocation.bursts import SECONDS, UNSIGNED_SECONDS, fresh, unsigned
from shared.retention.records import RepositoryName
from shared.state.directory import StateDir

APP, WEB = RepositoryName("crp1", "crp1/app"), RepositoryName("crp1", "crp1/web")
NOW = 1_800_000_000.0


def test_a_repository_is_fresh_on_its_first_push_and_after_the_window(tmp_path: Path) -> None:
    state = StateDir(str(tmp_path))
    assert fresh(state, "apply", frozenset({APP}), NOW) == {APP}
    assert fresh(state, "apply", frozenset({APP, WEB}), NOW + 1) == {WEB}
    assert fresh(state, "apply", frozenset({APP}), NOW + 2 * SECONDS) == {APP}


def test_modes_and_unsigned_events_count_apart(tmp_path: Path) -> None:
    state = StateDir(str(tmp_path))
    assert fresh(state, "apply", frozenset({APP}), NOW) == {APP}
    assert fresh(state, "dry-run", frozenset({APP}), NOW) == {APP}
    assert unsigned(state, frozenset({APP}), NOW) == {APP}
    assert unsigned(state, frozenset({APP}), NOW + UNSIGNED_SECONDS - 1) == frozenset()
