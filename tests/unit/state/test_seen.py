"""A key counts once in a while."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from shared.state.directory import StateDir
from shared.state.seen import first, outlived


def test_a_key_is_new_once_in_a_while(tmp_path: Path) -> None:
    state = StateDir(str(tmp_path))
    times = [1000, 1000, 1099, 900, 1100, 1199, 1200]
    assert [first(state, "seen", "key", at, 100) for at in times] == [
        True,
        False,
        False,
        False,
        True,
        False,
        True,
    ]


def test_keys_and_folders_are_apart(tmp_path: Path) -> None:
    state = StateDir(str(tmp_path))
    assert first(state, "seen", "key", 1000, 100)
    assert first(state, "seen", "other", 1000, 100)
    assert first(state, "elsewhere", "key", 1000, 100)


def test_of_two_that_find_an_old_key_one_is_first(tmp_path: Path) -> None:
    later: list[bool] = []

    class Overtaken(StateDir):
        def replace(self, name: str, chunks: Iterable[bytes], version: str) -> str | None:
            later.append(first(StateDir(str(tmp_path)), "seen", "key", 1101.0, 100))
            return super().replace(name, chunks, version)

    assert first(StateDir(str(tmp_path)), "seen", "key", 1000, 100)
    earlier = first(Overtaken(str(tmp_path)), "seen", "key", 1100.0, 100)

    assert [*later, earlier] == [True, False]


def test_a_key_that_cannot_be_read_counts_as_old(tmp_path: Path) -> None:
    state = StateDir(str(tmp_path))
    assert first(state, "seen", "key", 1000, 100)
    (file,) = (tmp_path / "seen").iterdir()
    file.write_bytes(b"no JSON")
    assert outlived(state, state.names("seen/")[0], 1.0)
    assert first(state, "seen", "key", 1001, 100)
