"""What came of a plan, as its run's report or its journal has it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from shared.invocation import carried_out
from shared.report.report import Heading, empty, head
from shared.retention.records import DELETED, Image, Repository, Totals
from shared.state.directory import StateDir
from shared.state.journal import Begin, Journal
from shared.state.plans import CARRIED_OUT, REJECTED, Decision

NOW = datetime(2026, 11, 26, tzinfo=UTC)
PLANNED = msgspec.structs.replace(
    empty(Heading("", "plan", NOW), NOW), plan_id="p1", totals=Totals(images=9, candidates=5, protected=1)
)
DONE = Decision(CARRIED_OUT, "2026-11-26T00:00:00Z", "r1")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(StateDir(str(tmp_path)), Begin("r1", "apply", "2026-11-26T00:00:00Z"))


def test_a_run_that_has_ended_has_its_report(journal: Journal) -> None:
    written = msgspec.structs.replace(empty(Heading("r1", "apply", NOW), NOW), plan_id="p1")
    journal.finish(head(written), [])

    assert carried_out.report(journal.state, PLANNED, DONE) == written


def test_a_run_that_has_not_ended_has_what_is_gone_so_far(journal: Journal) -> None:
    image = Image("i1", "sha256:1", (), "2026-01-01T00:00:00Z", 1, b"")
    number = journal.intend(Repository("", "crp1", "crp1/app"), [(image, ("policy old",))])
    journal.settle(number, {"i1": DELETED})

    report = carried_out.report(journal.state, PLANNED, DONE)

    assert report
    assert (report.plan_id, report.finished_at) == ("p1", None)
    assert (report.totals.candidates, report.totals.deleted, report.totals.remaining) == (4, 1, 3)


@pytest.mark.parametrize("decided", [Decision(REJECTED), Decision(), Decision(by="gone")])
def test_a_plan_of_which_no_run_is_known_has_none(journal: Journal, decided: Decision) -> None:
    assert carried_out.report(journal.state, PLANNED, decided) is None
