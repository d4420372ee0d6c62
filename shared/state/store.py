"""What keeps the state: objects by name, each with a version, and writes that fail rather than overwrite.

Two stores answer it: a local directory, and a bucket of Object Storage.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

from shared.errors import StateError


class Stored(msgspec.Struct, frozen=True):
    """An object as it was read; ``version`` is another one after every write of other bytes."""

    body: bytes
    version: str


class Store(Protocol):
    """Names are relative paths with ``/``. Every fault is a StateError that names the store and the object.

    A write is whole or it is not there; when it returns, everybody who reads sees it.
    """

    where: str
    """The store as people call it, for messages: ``STATE_DIR (/path)`` or ``STATE_BUCKET (name)``."""

    def read(self, name: str) -> Stored | None:
        """The object, or None when there is none of this name."""

    def create(self, name: str, chunks: Iterable[bytes]) -> str | None:
        """Writes a new object and returns its version; None when there is one of this name already."""

    def replace(self, name: str, chunks: Iterable[bytes], version: str) -> str | None:
        """Writes the object anew and returns its version; None when it is no longer at ``version``."""

    def names(self, prefix: str) -> list[str]:
        """The names that begin with ``prefix``, sorted, all of them."""

    def delete(self, name: str) -> None:
        """Deletes the object; there may be none."""


def write_once(store: Store, name: str, chunks: Iterable[bytes]) -> None:
    """Writes an object that nobody else writes. Raises StateError, also when there is one of this name."""
    if store.create(name, chunks) is None:
        raise StateError(f"{store.where}: {name} is there already, and this run did not write it.")


def body(stored: Stored | None) -> bytes | None:
    return stored.body if stored else None
