"""A page goes where the command line says."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import SettingsError
from shared.invocation import page_file


def test_the_page_is_written_and_its_size_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page_file.write(tmp_path / "page.html", "<p>é</p>")

    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "<p>é</p>"
    assert capsys.readouterr().out == f"{tmp_path / 'page.html'}: 9 bytes\n"


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="name another file"):
        page_file.write(tmp_path / "missing" / "page.html", "")
