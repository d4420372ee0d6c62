"""What the last ninety runs have outlived is deleted, bit by bit."""

from __future__ import annotations

import time
from pathlib import Path

from shared.state import expiry as sweeping
from shared.state.directory import StateDir
from shared.state.expiry import FILES, sweep
from shared.state.history import KEPT
from tests.support.history import LONG_AGO, MEANWHILE, fill, numbered


def swept(state: Path) -> None:
    sweep(StateDir(str(state)), time.monotonic() + 60)


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
