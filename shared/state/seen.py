"""Doing a thing once: the first of several invocations that says a word in a folder of ``STATE_DIR`` is told
so.

A word is remembered for one to two times ``seconds``: its file, ``<window>-<hash of the word>``, is written
exclusively, and one of the window before counts too. Older files are deleted along the way.
"""

from __future__ import annotations

import hashlib

from shared.state.directory import StateDir


def first(state: StateDir, folder: str, word: str, at: float, seconds: float) -> bool:
    """Whether nobody has said ``word`` shortly before ``at`` (seconds since 1970). Raises StateError."""
    state.make(folder)
    window, hashed = int(at // seconds), hashlib.sha256(word.encode()).hexdigest()
    if _said(state, folder, hashed, window):
        return False
    # another may have said it in the next window, after the look and before the claim
    return state.claim(f"{folder}/{window}-{hashed}", b"") and not _said(
        state, folder, hashed, window, window
    )


def _said(state: StateDir, folder: str, hashed: str, window: int, own: int | None = None) -> bool:
    """Whether the word is there from the window before on, but for the ``own`` window.

    Deletes what is older.
    """
    said = False
    for name in state.names(folder):
        begun, _, other = name.partition("-")
        if not begun.isdigit() or int(begun) < window - 1:
            state.delete(f"{folder}/{name}")
        elif other == hashed and int(begun) != own:
            said = True
    return said
