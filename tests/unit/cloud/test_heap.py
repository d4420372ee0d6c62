"""Threads share one heap."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from tests.emulator.client import PROJECT_ROOT

WORK = """
import ctypes, threading
from shared.cloud import heap
{before}
barrier = threading.Barrier(5)
def work():
    barrier.wait()
    bytearray(100_000)
    barrier.wait()
for _ in range(4):
    threading.Thread(target=work).start()
barrier.wait()
barrier.wait()
ctypes.CDLL(None).malloc_stats()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has several heaps")
@pytest.mark.parametrize(("before", "heaps"), [("", 5), ("heap.share()", 1)])
def test_threads_share_the_heap_once_it_is_said(before: str, heaps: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WORK.format(before=before)],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ended.stderr.count("Arena ") == heaps
