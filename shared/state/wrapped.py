"""Stands in for the directory store until that is there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from shared.errors import StateError
from shared.state.store import Stored


class Wrapped:
    def __init__(self, root: str) -> None:
        self._root, self.where = Path(root), f"STATE_DIR ({root})"

    def read(self, name: str) -> Stored | None:
        try:
            body = (self._root / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateError(f"{self.where}: {name}: {error.strerror}") from None
        return Stored(body, hashlib.sha256(body).hexdigest())

    def create(self, name: str, chunks: Iterable[bytes]) -> str | None:
        return None if self.read(name) else self._write(name, chunks)

    def replace(self, name: str, chunks: Iterable[bytes], version: str) -> str | None:
        there = self.read(name)
        return self._write(name, chunks) if there and there.version == version else None

    def names(self, prefix: str) -> list[str]:
        paths = self._root.rglob("*")
        names = [path.relative_to(self._root).as_posix() for path in paths if path.is_file()]
        return sorted(name for name in names if name.startswith(prefix))

    def delete(self, name: str) -> None:
        (self._root / name).unlink(missing_ok=True)

    def _write(self, name: str, chunks: Iterable[bytes]) -> str:
        body, path = b"".join(chunks), self._root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".new").write_bytes(body)
            path.with_suffix(".new").replace(path)
        except OSError as error:
            raise StateError(f"{self.where}: {name}: {error.strerror}") from None
        return hashlib.sha256(body).hexdigest()
