"""What somebody at the command line may have overlooked, said after an error."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from shared.errors import UNAUTHENTICATED
from shared.report.contract import Report
from shared.settings.settings import FILE

SAID = ("JANITOR_CONFIG", "FOLDER_ID", "REGISTRY_IDS")


def after_settings(status: int, environment: Mapping[str, str]) -> int:
    """The exit status, after a word on the settings' file if that may be the matter."""
    hint = of_settings(status, environment)
    if hint:
        print(hint, file=sys.stderr)
    return status


def of_settings(status: int, environment: Mapping[str, str]) -> str:
    """Where the settings' file was looked for, after bad settings of which none came from a file."""
    if status != 2 or any(environment.get(name, "").strip() for name in SAID):
        return ""
    return (
        f"No settings file was read: there is no {Path(FILE).absolute()}, and neither --config nor"
        " JANITOR_CONFIG names another."
    )


def of_token(report: Report, environment: Mapping[str, str]) -> str:
    """What to do about a token that the cloud does not take."""
    if not environment.get("IAM_TOKEN", "").strip():
        return ""
    if all(problem.code != UNAUTHENTICATED for problem in report.errors):
        return ""
    return (
        "The token in IAM_TOKEN is not accepted. It is good for 12 hours at most; yc iam create-token gives"
        " a new one."
    )
