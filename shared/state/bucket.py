"""``STATE_BUCKET``: a bucket that keeps the state, an object for each; nothing is mounted.

A version is an object's ETag. Object Storage itself looks whether a write may be: only where there is no
object, only where it is unchanged. Every write has an id of its own, which is kept with the object, so that a
write without an answer, or one that was refused because it had been carried out already, is settled by
reading that id.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from shared.cloud import object_storage
from shared.cloud.client import Cloud
from shared.errors import (
    FAILED_PRECONDITION,
    PERMISSION_DENIED,
    CallError,
    CredentialsError,
    OutOfTime,
    StateError,
)
from shared.state.store import Stored

ROLE = "storage.editor"
ATTEMPTS = 6
SMALL, SPOOLED = 1024**2, 4 * 1024**2
SOON, LATE = 5.0, 60.0
SETTING = "YC_STORAGE_ENDPOINT"


class Bucket:
    """The store in ``place``, ``BUCKET`` or ``BUCKET/prefix``; ``endpoint`` is Object Storage's URL."""

    def __init__(self, cloud: Cloud, endpoint: str, place: str) -> None:
        self.where = f"STATE_BUCKET ({place})"
        self._bucket, _, prefix = place.partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._small = cloud.at(endpoint, attempts=ATTEMPTS, timeout=SOON, setting=SETTING)
        self._big = cloud.at(endpoint, attempts=ATTEMPTS, timeout=LATE, setting=SETTING)

    def read(self, name: str) -> Stored | None:
        """The object, or None when there is none of this name."""
        with self._faults(name):
            found = object_storage.read(self._big, self._bucket, self._prefix + name)
        return Stored(found[0], found[1].etag) if found else None

    def create(self, name: str, chunks: Iterable[bytes]) -> str | None:
        """Writes a new object and returns its version; None when there is one of this name already."""
        return self._put(name, chunks, None, {"If-None-Match": "*"})

    def replace(self, name: str, chunks: Iterable[bytes], version: str) -> str | None:
        """Writes the object anew and returns its version; None when it is no longer at ``version``."""
        return self._put(name, chunks, version, {"If-Match": version})

    def names(self, prefix: str) -> list[str]:
        """The names that begin with ``prefix``, sorted, all of them."""
        with self._faults(prefix):
            listed = object_storage.keys(self._small, self._bucket, self._prefix + prefix)
            return sorted(key.removeprefix(self._prefix) for key in listed)

    def delete(self, name: str) -> None:
        """Deletes the object; there may be none."""
        with self._faults(name):
            object_storage.delete(self._small, self._bucket, self._prefix + name)

    def _put(
        self, name: str, chunks: Iterable[bytes], version: str | None, condition: dict[str, str]
    ) -> str | None:
        key, writer = self._prefix + name, uuid.uuid4().hex
        with self._faults(name), _spooled(chunks) as (content, size):
            headers = {
                **condition,
                object_storage.WRITER: writer,
                "Content-Length": str(size),
                "Content-Type": "application/octet-stream",
            }
            storage = self._small if size <= SMALL else self._big
            try:
                new = object_storage.put(storage, self._bucket, key, content, headers)
            except CallError as error:
                if not error.ambiguous:
                    raise
                return self._settled(key, writer, version, error)
            return new or self._settled(key, writer, version, None)

    def _settled(self, key: str, writer: str, version: str | None, error: CallError | None) -> str | None:
        """What became of a write that was refused, or of which only an ``error`` is known."""
        head = object_storage.head(self._small, self._bucket, key)
        if head and head.writer == writer:
            return head.etag
        if error and (head.etag if head else None) == version:
            raise error  # it was not carried out, and may be yet
        return None

    @contextmanager
    def _faults(self, name: str) -> Iterator[None]:
        try:
            yield
        except CallError as error:
            raise StateError(f"{self.where}: {self._said(name, error)}.") from None
        except OutOfTime:
            raise StateError(f"{self.where}: {name}: the time of this invocation is over.") from None
        except CredentialsError as error:
            raise StateError(f"{self.where}: {name}: {error}") from None
        except OSError as error:
            raise StateError(f"{self.where}: {name}: {error.strerror}; make room in the function.") from None

    def _said(self, name: str, error: CallError) -> str:
        if error.code == PERMISSION_DENIED:
            remedy = f"give the service account the role {ROLE} on the bucket {self._bucket}"
            return f"{name}: {error.message.rstrip('.')}; {remedy}"
        if error.code == FAILED_PRECONDITION:
            return "there is no such bucket; create the bucket, or name another by STATE_BUCKET"
        return f"{name}: {error}; what cannot be journaled is not deleted"


@contextmanager
def _spooled(chunks: Iterable[bytes]) -> Iterator[tuple[BinaryIO, int]]:
    """The chunks as a file that can be sent again, on disk if they are many, and how many bytes they are."""
    with tempfile.SpooledTemporaryFile(max_size=SPOOLED) as content:
        content.writelines(chunks)
        yield cast(BinaryIO, content), content.tell()
