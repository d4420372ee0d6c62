"""The time of an invocation: when it runs out, what was begun is settled, and the next run goes on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cloud, assert_adds_up, assert_complains, images, outcomes, policy
from tests.support.commands import slow_deletes

KEPT = 20


@pytest.fixture
def stocked(cloud: Cloud) -> Cloud:
    """250 images, of which 20 stay, in a cloud where a delete takes a while."""
    rule = policy("old", tag_regexp="b-.*", retained_top=KEPT)
    cloud.seed({"name": "app", "policies": [rule], "images": [{"series": 250, "tags": ["b-{n}"]}]})
    slow_deletes(cloud, 150)
    cloud.environment |= {"CONCURRENCY": "4", "MAX_SHARE": "1"}
    return cloud


def deletes(cloud: Cloud) -> list[dict[str, Any]]:
    return [call for call in cloud.emulator.calls() if call["method"] == "DELETE"]


def test_with_too_little_time_to_settle_a_delete_nothing_is_deleted_and_the_report_says_so(
    cloud: Cloud,
) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})

    started_at = time.monotonic()
    report = cloud.clean(timeout=4.5)

    assert time.monotonic() - started_at < 4.5
    assert (cloud.left(), deletes(cloud)) == ({"new", "old"}, [])
    assert (report["status"], outcomes(report)) == ("unfinished", {"old": "remaining"})
    assert_adds_up(report)


@pytest.mark.parametrize("journaled", [False, True], ids=["without a journal", "with a journal"])
def test_what_the_time_did_not_suffice_for_is_done_by_the_next_run(
    stocked: Cloud, tmp_path: Path, journaled: bool
) -> None:
    settings = {"STATE_DIR": str(tmp_path)} if journaled else {}
    before = stocked.left()

    first = stocked.clean(timeout=9, **settings)
    gone = before - stocked.left()
    stocked.emulator.behaviour()
    second = stocked.clean(**settings)

    assert first["status"] == "unfinished"
    assert 0 < len(gone) < 250 - KEPT
    assert {one for one, outcome in outcomes(first).items() if outcome == "deleted"} == gone
    assert {outcome for one, outcome in outcomes(first).items() if one not in gone} == {"remaining"}
    assert second["status"] == "ok"
    assert outcomes(second) == dict.fromkeys(before - gone - stocked.left(), "deleted")
    assert len(stocked.left()) == KEPT
    assert "run-cut-off" not in {warning["code"] for warning in second["warnings"]}
    assert_adds_up(first)
    assert_adds_up(second)


def test_the_report_of_a_run_out_of_time_names_the_reason(stocked: Cloud) -> None:
    assert_complains(stocked.clean(timeout=1), "unfinished", "time")
