"""A command in a terminal of so many columns, and what it shows there."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from pathlib import Path

from tests.emulator.client import PROJECT_ROOT
from tests.support.command_line import command

CODES = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]")


class Shown:
    """What was written to standard output and to standard error, without colours; each was a terminal."""

    def __init__(self, status: int, out: bytes, err: bytes) -> None:
        self.status, self.colours = status, b"\x1b[" in out
        self.out, self.err = (CODES.sub(b"", raw).decode().replace("\r\n", "\n") for raw in (out, err))


def run_in_terminal(
    columns: int, environment: dict[str, str], *arguments: str, cwd: Path = PROJECT_ROOT
) -> Shown:
    """Runs a command of ``python -m functions`` in a terminal of 40 lines."""
    ends = [pty.openpty() for _ in range(2)]
    for _, inner in ends:
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    read: list[bytes] = [b"", b""]

    def drain(number: int) -> None:
        while True:
            try:
                some = os.read(ends[number][0], 65536)
            except OSError:  # Linux says so when the other end is closed
                return
            if not some:
                return
            read[number] += some

    process = subprocess.Popen(
        command(*arguments),
        cwd=cwd,
        env={"TERM": "xterm-256color", **environment},
        stdin=ends[0][1],
        stdout=ends[0][1],
        stderr=ends[1][1],
    )
    threads = [threading.Thread(target=drain, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for _, inner in ends:
        os.close(inner)
    status = process.wait(timeout=60)
    for thread in threads:
        thread.join(timeout=10)
    for outer, _ in ends:
        os.close(outer)
    return Shown(status, *read)
