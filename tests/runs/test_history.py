"""The last ninety runs are remembered in the state directory, and what they have outlived is deleted, bit by bit."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from shared.state import expiry as sweeping
from shared.state.directory import StateDir
from shared.state.expiry import FILES, sweep
from shared.state.history import KEPT, keep, trend
from tests.conftest import Cloud, assert_complains, images, policy
from tests.support.cloud import push
from tests.support.commands import Commands

TOTALS = dict.fromkeys(
    ("images", "candidates", "protected", "deleted", "already_gone", "failed", "remaining"), 0
) | {"candidate_bytes": 0, "reclaimed_bytes": 0}
LONG_AGO, MEANWHILE = "20240101T030000000000Z", "20240601T030000000000Z"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def stock(cloud: Cloud) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old", "older")})


def told(run_id: str, **changes: Any) -> dict[str, Any]:
    at = {"started_at": "2026-11-24T03:00:00Z", "finished_at": "2026-11-24T03:00:09Z"}
    return {
        "run_id": run_id,
        "mode": "apply",
        "status": "ok",
        **at,
        "totals": TOTALS,
        "images": [],
        **changes,
    }


def fill(state: Path, run_id: str, *names: str) -> Path:
    folder = state / "runs" / run_id
    folder.mkdir(parents=True)
    for name in ("begin.json", *names):
        (folder / name).write_text("{}")
    return folder


def numbered(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{number:04}" for number in range(count)]


def swept(state: Path) -> None:
    sweep(StateDir(str(state)), time.monotonic() + 60)


def test_runs_are_remembered_oldest_first_with_the_numbers_of_their_reports(
    cloud: Cloud, state: Path
) -> None:
    stock(cloud)
    settings = {"STATE_DIR": str(state)}

    dry = cloud.dry_run(**settings)
    pushed = cloud.clean(push("crp1/app"), **settings)
    again = cloud.clean(**settings)

    rows = trend(StateDir(str(state)))
    assert [row["run_id"] for row in rows] == [one["run_id"] for one in (dry, pushed, again)]
    for row, one in zip(rows, (dry, pushed, again), strict=True):
        assert {name: row[name] for name in row if name != "whole"} == {
            name: one[name] for name in ("run_id", "mode", "status", "started_at", "finished_at", "totals")
        }
    assert [row["whole"] for row in rows] == [True, False, True]
    assert rows[1]["totals"]["deleted"] == 2
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
    assert [row["run_id"] for row in trend(StateDir(str(state)))] == [by_hand["run_id"]]


def test_broken_files_are_left_out_of_the_trend(state: Path) -> None:
    directory = StateDir(str(state))
    assert trend(directory) == []
    for run_id in ("a", "c"):
        keep(directory, told(run_id), whole=True)
    for name, text in {
        "b": "",
        "d": '{"run_id": "d"',
        "e": "[]",
        "f": '{"run_id": "f", "totals": {}}',
    }.items():
        (state / "history" / f"{name}.json").write_text(text)
    (state / "history" / "g.json").mkdir()
    (state / "history" / "h.json").write_bytes(b'"\xff"')

    assert [row["run_id"] for row in trend(directory)] == ["a", "c"]


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
        keep(directory, told(run_id), whole=True)

    report = cloud.dry_run(STATE_DIR=str(state))

    assert (report["status"], report["warnings"]) == ("ok", [])
    assert [folder.exists() for folder in (closed, settled)] == [False, False]
    assert [len(list(folder.iterdir())) for folder in (cut_off, unsettled, begun)] == [2, 5, 1]
    assert [folder.exists() for folder in kept] == [False, *[True] * (KEPT - 1)]
    rows = trend(directory)
    assert len(rows) == len(list((state / "history").iterdir())) == KEPT
    assert rows[-1]["run_id"] == report["run_id"]
    assert rows[0]["run_id"] == numbered(MEANWHILE, KEPT)[1]


def test_leases_of_ended_runs_go_and_all_others_stay_however_old_their_names_look(state: Path) -> None:
    folder = state / "leases" / "crp1"
    folder.mkdir(parents=True)
    fill(state, f"{LONG_AGO}-told", "report.json")
    fill(state, f"{LONG_AGO}-settled", "settled.x.json")
    fill(state, f"{LONG_AGO}-begun")
    fill(state, f"{LONG_AGO}-working", "1.intent.json", "1.outcome.json")
    for run_id in ("told", "settled", "begun", "working", "unheard-of"):
        for name in ("0", "0.7"):
            (folder / f"{LONG_AGO}-{run_id}.{name}").touch()

    swept(state)

    left = {path.name for path in folder.iterdir()}
    assert left == {
        f"{LONG_AGO}-{run_id}.{name}"
        for run_id in ("begun", "working", "unheard-of")
        for name in ("0", "0.7")
    }


def test_one_sweep_deletes_only_so_much_and_what_it_leaves_is_still_a_closed_run(state: Path) -> None:
    count = FILES // 2 + 20
    pairs = [f"{number}.{kind}.json" for number in range(count) for kind in ("intent", "outcome")]
    folder = fill(state, f"{LONG_AGO}-00000000", "report.json", *pairs)
    for run_id in numbered(MEANWHILE, KEPT):
        fill(state, run_id, "report.json")
    before = len(list(folder.iterdir()))

    swept(state)
    left = sorted(path.name for path in folder.iterdir())
    assert before - len(left) == FILES
    assert not [name for name in left if "intent" in name]
    assert "report.json" in left

    swept(state)
    assert not folder.exists()


def test_runs_that_never_end_do_not_stand_before_the_others(state: Path) -> None:
    for run_id in numbered(f"{LONG_AGO}-a", 3 * sweeping.JOURNALS):
        fill(state, run_id, "1.intent.json")
    closed = [fill(state, run_id, "report.json") for run_id in numbered(f"{LONG_AGO}-b", 5)]
    for run_id in numbered(MEANWHILE, KEPT):
        fill(state, run_id, "report.json")

    for _ in range(60):
        swept(state)

    assert not [folder for folder in closed if folder.exists()]
    assert len(list((state / "runs").glob(f"{LONG_AGO}-a*"))) == 3 * sweeping.JOURNALS


def test_without_time_nothing_is_swept(state: Path) -> None:
    folder = fill(state, f"{LONG_AGO}-00000000", "report.json", "1.intent.json", "1.outcome.json")
    for run_id in numbered(MEANWHILE, KEPT):
        fill(state, run_id, "report.json")

    sweep(StateDir(str(state)), time.monotonic())

    assert len(list(folder.iterdir())) == 4


def test_a_history_that_cannot_be_written_changes_nothing_of_the_run(cloud: Cloud, state: Path) -> None:
    stock(cloud)
    (state / "history").write_text("a file where a folder should be")

    invocation = cloud.call("cleanup", CLEANUP_MODE="apply", STATE_DIR=str(state))

    report = invocation.results[0]
    assert (report["status"], report["warnings"], cloud.left()) == ("ok", [], {"new"})
    assert "history" in invocation.log
    assert_complains(report, "ok")
