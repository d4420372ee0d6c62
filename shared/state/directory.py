"""``STATE_DIR``: a directory of one machine that keeps the state, a file for each object.

An object is written to a file of its own below ``.new``, and then linked to its name, which fails where
there is one, or renamed to it. A version is the hash of the bytes; while it is compared, ``.lock`` is locked
(flock), so that of several processes one replaces. A process that is killed lets go of the lock; while one is
frozen just there, the others give up after ``LONGEST_WAIT`` seconds, and nothing is written twice.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shared.errors import StateError
from shared.state.store import Stored

NEW, LOCK = ".new", ".lock"
LONGEST_WAIT, LOOK_EVERY = 10.0, 0.005
LEFT_BEHIND = 86_400.0
ATTEMPTS = 10


class StateDir:
    """The store in the directory ``root``, which must be there."""

    def __init__(self, root: str) -> None:
        self.where = f"STATE_DIR ({root})"
        self._root = Path(root)
        if not self._root.is_dir():
            raise StateError(f"{self.where} is not a directory; create it.")
        self._forget_cut_off()

    def read(self, name: str) -> Stored | None:
        """The object, or None when there is none of this name."""
        with self._faults(name):
            body = _bytes(self._path(name))
            return None if body is None else Stored(body, hashlib.sha256(body).hexdigest())

    def create(self, name: str, chunks: Iterable[bytes]) -> str | None:
        """Writes a new object and returns its version; None when there is one of this name already."""
        with self._faults(name), self._written(chunks) as (file, version):
            return version if self._link(file, self._path(name)) else None

    def replace(self, name: str, chunks: Iterable[bytes], version: str) -> str | None:
        """Writes the object anew and returns its version; None when it is no longer at ``version``."""
        path = self._path(name)
        with self._faults(name), self._written(chunks) as (file, new), self._locked():
            body = _bytes(path)
            if body is None or hashlib.sha256(body).hexdigest() != version:
                return None
            file.replace(path)
            return new

    def names(self, prefix: str) -> list[str]:
        """The names that begin with ``prefix``, sorted, all of them."""
        folder = self._path(prefix.rpartition("/")[0])
        with self._faults(prefix):
            files = [
                Path(at) / name for at, _, names in os.walk(folder, onerror=_unless_gone) for name in names
            ]
        names = (file.relative_to(self._root).as_posix() for file in files)
        return sorted(name for name in names if name.startswith(prefix) and not name.startswith("."))

    def delete(self, name: str) -> None:
        """Deletes the object, and the folders that are empty without it; there may be none."""
        with self._faults(name), self._locked():
            self._path(name).unlink(missing_ok=True)
            with suppress(OSError):
                for folder in list(Path(name).parents)[:-1]:
                    (self._root / folder).rmdir()

    def _path(self, name: str) -> Path:
        if name.startswith("/") or ".." in name.split("/"):
            raise StateError(f"{self.where}: {name} is no name of an object.")
        return self._root / name

    @contextmanager
    def _written(self, chunks: Iterable[bytes]) -> Iterator[tuple[Path, str]]:
        """A new file that is on disk, and its version; it is deleted unless it is renamed."""
        file, hashed = self._root / NEW / uuid.uuid4().hex, hashlib.sha256()
        file.parent.mkdir(exist_ok=True)
        try:
            with file.open("xb") as opened:
                for chunk in chunks:
                    hashed.update(chunk)
                    opened.write(chunk)
                opened.flush()
                _sync(opened.fileno())
            yield file, hashed.hexdigest()
        finally:
            with suppress(OSError):
                file.unlink(missing_ok=True)

    def _link(self, file: Path, path: Path) -> bool:
        """Links the file to the path, and says whether it is this call that did: of several, one."""
        for attempt in range(ATTEMPTS):
            for folder in reversed(path.relative_to(self._root).parents):
                (self._root / folder).mkdir(exist_ok=True)
            try:
                path.hardlink_to(file)
            except FileExistsError:
                return False
            except FileNotFoundError:  # somebody has just deleted the folder, which was empty
                if attempt + 1 == ATTEMPTS:
                    raise
            else:
                return True
        raise AssertionError  # the last attempt returns or raises

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._root / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        until = time.monotonic() + LONGEST_WAIT
        try:
            while not _lock(descriptor):
                if time.monotonic() > until:
                    raise StateError(
                        f"{self.where}: another process has held the lock {LOCK} for"
                        f" {LONGEST_WAIT:.0f} s; end it if it is frozen."
                    )
                time.sleep(LOOK_EVERY)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _faults(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StateError(
                f"{self.where}: {name}: {error.strerror}; what cannot be journaled is not deleted. Make room,"
                " or make the directory writable."
            ) from None

    def _forget_cut_off(self) -> None:
        """Deletes what processes that were killed have left unfinished."""
        with suppress(OSError):
            for file in (self._root / NEW).iterdir():
                if time.time() - file.stat().st_mtime > LEFT_BEHIND:
                    file.unlink()


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):  # some file systems have none
            raise
