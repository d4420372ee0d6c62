"""One heap for all threads.

glibc gives each thread a heap of its own, up to eight a core, and what is freed in one serves no other: a
large listing leaves megabytes in each. Python's threads take turns anyway.
"""

from __future__ import annotations

from contextlib import suppress

M_ARENA_MAX = -8  # of glibc's malloc.h; mallopt(3)


def share() -> None:
    """Lets threads that begin from now on use the heaps that there are; does nothing without glibc."""
    with suppress(ImportError, OSError, AttributeError, TypeError):
        import ctypes  # imported here: a call that is refused needs no heap

        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
