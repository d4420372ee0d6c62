"""The commands that ask the cloud, as far as they go without one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from functions.__main__ import main

LISTING = [
    {
        "id": "img1",
        "name": "crp1/app",
        "digest": f"sha256:{'1' * 64}",
        "tags": ["b-1"],
        "createdAt": "2024-01-01T00:00:00Z",
    }
]
RULE = '[[rules]]\nname = "builds"\ntags = "{}"\nolder_than = "30d"\n'


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str, str]:
    """A listing, settings that take its image, and settings that take nothing."""
    listing, taking, keeping = (tmp_path / name for name in ("listing.json", "taking.toml", "keeping.toml"))
    listing.write_text(json.dumps(LISTING))
    taking.write_text(RULE.format("b-.*"))
    keeping.write_text(RULE.format("c-.*"))
    return str(listing), str(taking), str(keeping)


def test_a_saved_listing_is_reported_as_json(
    files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    listing, taking, _ = files
    assert main(["dry-run", "--listing", listing, "--config", taking, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [row["image_id"] for row in report["images"]] == ["img1"]


def test_two_settings_files_are_compared_on_a_listing(
    files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    listing, taking, keeping = files
    arguments = ["dry-run", "--listing", listing, "--config", keeping, "--diff", taking, "--json"]
    assert main(arguments) == 0
    difference = json.loads(capsys.readouterr().out)
    assert [row["image_id"] for row in difference["newly_taken"]] == ["img1"]
    assert difference["newly_kept"] == []


def test_rules_are_shown_as_native_policies_without_a_call(
    files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", "--config", files[1]]) == 0
    assert "builds" in capsys.readouterr().out


def test_a_report_of_wrong_settings_ends_with_their_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("FOLDER_ID", "REGISTRY_IDS", "JANITOR_CONFIG"):
        monkeypatch.delenv(variable, raising=False)
    assert main(["validate", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["errors"][0]["where"] == "FOLDER_ID"
