"""Doing a thing once: `first` returns True to the first of several invocations that registers a key.

A key is the object ``<folder>/<hash of the key>``, which says when it was last registered: created by the
first, replaced by the first after ``seconds``.
"""

from __future__ import annotations

import hashlib

import msgspec

from shared.state.store import Store, Stored


class _Registered(msgspec.Struct, frozen=True):
    at: float


def first(state: Store, folder: str, key: str, at: float, seconds: float) -> bool:
    """Whether nobody registered ``key`` in the ``seconds`` before ``at`` (seconds since 1970), or after it.

    Raises StateError.
    """
    name, text = f"{folder}/{hashlib.sha256(key.encode()).hexdigest()}", msgspec.json.encode(_Registered(at))
    if state.create(name, [text]) is not None:
        return True
    stored = state.read(name)
    if stored is None:  # it has just been deleted for its age
        return state.create(name, [text]) is not None
    return at - _at(stored) >= seconds and state.replace(name, [text], stored.version) is not None


def outlived(state: Store, name: str, before: float) -> bool:
    """Whether the key of that name was last registered ``before`` then. Raises StateError."""
    stored = state.read(name)
    return stored is not None and _at(stored) < before


def _at(stored: Stored) -> float:
    try:
        return msgspec.json.decode(stored.body, type=_Registered).at
    except msgspec.DecodeError:
        return 0.0
