"""``STATE_DIR``: what is deleted is written down first, a run that was killed is settled, two runs never meet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from shared.lease import DEAD_AFTER
from tests.conftest import Cloud, assert_adds_up, images, policy
from tests.emulator.client import PROJECT_ROOT


def command(cloud: Cloud, state: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "functions", *arguments, "--json"]


def environment(cloud: Cloud, state: Path) -> dict[str, str]:
    return {
        **os.environ,
        **cloud.environment,
        "CLEANUP_MODE": "apply",
        "CONCURRENCY": "2",
        "STATE_DIR": str(state),
    }


def start(cloud: Cloud, state: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(cloud, state, "cleanup"),
        cwd=PROJECT_ROOT,
        env=environment(cloud, state),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def told(cloud: Cloud, state: Path, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        command(cloud, state, *arguments),
        cwd=PROJECT_ROOT,
        env=environment(cloud, state),
        capture_output=True,
        text=True,
        check=False,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def builds(count: int) -> dict[str, Any]:
    rule = policy("old", tag_regexp="b-.*", retained_top=50)
    return {"name": "app", "policies": [rule], "images": [{"series": count, "tags": ["b-{n}"]}]}


def wait_for_deletes(cloud: Cloud, before: set[str]) -> None:
    ends_at = time.monotonic() + 30
    while cloud.left() == before:
        assert time.monotonic() < ends_at, "nothing was deleted"
        time.sleep(0.02)


def test_the_state_directory_keeps_the_whole_report(cloud: Cloud, tmp_path: Path) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old", "older")})

    report = cloud.clean(STATE_DIR=str(tmp_path))

    assert cloud.left() == {"new"}
    kept = told(cloud, tmp_path, "report")
    assert kept["run_id"] == report["run_id"]
    assert kept["images"] == report["images"]
    assert not list((tmp_path / "leases" / "crp1").iterdir())


@pytest.mark.slow
def test_a_killed_run_is_told_from_its_journal_and_settled_by_the_next(cloud: Cloud, tmp_path: Path) -> None:
    cloud.seed(builds(400))
    cloud.emulator.behaviour(latency_ms=20)
    before = cloud.left()
    process = start(cloud, tmp_path)
    wait_for_deletes(cloud, before)
    process.kill()
    process.communicate()

    gone = before - cloud.left()
    assert gone
    journaled = told(cloud, tmp_path, "report")
    assert journaled["status"] == "unfinished"
    assert gone <= {row["image_id"] for row in journaled["images"]}
    assert_adds_up(journaled)

    at_once = told(cloud, tmp_path, "cleanup")
    assert (at_once["status"], at_once["warnings"][0]["code"]) == ("refused", "another-run")

    time.sleep(DEAD_AFTER + 1)
    last = told(cloud, tmp_path, "cleanup")
    assert last["status"] == "ok"
    assert "run-cut-off" in {warning["code"] for warning in last["warnings"]}
    assert len(cloud.left()) == 50
    assert_adds_up(last)
    settled = told(cloud, tmp_path, "report", journaled["run_id"])
    outcomes = {row["image_id"]: row["outcome"] for row in settled["images"]}
    assert {image_id for image_id, outcome in outcomes.items() if outcome == "deleted"} >= gone


def test_of_two_runs_at_once_one_leaves_the_registry_alone(cloud: Cloud, tmp_path: Path) -> None:
    cloud.seed(builds(300))
    cloud.emulator.behaviour(latency_ms=20)
    before = cloud.left()
    first = start(cloud, tmp_path)
    wait_for_deletes(cloud, before)

    second = told(cloud, tmp_path, "cleanup")
    out, _ = first.communicate(timeout=60)

    assert (second["status"], second["errors"]) == ("refused", [])
    assert second["warnings"][0]["code"] == "another-run"
    assert json.loads(out)["status"] == "ok"
    assert len(cloud.left()) == 50


@pytest.mark.parametrize("broken", ["missing", "a file"])
def test_what_cannot_be_journaled_is_not_deleted(cloud: Cloud, tmp_path: Path, broken: str) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})
    state = tmp_path / "state"
    if broken == "a file":
        state.write_text("")

    report = cloud.clean(STATE_DIR=str(state))

    assert cloud.left() == {"new", "old"}
    assert report["status"] == "refused"
    assert "STATE_DIR" in report["errors"][0]["message"]
    assert cloud.dry_run(STATE_DIR=str(state))["warnings"][0]["code"] == "state-dir"


def test_with_three_seconds_in_all_nothing_is_deleted(cloud: Cloud) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})

    report = cloud.clean(timeout=3)

    assert cloud.left() == {"new", "old"}
    assert report["status"] == "unfinished"
    assert_adds_up(report)
