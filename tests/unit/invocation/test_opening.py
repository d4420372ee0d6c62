"""What a run opens before its work, and how long it has."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from shared.cleanup.run import Run
from shared.errors import StateError
from shared.invocation.opening import open_journal, works_until
from shared.invocation.task import RESERVE, Invocation
from shared.settings.overrides import Narrowed
from shared.settings.settings import Metrics, Settings


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def run_with(state_dir: Path | None, mode: str) -> Run:
    settings = Settings(mode=mode, state_dir=str(state_dir) if state_dir else None)  # type: ignore[arg-type]
    return Run(narrowed=Narrowed(settings, settings, settings), run_id="20261126T000000000000Z-1")


def test_a_call_without_a_limit_of_time_never_ends() -> None:
    assert Invocation({}).ends_at == Invocation({}, object()).ends_at == float("inf")


def test_a_reserve_of_the_time_is_for_the_report() -> None:
    assert Invocation({}, Context()).ends_at == pytest.approx(time.monotonic() + 60 - RESERVE, abs=1)


def test_the_work_ends_earlier_only_where_people_or_numbers_wait() -> None:
    end = time.monotonic() + 20
    assert works_until(end, Settings()) == end
    assert works_until(end, Settings(metrics=Metrics("b1g1"))) == pytest.approx(end - 2, abs=0.2)


def test_the_journal_begins_where_there_is_a_place(tmp_path: Path) -> None:
    nowhere, there = run_with(None, "apply"), run_with(tmp_path, "dry-run")
    open_journal(nowhere, Invocation({}))
    open_journal(there, Invocation({}))
    assert nowhere.journal is None
    assert there.journal
    assert there.leases is None
    assert list(tmp_path.rglob("begin.json"))


def test_a_run_that_deletes_holds_leases(tmp_path: Path) -> None:
    run = run_with(tmp_path, "apply")
    open_journal(run, Invocation({}))
    assert run.leases
    run.leases.release()


def test_without_its_journal_a_dry_run_warns_and_a_clean_up_does_not_begin(tmp_path: Path) -> None:
    missing = tmp_path / "file"
    missing.write_text("no directory")
    looking = run_with(missing, "dry-run")
    open_journal(looking, Invocation({}))
    assert [warning.code for warning in looking.warnings] == ["state-dir"]
    with pytest.raises(StateError):
        open_journal(run_with(missing, "apply"), Invocation({}))
