"""``python -m shared.deploy.package FILE.zip``: the archive that the cloud takes, the same bytes for the same
sources.

Entry points lie at the root (the cloud wants ``<file>.<callable>``), ``shared/`` beside them,
``requirements.txt`` too; no tests, and nothing that only a deployment needs. Nothing is compressed, since
compressed bytes differ from one zlib to the next.
"""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKED = {".py", ".html", ".css", ".js"}
MOST_BYTES = 3_500_000
EPOCH = (1980, 1, 1, 0, 0, 0)


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
    return file.write_bytes(archive(root))


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: ./deploy.sh package FILE.zip", file=sys.stderr)
        return 2
    file = Path(sys.argv[1])
    try:
        size = package(file)
    except OSError as error:
        print(f"{file} cannot be written: {error.strerror}.", file=sys.stderr)
        return 1
    if size > MOST_BYTES:
        print(f"{file} has {size} bytes; the cloud takes {MOST_BYTES} at most.", file=sys.stderr)
        return 1
    print(f"{file}: {size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
