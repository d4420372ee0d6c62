"""A key counts once in a while."""

from __future__ import annotations

from pathlib import Path

from shared.state.directory import StateDir
from shared.state.seen import first


def test_a_key_is_new_once_in_its_window_and_the_next(tmp_path: Path) -> None:
    state = StateDir(str(tmp_path))
    answers = [first(state, "seen", "key", at, 100) for at in (1000, 1099, 1199, 1200)]
    assert answers == [True, False, False, True]


def test_keys_and_folders_are_apart(tmp_path: Path) -> None:
    state = StateDir(str(tmp_path))
    assert first(state, "seen", "key", 1000, 100)
    assert first(state, "seen", "other", 1000, 100)
    assert first(state, "elsewhere", "key", 1000, 100)


def test_old_keys_are_deleted_on_the_way(tmp_path: Path) -> None:
    state = StateDir(str(tmp_path))
    first(state, "seen", "key", 1000, 100)
    first(state, "seen", "other", 1300, 100)
    assert len(state.names("seen")) == 1
