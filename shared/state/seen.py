"""Doing a thing once: `first` returns True to the first of several invocations that registers a key.

A key stays in its folder of ``STATE_DIR`` for one to two times ``seconds``. Its file, ``<window>-<hash of the
key>``, is written exclusively; a file of the window before counts too. Older files are deleted along the way.
"""

from __future__ import annotations

import hashlib

from shared.state.directory import StateDir


def first(state: StateDir, folder: str, key: str, at: float, seconds: float) -> bool:
    """Whether nobody registered ``key`` shortly before ``at`` (seconds since 1970). Raises StateError."""
    state.make(folder)
    window, hashed = int(at // seconds), hashlib.sha256(key.encode()).hexdigest()
    if _is_registered(state, folder, hashed, window):
        return False
    # another invocation may have registered it in the next window, between the look and the claim
    return state.claim(f"{folder}/{window}-{hashed}", b"") and not _is_registered(
        state, folder, hashed, window, window
    )


def _is_registered(state: StateDir, folder: str, hashed: str, window: int, own: int | None = None) -> bool:
    """Whether the key is registered in the window before or a later one, the ``own`` window aside.

    Deletes older files.
    """
    registered = False
    for name in state.names(folder):
        begun, _, other = name.partition("-")
        if not begun.isdigit() or int(begun) < window - 1:
            state.delete(f"{folder}/{name}")
        elif other == hashed and int(begun) != own:
            registered = True
    return registered
