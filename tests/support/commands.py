"""``python -m functions`` with a state, and how a test watches it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.invocation.task import Invocation
from shared.state import journal
from shared.state.store import Store
from tests.conftest import BUCKET, Cloud, outcomes, policy
from tests.emulator.client import PROJECT_ROOT
from tests.support.kinds import left

KEPT = 50
GONE = ("deleted", "already-gone")


class Commands:
    """``python -m functions`` with a state, in a directory or in the bucket."""

    def __init__(self, cloud: Cloud, state: Path, *, in_bucket: bool = False) -> None:
        self.state = state
        place = {"STATE_BUCKET": f"{BUCKET}/janitor"} if in_bucket else {"STATE_DIR": str(state)}
        self.environment = {
            **os.environ,
            **cloud.environment,
            "CLEANUP_MODE": "apply",
            "CONCURRENCY": "2",
            "LOG_LEVEL": "WARN",  # nobody reads it while the process runs
            **place,
        }

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "functions", *arguments, "--json"],
            cwd=PROJECT_ROOT,
            env=self.environment | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def told(self, *arguments: str, **settings: str) -> dict[str, Any]:
        out, err = self.start(*arguments, **settings).communicate(timeout=120)
        assert out, err
        report: dict[str, Any] = json.loads(out)
        return report

    def kill(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        process.communicate()

    def runs(self) -> list[str]:
        return list(journal.runs(self.store()))

    def store(self) -> Store:
        """What keeps the state."""
        invocation = Invocation(self.environment)
        store = invocation.store(invocation.settings)
        assert store
        return store

    def reports(self) -> list[dict[str, Any]]:
        """What ``report`` tells of every run, all of them asked for at once."""
        started = [self.start("report", run_id) for run_id in self.runs()]
        return [json.loads(process.communicate(timeout=120)[0]) for process in started]

    def folder(self, report: dict[str, Any]) -> Path:
        return self.state / "runs" / str(report["run_id"])


def builds(count: int, name: str = "app") -> dict[str, Any]:
    rule = policy(name, tag_regexp="b-.*", retained_top=KEPT)
    return {"name": name, "policies": [rule], "images": [{"series": count, "tags": ["b-{n}"]}]}


def slow_deletes(cloud: Cloud, milliseconds: int = 20) -> None:
    """Everything goes at once but the deletes, so that a test soon comes to them and can meet a run amid
    them.
    """
    cloud.emulator.behaviour(faults=[{"match": "DELETE *", "delay_ms": milliseconds}])


def wait_until(happened: Callable[[], bool], what: str) -> None:
    ends_at = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < ends_at, f"not within 30 s: {what}"
        time.sleep(0.02)


def wait_for_deletes(cloud: Cloud, before: set[str]) -> None:
    wait_until(lambda: left(cloud) != before, "a delete")


def codes(report: dict[str, Any]) -> set[str]:
    return {warning["code"] for warning in report["warnings"]}


def gone_by(*reports: dict[str, Any]) -> set[str]:
    return {one for report in reports for one, outcome in outcomes(report).items() if outcome in GONE}
