"""``python -m shared.deploy.package FILE.zip``: the archive that the cloud takes, the same bytes for the same
sources.

Entry points lie at the root (the cloud wants ``<file>.<callable>``), ``shared/`` beside them,
``requirements.txt`` too; no tests, and nothing that only a deployment needs. Nothing is compressed, since
compressed bytes differ from one zlib to the next.

A function that starts compiles its sources each time, for it may not write beside them: where the runtime's
own interpreter is at hand, they are compiled here.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKED = {".py", ".html", ".css", ".js"}
MOST_BYTES = 3_500_000
EPOCH = (1980, 1, 1, 0, 0, 0)
RUNTIME = "3.12"

# Reads an archive and writes another one with the compiled sources. They hold the hash of their source, which
# is not compared with it (PEP 552): times would be, and those of an archive mean nothing.
_COMPILE = """
import importlib.util, io, marshal, sys, zipfile
if "%d.%d" % sys.version_info[:2] != sys.argv[1]:
    sys.exit(3)
written = io.BytesIO()
with zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read())) as read, zipfile.ZipFile(written, "w") as archive:
    for name in sorted(name for name in read.namelist() if name.endswith(".py")):
        source = read.read(name)
        code = marshal.dumps(compile(source, name, "exec", dont_inherit=True))
        head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + importlib.util.source_hash(source)
        archive.writestr(importlib.util.cache_from_source(name), head + code)
sys.stdout.buffer.write(written.getvalue())
"""


def members(root: Path) -> Iterator[tuple[str, Path]]:
    """Every file of the archive: its name there, and where it is."""
    for source in root.glob("functions/*.py"):
        if not source.name.startswith("__"):
            yield source.name, source
    for source in root.glob("shared/**/*"):
        if source.suffix in PACKED and source.parent != root / "shared" / "deploy":
            yield source.relative_to(root).as_posix(), source
    yield "requirements.txt", root / "requirements.txt"


def archive(root: Path = ROOT, more: Mapping[str, bytes] | None = None) -> bytes:
    """The archive, with ``more`` files at its root."""
    contents = {name: source.read_bytes() for name, source in members(root)} | dict(more or {})
    return _zipped(contents)


def compiled(archive: bytes, runtime: str = RUNTIME) -> bytes:
    """``archive`` with its sources compiled too, or as it is if there is no Python of ``runtime`` here."""
    python = sys.executable if runtime == f"{sys.version_info[0]}.{sys.version_info[1]}" else None
    python = python or shutil.which(f"python{runtime}")
    if python is None:
        return archive
    ended = subprocess.run(  # noqa: S603 - the text above, by an interpreter of the PATH
        [python, "-I", "-c", _COMPILE, runtime], input=archive, capture_output=True, check=False
    )
    if ended.returncode:  # version managers put names on the PATH that only print an error
        return archive
    return _zipped(_contents(archive) | _contents(ended.stdout))


def _contents(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def _zipped(contents: Mapping[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as opened:
        for name, content in sorted(contents.items()):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            opened.writestr(entry, content)
    return written.getvalue()


def package(file: Path, root: Path = ROOT) -> int:
    """Writes the archive and returns its size in bytes."""
    return file.write_bytes(compiled(archive(root)))


def write(file: Path) -> int:
    """Writes the archive, says so, and returns the exit status."""
    try:
        size = package(file)
    except OSError as error:
        print(f"{file} cannot be written: {error.strerror}; name another file.", file=sys.stderr)
        return 1
    if size > MOST_BYTES:
        print(f"{file} has {size} bytes; the cloud takes {MOST_BYTES} at most.", file=sys.stderr)
        return 1
    print(f"{file}: {size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(write(Path(sys.argv[1])))
