"""How a run ends: its report, its plan, its link, as far as it goes without a cloud."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from shared.cleanup.run import Run
from shared.errors import SettingsError
from shared.invocation import finish
from shared.report.report import ROWS, Heading
from shared.settings.overrides import Narrowed
from shared.settings.settings import Settings
from shared.state.directory import StateDir
from shared.state.journal import Begin, Journal

NOW = datetime(2026, 11, 26, 3, tzinfo=UTC)


def run_in(mode: str, journal: Journal | None = None) -> Run:
    settings = Settings(mode=mode)  # type: ignore[arg-type]
    run = Run(narrowed=Narrowed(settings, settings, settings), run_id="r1", started_at=NOW)
    run.journal = journal
    return run


def test_a_run_that_did_not_begin_has_a_report_of_its_error() -> None:
    error = SettingsError("FOLDER_ID is wrong.", where="FOLDER_ID")
    report = finish.report_of(Heading("r1", "dry-run", NOW), None, error, ROWS)
    assert [row.message for row in report.errors] == ["FOLDER_ID is wrong."]


def test_a_plan_without_images_is_not_kept() -> None:
    report = finish.report_of(Heading("r1", "plan", NOW), run_in("plan"), None, ROWS)
    assert (report.status, report.plan_id) == ("ok", None)


def test_the_report_is_kept_with_the_warnings_where_there_is_a_journal(tmp_path: Path) -> None:
    journal = Journal(StateDir(str(tmp_path)), Begin("r1", "dry-run", "2026-11-26T03:00:00Z"))
    run = run_in("dry-run", journal)
    run.warn("a-code", "Something is odd.")
    report = finish.report_of(Heading("r1", "dry-run", NOW), run, None, ROWS)

    report = finish.end(run, report, [], float("inf"), remembers=True)

    assert [row.code for row in report.warnings] == ["a-code"]
    assert "Something is odd." in (tmp_path / "runs/r1/report.json").read_text()
    assert not finish.keep(run_in("dry-run"), report)


def test_a_report_that_cannot_be_kept_is_a_warning(tmp_path: Path) -> None:
    journal = Journal(StateDir(str(tmp_path)), Begin("r1", "dry-run", "2026-11-26T03:00:00Z"))
    run = run_in("dry-run", journal)
    report = finish.report_of(Heading("r1", "dry-run", NOW), run, None, ROWS)
    (tmp_path / "runs/r1").rename(tmp_path / "elsewhere")
    (tmp_path / "runs/r1").write_text("in the way")

    assert not finish.keep(run, report)
    assert [warning.code for warning in run.warnings] == ["state-dir"]


def test_a_fault_names_its_place_and_not_its_text() -> None:
    try:
        raise LookupError("a secret")
    except LookupError as error:
        fault = finish.fault(error)
    assert "LookupError at test_finish.py" in str(fault)
    assert "a secret" not in str(fault)
