"""Where the emulated cloud keeps files: a directory for each bucket, and one for the code of each version."""

import io
import shutil
import tempfile
import zipfile
from pathlib import Path


class Disk:
    """A scratch directory, made when it is first needed and removed by `wipe`."""

    def __init__(self) -> None:
        self._root: Path | None = None

    def _directory(self, kind: str, name: str) -> Path:
        if self._root is None:
            self._root = Path(tempfile.mkdtemp(prefix="emulated-cloud-"))
        return self._root / kind / name

    def bucket(self, name: str) -> Path:
        """The bucket's directory; its objects are the files below it."""
        directory = self._directory("buckets", name)
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    def objects(self, bucket: str) -> list[Path]:
        return sorted(path for path in self.bucket(bucket).rglob("*") if path.is_file())

    def remove_bucket(self, name: str) -> None:
        shutil.rmtree(self.bucket(name))

    def code(self, version_id: str, archive: bytes) -> Path:
        """The unpacked archive of a version."""
        directory = self._directory("code", version_id)
        if not directory.exists():
            with zipfile.ZipFile(io.BytesIO(archive)) as opened:
                opened.extractall(directory)
        return directory

    def scratch(self, request_id: str) -> Path:
        """An empty directory for one call."""
        directory = self._directory("calls", request_id)
        directory.mkdir(parents=True)
        return directory

    def wipe(self) -> None:
        if self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)
            self._root = None
