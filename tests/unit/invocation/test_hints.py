"""What may have been overlooked is said where it helps, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.invocation import hints
from tests.support.channels import report

REFUSED = {"where": "GET /", "code": 16, "message": "Token is invalid"}


def test_where_the_file_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert str(tmp_path / "janitor.toml") in hints.of_settings(2, {"JANITOR_CONFIG": ""})
    assert hints.of_settings(2, {"JANITOR_CONFIG": "/a.toml"}) == ""
    assert hints.of_settings(1, {"JANITOR_CONFIG": ""}) == ""


def test_what_to_do_about_a_token() -> None:
    refused = report(errors=[REFUSED])

    assert "yc iam create-token" in hints.of_token(refused, {"IAM_TOKEN": "t1.x"})
    assert "t1.x" not in hints.of_token(refused, {"IAM_TOKEN": "t1.x"})
    assert hints.of_token(refused, {}) == ""
    assert hints.of_token(report(errors=[{**REFUSED, "code": 7}]), {"IAM_TOKEN": "t1.x"}) == ""
