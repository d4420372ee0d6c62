"""The commands that ask nothing of the cloud."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from functions.__main__ import main
from shared.errors import SettingsError
from shared.invocation.read_only import write_page
from shared.report.legend import Legend
from shared.report.report import Heading, empty, head
from shared.state.directory import StateDir
from shared.state.journal import Begin, Journal

NOW = datetime(2026, 11, 26, 3, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "state").mkdir()
    file = tmp_path / "janitor.toml"
    file.write_text('folder_id = "b1g1"\n')
    return str(file)


def test_settings_are_checked_without_a_call(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", config]) == 0
    assert main(["check", config, "--json"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("The settings are right: mode dry-run, 0 rules.\n")
    assert json.loads(text.partition("\n")[2]) == {"status": "ok", "mode": "dry-run", "rules": 0}


def test_the_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "registry-janitor"
    assert main(["schema", "--report"]) == 0
    assert "held-back" in capsys.readouterr().out


def test_the_last_report_is_shown_or_written_as_a_page(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = Journal(StateDir(str(tmp_path / "state")), Begin("r1", "dry-run", "2026-11-26T03:00:00Z"))
    journal.finish(head(empty(Heading("r1", "dry-run", NOW), NOW)), iter([]))

    assert main(["report", "--config", config, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["run_id"] == "r1"

    page = tmp_path / "page.html"
    assert main(["report", "--config", config, "--html", str(page)]) == 0
    assert "r1" in page.read_text(encoding="utf-8")


def test_a_run_that_is_not_there_is_an_error(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "r9", "--config", config]) == 2
    assert "has no run r9" in capsys.readouterr().err


def test_a_page_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    report = empty(Heading("r1", "dry-run", NOW), NOW)
    with pytest.raises(SettingsError, match="cannot be written"):
        write_page(tmp_path, report, [], Legend())
