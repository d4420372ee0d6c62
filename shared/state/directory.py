"""``STATE_DIR``: whole files, each written once.

It may be a mounted bucket, which can neither append nor rename nor lock.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from shared.errors import FileThere, StateError


class StateDir:
    """Names are relative paths with ``/``. Every fault is a StateError that names ``STATE_DIR``."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)
        if not self._root.is_dir():
            raise StateError(f"STATE_DIR ({root}) is not a directory; create it, or mount the bucket there.")

    def make(self, name: str) -> None:
        """Makes a folder, and those above it within the state directory."""
        try:
            for folder in (*reversed(Path(name).parents), Path(name)):
                (self._root / folder).mkdir(exist_ok=True)
        except OSError as error:
            raise self._error(name, error) from None

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Writes a new file in an existing folder; it is on disk, whole, when this returns, or else not
        there.
        """
        begun = False
        try:
            with (self._root / name).open("xb") as file:
                begun = True
                file.writelines(chunks)
                file.flush()
                with suppress(_Unsupported):
                    _sync(file.fileno())
        except OSError as error:
            if begun:
                self.delete(name)
            fault = self._error(name, error)
            raise (FileThere(str(fault)) if isinstance(error, FileExistsError) else fault) from None

    def claim(self, name: str, text: bytes) -> bool:
        """Writes a new file, and says whether it is this call that did: of several at once, one."""
        try:
            self.write(name, [text])
        except FileThere:
            return False
        return True

    def read(self, name: str) -> bytes | None:
        """The file's bytes, or None when there is no such file."""
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error(name, error) from None

    def names(self, folder: str) -> list[str]:
        """What is in a folder, sorted; nothing when there is no such folder."""
        try:
            return sorted(path.name for path in (self._root / folder).iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._error(folder, error) from None

    def delete(self, name: str) -> None:
        with suppress(OSError):
            (self._root / name).unlink(missing_ok=True)

    def delete_folder(self, name: str) -> None:
        """Deletes an empty folder."""
        with suppress(OSError):
            (self._root / name).rmdir()

    def _error(self, name: str, error: OSError) -> StateError:
        return StateError(
            f"STATE_DIR: {self._root / name}: {error.strerror}; what cannot be journaled is not deleted. Make"
            " room, or make the directory writable."
        )


class _Unsupported(Exception):
    pass


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise _Unsupported from None  # some mounts write on closing only
        raise
