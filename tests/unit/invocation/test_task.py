"""What a call is to do: the kinds of tasks, and the settings that travel with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import SettingsError
from shared.invocation import task
from shared.invocation.task import Invocation, Kind, Task

HERE = Invocation({"FOLDER_ID": "b1g1"})
KINDS: dict[str, tuple[Task, tuple[str | None, bool, bool, bool]]] = {
    "a timer's clean-up": (task.scheduled(HERE, None), (None, True, True, False)),
    "a dry run": (task.dry_run(HERE, None), ("dry-run", True, True, False)),
    "a plan": (task.plan(HERE, None), ("plan", True, True, False)),
    "carrying a plan out": (task.apply(HERE, "p1"), (None, True, True, False)),
    "an unsigned push": (
        task.unsigned_push(HERE, frozenset(), lambda run, cloud: None),
        ("dry-run", False, False, False),
    ),
    "a dry run by hand": (task.by_hand(task.DRY_RUN_BY_HAND, HERE), ("dry-run", False, True, True)),
    "carrying a plan out by hand": (
        task.by_hand(task.APPLY_BY_HAND, HERE, plan_id="p1"),
        ("apply", True, True, True),
    ),
    "a look by hand": (task.by_hand(task.LOOK_BY_HAND, HERE), ("dry-run", False, False, True)),
}


@pytest.mark.parametrize(("made", "expected"), KINDS.values(), ids=KINDS)
def test_the_kind_of_a_task_decides_its_mode_audience_history_and_rows(
    made: Task, expected: tuple[str | None, bool, bool, bool]
) -> None:
    assert (made.kind.mode, made.kind.announced, made.kind.remembered, made.all_rows) == expected


@pytest.mark.parametrize("kind", [task.APPLY, task.APPLY_BY_HAND])
def test_no_task_carries_out_a_plan_that_it_does_not_name(kind: Kind) -> None:
    with pytest.raises(ValueError, match="plan"):
        Task(kind=kind, invocation=HERE)


@pytest.mark.parametrize("kind", [task.CLEANUP, task.DRY_RUN, task.PLAN, task.UNSIGNED_PUSH])
def test_no_other_task_names_a_plan(kind: Kind) -> None:
    with pytest.raises(ValueError, match="plan"):
        Task(kind=kind, invocation=HERE, plan_id="p1")


def test_a_task_with_a_plan_does_nothing_else() -> None:
    with pytest.raises(ValueError, match="plan"):
        Task(kind=task.APPLY, invocation=HERE, plan_id="p1", look=lambda run, cloud: None)


def test_the_settings_are_read_once_a_call(tmp_path: Path) -> None:
    file = tmp_path / "janitor.toml"
    file.write_text('folder_id = "b1g1"\n')
    invocation = Invocation({"JANITOR_CONFIG": str(file)})
    assert invocation.settings.folder_id == "b1g1"

    file.write_text('folder_id = "b1g2"\n')

    assert invocation.settings.folder_id == "b1g1"


def test_settings_that_are_wrong_are_wrong_for_the_whole_call(tmp_path: Path) -> None:
    file = tmp_path / "janitor.toml"
    invocation = Invocation({"JANITOR_CONFIG": str(file)})
    for _ in range(2):
        with pytest.raises(SettingsError, match="There is no settings file"):
            _ = invocation.settings
        file.write_text('folder_id = "b1g1"\n')
