"""What is logged: one JSON object a line, as the cloud's log service reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import Cloud, images, policy
from tests.support.cloud import Invocation, http, timer
from tests.support.log import lines_of


def logged(invocation: Invocation) -> list[dict[str, Any]]:
    return lines_of(invocation.log)


@pytest.fixture
def stocked(cloud: Cloud) -> Cloud:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})
    return cloud


def test_a_run_logs_its_calls_at_debug_and_its_end_with_its_totals(stocked: Cloud) -> None:
    lines = logged(stocked.call("cleanup", timer(), CLEANUP_MODE="apply"))

    assert any("DELETE /container-registry/v1/images/old" in line["message"] for line in lines)
    assert {line["level"] for line in lines} == {"DEBUG", "INFO"}
    last = lines[-1]
    assert last["message"] == "Deleted 1 of 2 images in registry main (crp1), freed 100.0 MB"
    assert (last["mode"], last["status"], last["deleted"]) == ("apply", "ok", 1)


def test_the_level_leaves_out_what_is_below_it(stocked: Cloud) -> None:
    stocked.emulator.behaviour(faults=[{"match": "DELETE *", "status": 400, "code": 3}])

    lines = logged(stocked.call("cleanup", timer(), CLEANUP_MODE="apply", LOG_LEVEL="warn"))

    assert {line["level"] for line in lines} <= {"WARN", "ERROR", "FATAL"}
    assert any(line.get("status") == "partial" for line in lines)


def test_huge_and_odd_messages_of_the_cloud_fit_in_a_line(stocked: Cloud) -> None:
    odd = "a\nb\r\nc\u2028d\x00\x1b[31m" + "\N{FIRE}" * 50_000
    stocked.emulator.behaviour(
        faults=[{"match": "DELETE *", "body": json.dumps({"code": 3, "message": odd}), "status": 400}]
    )

    invocation = stocked.call("cleanup", timer(), CLEANUP_MODE="apply")

    assert any(line["level"] == "ERROR" or line.get("status") == "partial" for line in logged(invocation))
    assert len(invocation.results[0]["errors"][0]["message"]) < 1000
    assert stocked.left() == {"new", "old"}


@pytest.mark.parametrize(
    ("settings", "level"),
    [
        pytest.param({"MAX_SHARE": "2"}, "FATAL", id="a bad setting"),
        pytest.param({"LOG_LEVEL": "LOUD"}, "FATAL", id="a bad level"),
        pytest.param({"IAM_TOKEN": "t1.nobody"}, "FATAL", id="no credentials"),
        pytest.param({"MAX_DELETIONS": "0"}, "WARN", id="a limit"),
    ],
)
def test_a_run_that_does_not_end_well_says_so_in_whole_lines(
    stocked: Cloud, settings: dict[str, Any], level: str
) -> None:
    lines = logged(stocked.call("cleanup", timer(), http("{"), **{"CLEANUP_MODE": "apply", **settings}))

    assert level in {line["level"] for line in lines}
    assert stocked.left() == {"new", "old"}
