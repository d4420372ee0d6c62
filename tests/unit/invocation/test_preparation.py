"""From a task to its run: mode, repositories, plan, and whether there is anything to do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.errors import OverrideRefused, PlanRefused
from shared.invocation import bursts, task
from shared.invocation.events import Request
from shared.invocation.preparation import prepare, silent
from shared.invocation.task import Invocation
from shared.report.report import Heading
from shared.retention.records import RepositoryName
from tests.support.cloud import push

HEADING = Heading("run", "dry-run", datetime.now(UTC))
APP = RepositoryName("crp1", "crp1/app")


def call(state: Path | None = None, mode: str = "apply") -> Invocation:
    variables = {"FOLDER_ID": "b1g1", "CLEANUP_MODE": mode, "STATE_DIR": str(state or "")}
    return Invocation(variables)


def test_the_mode_of_the_kind_stands_instead_of_the_settings() -> None:
    run, idle = prepare(task.dry_run(call(), None), HEADING)
    assert (run.settings.mode, run.narrowed.configured.mode, run.only, idle) == (
        "dry-run",
        "apply",
        None,
        False,
    )


def test_a_push_is_about_its_repository_alone() -> None:
    run, idle = prepare(task.scheduled(call(), push("crp1/app")), HEADING)
    assert (run.only, idle) == (frozenset({APP}), False)


def test_an_event_of_deletions_leaves_nothing_to_do() -> None:
    _, idle = prepare(task.scheduled(call(), push("crp1/app", event="DeleteImage")), HEADING)
    assert idle


def test_a_second_push_within_minutes_leaves_nothing_to_do_and_says_so(tmp_path: Path) -> None:
    first, second = (prepare(task.scheduled(call(tmp_path), push("crp1/app")), HEADING) for _ in range(2))
    assert (first[1], first[0].warnings) == (False, [])
    assert (second[1], second[0].warnings) == (True, [bursts.CLEANED])


def test_an_unsigned_push_takes_no_turn_of_a_signed_one(tmp_path: Path) -> None:
    for _ in range(2):
        unsigned = task.unsigned_push(call(tmp_path), frozenset({APP}), lambda run, cloud: None)
        _, idle = prepare(unsigned, HEADING)
        assert not idle


def test_a_plan_needs_a_place_and_must_exist(tmp_path: Path) -> None:
    with pytest.raises(PlanRefused, match="STATE_DIR"):
        prepare(task.plan(call(), None), HEADING)
    with pytest.raises(PlanRefused, match="no plan's id"):
        prepare(task.apply(call(tmp_path), "p1"), HEADING)


def test_no_plan_is_carried_out_in_mode_dry_run(tmp_path: Path) -> None:
    with pytest.raises(OverrideRefused, match="dry-run"):
        prepare(task.apply(call(tmp_path, "dry-run"), "p1"), HEADING)


def test_an_event_narrows_and_does_not_widen() -> None:
    run, _ = prepare(task.scheduled(call(), Request({"limits.max_deletions": 1})), HEADING)
    assert run.settings.limits.max_deletions == 1
    with pytest.raises(OverrideRefused, match="beyond"):
        prepare(task.scheduled(call(mode="dry-run"), Request({"mode": "apply"})), HEADING)


def test_a_silent_run_is_announced_to_nobody(tmp_path: Path) -> None:
    file = tmp_path / "janitor.toml"
    file.write_text(
        'folder_id = "b1g1"\n[metrics]\nfolder_id = "b1g1"\n[[notify]]\nkind = "slack"\nurl_env = "HOOK"\n'
    )
    run, _ = prepare(task.scheduled(Invocation({"JANITOR_CONFIG": str(file)}), None), HEADING)
    assert run.settings.notify
    assert run.settings.metrics.folder_id

    quiet = silent(run.narrowed).settings

    assert (quiet.notify, quiet.metrics.folder_id, quiet.folder_id) == ([], None, "b1g1")
