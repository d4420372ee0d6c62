"""What a handler returns, and with which HTTP status."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest

from shared.errors import JanitorError, OverrideRefused, PlanRefused
from shared.invocation.answer import answer, http_status
from shared.report.report import Heading, Report, empty
from tests.support.cloud import http

STATUSES: dict[str, tuple[str, JanitorError | None, int]] = {
    "done": ("ok", None, 200),
    "held back": ("held-back", None, 200),
    "refused by a limit": ("refused", None, 200),
    "unfinished for an error": ("unfinished", JanitorError("Slow."), 200),
    "failed without an error": ("failed", None, 500),
    "failed": ("failed", JanitorError("Broken."), JanitorError("").http_status),
    "an override refused": ("refused", OverrideRefused("No."), OverrideRefused("").http_status),
    "a plan that has run out": ("refused", PlanRefused("Late.", http_status=410), 410),
}


def with_status(status: str) -> Report:
    now = datetime.now(UTC)
    return msgspec.structs.replace(empty(Heading("r1", "apply", now), now), status=status)


@pytest.mark.parametrize(("status", "error", "expected"), STATUSES.values(), ids=STATUSES)
def test_the_http_status_follows_the_report(status: str, error: JanitorError | None, expected: int) -> None:
    assert http_status(with_status(status), error) == expected


def test_an_http_call_gets_a_response_and_an_event_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("FOLDER_ID", "REGISTRY_IDS", "JANITOR_CONFIG"):
        monkeypatch.delenv(variable, raising=False)

    report = answer(None, None, deletes=False)
    response = answer(http(), None, deletes=True)

    assert report["errors"][0]["where"] == "FOLDER_ID"
    assert response["statusCode"] >= 400
    assert json.loads(response["body"])["errors"] == report["errors"]
