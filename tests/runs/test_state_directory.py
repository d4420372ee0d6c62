"""What cannot be written to ``STATE_DIR`` is not deleted, and one sentence says what is wrong there."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cloud, assert_adds_up, assert_complains, images, outcomes, policy
from tests.support.commands import KEPT, Commands, builds, codes, slow_deletes, wait_for_deletes


@pytest.mark.parametrize("broken", ["missing", "a file"])
def test_without_a_state_directory_nothing_is_deleted_but_a_dry_run_reports(
    cloud: Cloud, tmp_path: Path, broken: str
) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})
    state = tmp_path / "state"
    if broken == "a file":
        state.write_text("")

    report = cloud.clean(STATE_DIR=str(state))

    assert cloud.left() == {"new", "old"}
    assert_names_the_state_directory(report, state)
    dry = cloud.dry_run(STATE_DIR=str(state))
    assert (dry["status"], codes(dry), outcomes(dry)) == ("ok", {"state-dir"}, {"old": "would-delete"})


def assert_names_the_state_directory(report: dict[str, Any], state: Path) -> None:
    assert_complains(report, "refused", "STATE_DIR", str(state))
    told = [row["message"] for row in [*report["errors"], *report["warnings"]]]
    assert len([text for text in told if "STATE_DIR" in text]) <= 2
    assert_adds_up(report)


@contextlib.contextmanager
def mounted(directory: Path, size: str) -> Iterator[Callable[[str], None]]:
    """A file system of its own at ``directory``; what is yielded mounts it again with other options."""

    def mount(options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def remount(options: str) -> None:
        assert mount(f"remount,{options}")

    directory.mkdir()
    if not mount(f"size={size}"):
        if os.environ.get("CI") == "true":
            pytest.fail("no file system can be mounted here, and with CI=true no test is left out")
        pytest.skip("no file system can be mounted here; as root it can")
    try:
        yield remount
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def test_with_a_disk_too_small_for_the_journal_nothing_is_deleted_and_with_more_room_all_is(
    cloud: Cloud, tmp_path: Path
) -> None:
    cloud.seed(builds(KEPT + 300))
    before = cloud.left()
    state = tmp_path / "disk"
    with mounted(state, "48k") as remount:
        full = cloud.clean(STATE_DIR=str(state))
        left_of_full = cloud.left()
        remount("size=4m")
        roomy = cloud.clean(STATE_DIR=str(state))

    assert left_of_full == before
    assert_complains(full, "held-back", "STATE_DIR", str(state))
    assert set(outcomes(full).values()) == {"remaining"}
    assert "No space left" in json.dumps(full["warnings"])
    assert (roomy["status"], roomy["warnings"], len(cloud.left())) == ("ok", [], KEPT)


def test_with_a_disk_that_may_not_be_written_nothing_is_deleted_but_a_dry_run_reports(
    cloud: Cloud, tmp_path: Path
) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})
    state = tmp_path / "disk"
    with mounted(state, "1m") as remount:
        remount("ro")
        report = cloud.clean(STATE_DIR=str(state))
        dry = cloud.dry_run(STATE_DIR=str(state))

    assert cloud.left() == {"new", "old"}
    assert_names_the_state_directory(report, state)
    assert "Read-only" in json.dumps(report["errors"])
    assert (dry["status"], codes(dry), outcomes(dry)) == ("ok", {"state-dir"}, {"old": "would-delete"})


def test_once_the_state_directory_has_vanished_nothing_more_is_begun(cloud: Cloud, tmp_path: Path) -> None:
    repositories = [f"app{number}" for number in range(8)]
    cloud.seed(*(builds(KEPT + 60, name) for name in repositories))
    slow_deletes(cloud)
    before = cloud.left()
    state, elsewhere = tmp_path / "state", tmp_path / "elsewhere"
    state.mkdir()
    commands = Commands(cloud, state)
    process = commands.start("cleanup")
    wait_for_deletes(cloud, before)
    state.rename(elsewhere)
    out, err = process.communicate(timeout=60)

    report = json.loads(out)
    journaled = {
        row["image_id"]
        for intent in elsewhere.glob("runs/*/*.intent.json")
        for row in json.loads(intent.read_text())["images"]
    }
    assert before - cloud.left() <= journaled
    assert len(journaled) < 60 * len(repositories)
    assert_complains(report, "held-back", "STATE_DIR", str(state))
    assert "remaining" in outcomes(report).values()
    assert "Traceback" not in err
    assert_adds_up(report)
