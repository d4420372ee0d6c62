"""What is deleted is written down first, a run that was killed is settled by the next, two runs never
meet.
"""

from __future__ import annotations

import json
import random
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from shared.state.leases import DEAD_AFTER
from tests.conftest import Cloud, assert_adds_up, assert_complains, images, outcomes, policy
from tests.support.commands import KEPT, Commands, builds, codes, gone_by, slow_deletes, wait_for_deletes
from tests.support.kinds import CLOUD, CONTAINER, left

KILLS = 12


@pytest.fixture
def commands(cloud: Cloud, tmp_path: Path) -> Commands:
    return Commands(cloud, tmp_path)


@pytest.fixture(params=[False, True], ids=["directory", "bucket"])
def either(cloud: Cloud, tmp_path: Path, request: pytest.FixtureRequest) -> Commands:
    """Commands with their state in a directory, and in a bucket."""
    return Commands(cloud, tmp_path, in_bucket=request.param)


def test_the_state_directory_keeps_the_whole_report(cloud: Cloud, commands: Commands) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old", "older")})

    report = cloud.clean(STATE_DIR=str(commands.state))

    assert cloud.left() == {"new"}
    kept = commands.told("report")
    assert kept["run_id"] == report["run_id"]
    assert kept["images"] == report["images"]
    assert json.loads((commands.state / "leases" / "crp1.json").read_text())["run_id"] == ""


@pytest.mark.slow
def test_a_killed_run_is_told_from_its_journal_and_settled_by_the_next(
    cloud: Cloud, either: Commands
) -> None:
    first, second = CONTAINER.registry("crp1", builds(225)), CLOUD.registry("crp2", builds(225, "web"))
    cloud.seed(registries=[first], cloud_registries=[second])
    slow_deletes(cloud)
    before = left(cloud)
    process = either.start("cleanup")
    wait_for_deletes(cloud, before)
    either.kill(process)

    gone = before - left(cloud)
    assert gone
    journaled = either.told("report")
    assert journaled["status"] == "unfinished"
    assert gone <= outcomes(journaled).keys()
    assert_adds_up(journaled)

    started_at = time.monotonic()
    out, log = either.start("cleanup", LOG_LEVEL="INFO").communicate(timeout=120)
    last = json.loads(out)
    assert time.monotonic() - started_at > DEAD_AFTER
    assert (
        f"The lease of the run {journaled['run_id']} on the registry crp1 is watched for up to 15 s." in log
    )
    assert last["status"] == "ok"
    assert "run-cut-off" in codes(last)
    assert len(left(cloud)) == 2 * KEPT
    assert_adds_up(last)
    settled = either.told("report", journaled["run_id"])
    assert gone_by(settled) >= gone


@pytest.mark.slow
def test_runs_that_are_killed_at_any_moment_leave_no_image_untold(
    cloud: Cloud, either: Commands, tmp_path: Path
) -> None:
    registries = [f"crp{number}" for number in range(KILLS)]
    kinds = (CONTAINER, CLOUD)
    seeds = [
        kinds[number % 2].registry(
            registry, *(builds(KEPT + 60, f"{registry}-{name}") for name in ("app", "web"))
        )
        for number, registry in enumerate(registries)
    ]
    cloud.seed(registries=seeds[::2], cloud_registries=seeds[1::2])
    slow_deletes(cloud, 40)
    before = left(cloud)
    at_random = random.Random(5)
    either.environment |= {"JANITOR_CONFIG": str(tmp_path / "janitor.toml"), "GUARDS_IN_USE": "none"}
    (tmp_path / "janitor.toml").write_text("[guards]\nindex_children = false\nreferrers = false\n")
    for registry in registries:
        process = either.start("cleanup", REGISTRY_IDS=registry, FOLDER_ID="")
        time.sleep(at_random.uniform(0.3, 2.0))
        either.kill(process)

    killed = either.reports()
    gone = before - left(cloud)
    assert {"@" in image_id for image_id in gone} == {True, False}, "not in both services"
    assert gone <= {one for report in killed for one in outcomes(report)}
    for report in killed:
        assert_adds_up(report)

    cloud.emulator.behaviour()
    last = either.told("cleanup")

    assert (last["status"], last["errors"]) == ("ok", [])
    assert_adds_up(last)
    print(f"{len(gone)} of {len(before) - len(left(cloud))} images went in {len(killed)} killed runs")
    assert all(len(left(cloud, f"{one}-{name}")) == KEPT for one in registries for name in ("app", "web"))
    settled = either.reports()
    assert gone_by(*settled) == before - left(cloud)
    assert gone_by(*settled[:-1]) == gone
    assert not any("run-cut-off" in codes(report) for report in settled[:-1])


def test_of_two_runs_at_once_one_leaves_the_registry_alone(cloud: Cloud, either: Commands) -> None:
    cloud.seed(builds(500))
    slow_deletes(cloud, 40)
    before = cloud.left()
    first = either.start("cleanup")
    wait_for_deletes(cloud, before)

    second = either.told("cleanup")
    assert first.poll() is None
    cloud.emulator.behaviour()
    out, _ = first.communicate(timeout=60)

    assert (second["status"], second["errors"]) == ("held-back", [])
    assert second["warnings"][0]["code"] == "another-run"
    assert json.loads(out)["status"] == "ok"
    assert len(cloud.left()) == KEPT


def test_a_report_that_was_never_made_is_asked_for_in_vain(commands: Commands) -> None:
    process = commands.start("report")
    out, err = process.communicate(timeout=30)

    assert (process.returncode, out) == (2, "")
    assert str(commands.state) in err
    assert "Traceback" not in err


@pytest.fixture
def cut_off(cloud: Cloud, commands: Commands) -> dict[str, Any]:
    """The report of a run that a test makes one that was cut off, by what it takes from its folder."""
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old", "older")})
    report = cloud.clean(STATE_DIR=str(commands.state))
    (commands.folder(report) / "report.json").unlink()
    return report


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_half_an_outcome_is_none_and_the_next_run_finds_it_out(
    cloud: Cloud, commands: Commands, cut_off: dict[str, Any]
) -> None:
    halve(commands.folder(cut_off) / "1.outcome.json")

    before = commands.told("report", cut_off["run_id"])
    last = commands.told("cleanup")
    after = commands.told("report", cut_off["run_id"])

    assert outcomes(before) == {"old": "remaining", "older": "remaining"}
    assert "2 images" in before["warnings"][0]["message"]
    assert (last["status"], codes(last)) == ("ok", {"run-cut-off"})
    assert outcomes(after) == {"old": "deleted", "older": "deleted"}
    assert after["warnings"] == []


def test_half_an_intent_is_none(cloud: Cloud, commands: Commands, cut_off: dict[str, Any]) -> None:
    (commands.folder(cut_off) / "1.outcome.json").unlink()
    halve(commands.folder(cut_off) / "1.intent.json")

    before = commands.told("report", cut_off["run_id"])
    last = commands.told("cleanup")

    assert (before["status"], before["images"]) == ("unfinished", [])
    assert (last["status"], last["warnings"]) == ("ok", [])


def test_a_run_that_may_still_be_at_work_elsewhere_is_not_ended_by_another(
    cloud: Cloud, commands: Commands, cut_off: dict[str, Any]
) -> None:
    folder = commands.folder(cut_off)
    intent = folder / "1.intent.json"
    intent.write_text(intent.read_text().replace('"crp1"', '"crp2"'))
    begun = shutil.copytree(folder, folder.with_name("20260101T000000000000Z-begun"))
    for path in [folder / "1.outcome.json", *begun.glob("1.*")]:
        path.unlink()
    before = sorted([*folder.iterdir(), *begun.iterdir()])

    last = commands.told("cleanup")

    assert (last["status"], last["warnings"]) == ("ok", [])
    assert sorted([*folder.iterdir(), *begun.iterdir()]) == before


def test_a_run_that_is_cut_off_while_it_settles_another_is_no_obstacle(
    cloud: Cloud, commands: Commands, cut_off: dict[str, Any]
) -> None:
    folder = commands.folder(cut_off)
    (folder / "1.outcome.json").unlink()
    commands.told("cleanup")
    for settled in folder.glob("*settled*"):
        halve(settled) if settled.name.startswith("1.") else settled.unlink()

    last = commands.told("cleanup")

    assert (last["status"], codes(last)) == ("ok", {"run-cut-off"})
    assert gone_by(commands.told("report", cut_off["run_id"])) == {"old", "older"}


def test_a_repository_that_may_not_be_read_any_more_leaves_its_images_open_and_the_run_goes_on(
    cloud: Cloud, commands: Commands, cut_off: dict[str, Any]
) -> None:
    (commands.folder(cut_off) / "1.outcome.json").unlink()
    refusal = {"status": 403, "code": 7, "message": "Permission denied", "times": 1}
    cloud.emulator.behaviour(faults=[{"match": "GET */images", **refusal}])

    first = commands.told("cleanup")
    second = commands.told("cleanup")

    assert_complains(first, "partial", "Permission denied")
    assert (second["status"], codes(second)) == ("ok", {"run-cut-off"})
