"""From a task to a report, as far as it goes without a cloud: whatever is wrong ends as a report."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import JanitorError, RequestRefused
from shared.invocation import task
from shared.invocation.carry_out import carry_out, refused
from shared.invocation.task import Invocation
from tests.support.cloud import push

WRONG: dict[str, tuple[dict[str, str], object, str]] = {
    "no settings": ({}, None, "FOLDER_ID"),
    "a wrong log level": ({"FOLDER_ID": "b1g1", "LOG_LEVEL": "LOUD"}, None, "LOG_LEVEL"),
    "an event that is a list": ({"FOLDER_ID": "b1g1"}, [], "event"),
    "a plan without a state directory": (
        {"FOLDER_ID": "b1g1", "CLEANUP_MODE": "plan"},
        None,
        "STATE_BUCKET",
    ),
}


@pytest.mark.parametrize(("environment", "event", "where"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_before_the_work_is_a_report_that_says_where(
    environment: dict[str, str], event: object, where: str
) -> None:
    report, error = carry_out(task.scheduled(Invocation(environment), event))
    assert report.status in ("failed", "refused")
    assert [row.where for row in report.errors] == [where]
    assert isinstance(error, JanitorError)


def test_what_leaves_nothing_to_do_needs_no_credentials_and_keeps_nothing(tmp_path: Path) -> None:
    environment = {"FOLDER_ID": "b1g1", "STATE_DIR": str(tmp_path), "CLEANUP_MODE": "apply"}
    report, error = carry_out(task.scheduled(Invocation(environment), push("crp1/app", event="DeleteImage")))
    assert (report.status, report.mode, error) == ("ok", "apply", None)
    assert list(tmp_path.iterdir()) == []


def test_a_fault_of_the_bundle_is_a_report_without_its_text() -> None:
    class Broken(dict[str, str]):
        def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
            raise LookupError("a secret")

    report, error = carry_out(task.scheduled(Invocation(Broken()), None))
    assert report.status == "failed"
    assert "LookupError at test_carry_out.py" in str(error)
    assert "a secret" not in str(report)


def test_a_refused_call_is_a_report_too() -> None:
    report = refused(RequestRefused(405, "Only POST is served here."))
    assert report["status"] == "refused"
    assert report["errors"][0]["message"] == "Only POST is served here."
