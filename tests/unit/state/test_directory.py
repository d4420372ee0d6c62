"""What cannot be written to ``STATE_DIR`` is not deleted, and one sentence says what is wrong there."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import StateError
from shared.state.directory import StateDir


def test_a_file_that_could_not_be_written_whole_is_not_left_in_the_way(tmp_path: Path) -> None:
    def until_the_disk_is_full() -> Iterator[bytes]:
        yield b"half"
        raise OSError(errno.ENOSPC, "No space left on device")

    state = StateDir(str(tmp_path))
    with pytest.raises(StateError, match=r"STATE_DIR: .*/lease: No space left"):
        state.write("lease", until_the_disk_is_full())
    state.write("lease", [b"whole"])
    with pytest.raises(StateError, match="exists"):
        state.write("lease", [b"again"])

    assert state.read("lease") == b"whole"
