"""The exit status of ``migration``, and what it prints when it cannot look."""

from __future__ import annotations

import json
from argparse import Namespace

import pytest

from shared.invocation import migration_by_hand

SETTINGS = {"JANITOR_CONFIG": "", "FOLDER_ID": "b1gfolder", "LOG_LEVEL": "FATAL"}


@pytest.mark.parametrize(
    ("environment", "status", "says"),
    [
        ({**SETTINGS, "FOLDER_ID": ""}, 2, "Neither FOLDER_ID nor REGISTRY_IDS is set"),
        ({**SETTINGS, "SA_KEY": "{"}, 2, "SA_KEY"),
    ],
)
def test_a_run_that_cannot_look_ends_as_a_report(
    environment: dict[str, str], status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = migration_by_hand.show(Namespace(json=True, html=None), environment)

    report = json.loads(capsys.readouterr().out)
    assert ended == status
    assert says in report["errors"][0]["message"]
