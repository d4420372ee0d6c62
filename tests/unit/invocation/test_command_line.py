"""The commands of ``python -m functions``: a record each, and what they take."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.__main__ import main
from shared.errors import SettingsError
from shared.invocation.command_line import COMMANDS, configured, parser

NEEDED = {"apply": ["p1"], "explain": ["app:1"]}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_its_action_and_takes_json_and_a_file(command: object) -> None:
    name = command.name  # type: ignore[attr-defined]
    options = parser()[0].parse_args([name, "--json", "--config", "x.toml", *NEEDED.get(name, [])])
    assert options.act is command.act  # type: ignore[attr-defined]
    assert (options.json, options.config) == (True, "x.toml")


@pytest.mark.parametrize(
    "arguments",
    [[], ["delete"], ["apply"], ["explain"], ["report", "--json", "--html", "x"], ["cleanup", "--diff", "x"]],
    ids=" ".join,
)
def test_bad_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m functions" in capsys.readouterr().err


def test_one_settings_file_is_enough(tmp_path: Path) -> None:
    file = str(tmp_path / "other.toml")
    assert configured(parser()[0].parse_args(["check", file]))["JANITOR_CONFIG"] == file
    with pytest.raises(SettingsError, match="give one of them"):
        configured(parser()[0].parse_args(["check", file, "--config", file]))


def test_an_error_is_one_line_and_its_exit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "missing.toml")]) == 2
    assert capsys.readouterr().err.startswith("There is no settings file")
