"""A directory keeps objects: of several processes one creates, one replaces, and a fault is one sentence."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import StateError
from shared.state import directory
from shared.state.directory import LEFT_BEHIND, LOCK, NEW, StateDir
from shared.state.store import body
from tests.emulator.client import PROJECT_ROOT


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(str(tmp_path))


def test_an_object_that_could_not_be_written_whole_is_not_there(state: StateDir, tmp_path: Path) -> None:
    def until_the_disk_is_full() -> Iterator[bytes]:
        yield b"half"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StateError, match=r"STATE_DIR \(.*\): lease: No space left"):
        state.create("lease", until_the_disk_is_full())
    assert state.read("lease") is None
    version = state.create("lease", [b"wh", b"ole"])
    assert version
    with pytest.raises(StateError, match="No space left"):
        state.replace("lease", until_the_disk_is_full(), version)

    assert body(state.read("lease")) == b"whole"
    assert list((tmp_path / NEW).iterdir()) == []


@pytest.mark.parametrize("name", ["../outside", "/outside", "runs/../../outside"])
def test_no_name_leads_out_of_the_directory(state: StateDir, name: str) -> None:
    with pytest.raises(StateError, match="is no name of an object"):
        state.create(name, [b""])


def test_what_is_not_there_is_said_where_it_is_opened(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"STATE_DIR \(.*missing\) is not a directory"):
        StateDir(str(tmp_path / "missing"))


def test_what_a_killed_process_left_unfinished_is_deleted_a_day_later(
    state: StateDir, tmp_path: Path
) -> None:
    state.create("a", [b""])
    for name, age in (("old", LEFT_BEHIND + 60), ("new", 60)):
        file = tmp_path / NEW / name
        file.write_text("half")
        os.utime(file, (time.time() - age,) * 2)

    StateDir(str(tmp_path))

    assert [file.name for file in (tmp_path / NEW).iterdir()] == ["new"]
    assert state.names("") == ["a"]


HOLDER = """
import fcntl, os, sys, time

descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(descriptor, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the directory's lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / LOCK)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT_ROOT,
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_killed_process_lets_go_of_the_lock(state: StateDir, holder: subprocess.Popen[str]) -> None:
    version = state.create("lease", [b"1"])
    assert version
    holder.kill()
    assert state.replace("lease", [b"2"], version)


def test_while_a_process_is_frozen_with_the_lock_others_give_up_and_write_nothing(
    state: StateDir, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "LONGEST_WAIT", 0.2)
    version = state.create("lease", [b"1"])
    assert version
    os.kill(holder.pid, signal.SIGSTOP)

    with pytest.raises(StateError, match=r"another process has held the lock \.lock"):
        state.replace("lease", [b"2"], version)

    assert body(state.read("lease")) == b"1"
    assert state.create("other", [b""])


def test_a_file_system_that_cannot_lock_is_a_fault(state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    version = state.create("lease", [b"1"])
    assert version
    with pytest.raises(StateError, match="No locks available"):
        state.replace("lease", [b"2"], version)
