"""Writes a page where the command line says."""

from __future__ import annotations

from pathlib import Path

from shared.errors import SettingsError


def write(file: Path, html: str) -> None:
    """Writes the page and prints its size. Raises SettingsError when the file cannot be written."""
    try:
        file.write_text(html, encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be written: {error.strerror}; name another file.", where="--html"
        ) from None
    print(f"{file}: {file.stat().st_size} bytes")
