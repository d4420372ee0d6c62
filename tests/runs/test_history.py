"""The last ninety runs are remembered in the state directory, and what they have outlived is deleted, bit by
bit.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from shared.state.directory import StateDir
from shared.state.history import KEPT, keep, trend
from tests.conftest import Cloud, assert_complains, images, policy
from tests.support.cloud import push
from tests.support.commands import Commands
from tests.support.history import LONG_AGO, MEANWHILE, fill, numbered, remembered


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def stock(cloud: Cloud) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old", "older")})


def test_runs_are_remembered_oldest_first_with_the_numbers_of_their_reports(
    cloud: Cloud, state: Path
) -> None:
    stock(cloud)
    settings = {"STATE_DIR": str(state)}

    dry = cloud.dry_run(**settings)
    pushed = cloud.clean(push("crp1/app"), **settings)
    again = cloud.clean(**settings)

    rows = trend(StateDir(str(state)))
    assert [row.run_id for row in rows] == [one["run_id"] for one in (dry, pushed, again)]
    for row, report in zip(rows, (dry, pushed, again), strict=True):
        document = msgspec.to_builtins(row)
        del document["whole"]
        assert document == {
            name: report[name] for name in ("run_id", "mode", "status", "started_at", "finished_at", "totals")
        }
    assert [row.all_repositories for row in rows] == [True, False, True]
    assert rows[1].totals.deleted == 2
    assert all(file.stat().st_size < 1000 for file in (state / "history").iterdir())


def test_what_did_not_look_at_the_registries_to_clean_them_is_not_remembered(
    cloud: Cloud, state: Path
) -> None:
    stock(cloud)
    commands = Commands(cloud, state)

    commands.told("explain", "app:old")
    commands.told("validate")
    cloud.clean(push("crp1/app", event="DeleteImage"), STATE_DIR=str(state))
    cloud.clean(SA_KEY="", IAM_TOKEN="t1.of-nobody", STATE_DIR=str(state))
    assert trend(StateDir(str(state))) == []

    by_hand = commands.told("dry-run")
    assert [row.run_id for row in trend(StateDir(str(state)))] == [by_hand["run_id"]]


def test_a_run_deletes_what_the_last_ninety_have_outlived(cloud: Cloud, state: Path) -> None:
    stock(cloud)
    closed = fill(state, f"{LONG_AGO}-00000000", "report.json", "1.intent.json", "1.outcome.json")
    settled = fill(
        state, f"{LONG_AGO}-00000001", "1.intent.json", "1.settled.x.json", "settled.x.json", "2.outcome.json"
    )
    cut_off = fill(state, f"{LONG_AGO}-00000002", "1.intent.json")
    unsettled = fill(
        state, f"{LONG_AGO}-00000003", "report.json", "1.intent.json", "2.intent.json", "2.outcome.json"
    )
    begun = fill(state, f"{LONG_AGO}-00000004")
    kept = [fill(state, run_id, "report.json") for run_id in numbered(MEANWHILE, KEPT)]
    directory = StateDir(str(state))
    for run_id in numbered(MEANWHILE, KEPT):
        keep(directory, remembered(run_id))

    report = cloud.dry_run(STATE_DIR=str(state))

    assert (report["status"], report["warnings"]) == ("ok", [])
    assert [folder.exists() for folder in (closed, settled)] == [False, False]
    assert [len(list(folder.iterdir())) for folder in (cut_off, unsettled, begun)] == [2, 5, 1]
    assert [folder.exists() for folder in kept] == [False, *[True] * (KEPT - 1)]
    rows = trend(directory)
    assert len(rows) == len(list((state / "history").iterdir())) == KEPT
    assert rows[-1].run_id == report["run_id"]
    assert rows[0].run_id == numbered(MEANWHILE, KEPT)[1]


def test_a_history_that_cannot_be_written_changes_nothing_of_the_run(cloud: Cloud, state: Path) -> None:
    stock(cloud)
    (state / "history").write_text("a file where a folder should be")

    invocation = cloud.call("cleanup", CLEANUP_MODE="apply", STATE_DIR=str(state))

    report = invocation.results[0]
    assert (report["status"], report["warnings"], cloud.left()) == ("ok", [], {"new"})
    assert "history" in invocation.log
    assert_complains(report, "ok")
