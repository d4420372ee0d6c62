"""What the last ninety runs have outlived is deleted, bit by bit."""

from __future__ import annotations

import time
from pathlib import Path

from shared.state import expiry as sweeping
from shared.state.directory import StateDir
from shared.state.expiry import OBJECTS, sweep
from shared.state.history import KEPT
from shared.state.seen import first
from tests.support.history import LONG_AGO, MEANWHILE, fill, numbered


def swept(state: Path) -> None:
    sweep(StateDir(str(state)), time.monotonic() + 60)


def test_keys_that_were_registered_long_ago_go(state: Path) -> None:
    store, now = StateDir(str(state)), time.time()
    for folder in ("calls", "pushes/apply"):
        assert first(store, folder, "old", now - 3 * 86_400, 600)
        assert first(store, folder, "new", now - 86_400, 600)
    assert len(store.names("")) == 4

    swept(state)

    assert len(store.names("")) == 2
    assert not first(store, "calls", "new", now - 86_400, 600)


def test_one_sweep_deletes_only_so_much_and_what_it_leaves_is_still_a_closed_run(state: Path) -> None:
    count = OBJECTS // 2 + 20
    pairs = [f"{number}.{kind}.json" for number in range(count) for kind in ("intent", "outcome")]
    folder = fill(state, f"{LONG_AGO}-00000000", "report.json", *pairs)
    for run_id in numbered(MEANWHILE, KEPT):
        fill(state, run_id, "report.json")
    before = len(list(folder.iterdir()))

    swept(state)
    left = sorted(path.name for path in folder.iterdir())
    assert before - len(left) == OBJECTS
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
