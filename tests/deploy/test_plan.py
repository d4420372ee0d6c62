"""``./deploy.sh plan``: the settings that change, as people write them, and the colours of a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from tests.emulator.client import PROJECT_ROOT, RunningEmulator
from tests.support.deployments import SIMPLE, WHOLE, Folder, applied

RULES = """
[[rules]]
name = "branches"
tags = "feature-.*"
keep_newest = 10

[[rules]]
name = "pull requests"
tags = "pr-[0-9]+"
older_than = "3d"
"""


@pytest.fixture
def folder(running_emulator: RunningEmulator, tmp_path: Path) -> Folder:
    return Folder(running_emulator, tmp_path)


def planned(folder: Folder, settings: str, *more: str) -> str:
    folder.settings(settings)
    ended = folder.run("plan", *more)
    assert ended.status == 0, ended.err
    return ended.out


def details(told: str, what: str) -> list[str]:
    """The lines below the step of the plan that is about that."""
    below = told.partition(what)[2].partition("\n")[2]
    return [line.strip() for line in re.match(r"(?: {6}.*\n)*", below)[0].splitlines()]  # type: ignore[index]


VERSION = "+ version of registry-janitor-cleanup"


def test_the_first_plan_shows_the_settings(folder: Folder) -> None:
    shown = details(planned(folder, SIMPLE + "limits.max_share = 0.5\n"), VERSION)

    assert shown[:3] == ["folder_id: b1gfolder", "limits.max_share: 0.5", "mode: dry-run"]


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ("", 'mode = "apply"\n', ["mode: dry-run -> apply"]),
        ('mode = "apply"\n', "", ["mode: apply -> dry-run"]),
        ("", "limits.max_share = 0.5\n", ["limits.max_share: 0.9 -> 0.5"]),
        ("limits.max_share = 0.5\n", "", ["limits.max_share: 0.5 -> 0.9"]),
        ("", "guards.referrers = false\n", ["guards.referrers: true -> false"]),
        ("", 'guards.keep_tags = ["latest", "v.*"]\n', ["guards.keep_tags: not set -> latest, v.*"]),
        ('registries = ["crp1"]\n', 'registries = ["crp1", "crp2"]\n', ["registries: crp1 -> crp1, crp2"]),
        ("", RULES, ["rules.branches: set", "rules.pull requests: set"]),
        (RULES, RULES.replace("= 10", "= 9"), ["rules.branches: changed"]),
        (RULES, RULES.partition('[[rules]]\nname = "pull')[0], ["rules.pull requests: no longer set"]),
        (
            "",
            '[[notify]]\nkind = "webhook"\nurl = "https://hooks.example.net/a-secret"\nsecret_env = "S"\n'
            '[deploy]\nsecrets.S = "e6qslack/url"\n',
            ["notify: set"],
        ),
    ],
)
def test_a_setting_that_changes_is_shown_with_both_its_values(
    folder: Folder, before: str, after: str, lines: list[str]
) -> None:
    applied(folder, SIMPLE + before)

    told = planned(folder, SIMPLE + after)

    settings = [line for line in details(told, VERSION) if not line.startswith("secrets:")]
    assert settings == lines
    assert "none -> none" not in told
    assert not re.search(r"\b[0-9a-f]{8,}\b", told), "a hash tells a person nothing"
    assert "a-secret" not in str(folder.cloud.resources()["versions"])


def test_settings_that_go_back_to_those_of_a_version_are_shown_too(folder: Folder) -> None:
    applied(folder, SIMPLE)
    applied(folder, SIMPLE + 'mode = "apply"\n')
    live = "~ tag live of registry-janitor-cleanup"

    assert "mode: apply -> dry-run" in details(planned(folder, SIMPLE), live)
    assert "mode: apply -> dry-run" in details(
        planned(folder, SIMPLE + 'mode = "apply"\n', "--rollback"), live
    )


def test_settings_that_are_too_many_for_the_environment_still_tell_that_they_change(folder: Folder) -> None:
    rules = "".join(
        f'[[rules]]\nname = "the rule of team {n}"\ntags = "t{n}-.*"\nkeep_newest = 5\n' for n in range(60)
    )
    applied(folder, SIMPLE + rules)
    assert len(folder.versions()[0]["environment"]["DEPLOYED_SETTINGS"]) < 1300

    changed = details(planned(folder, SIMPLE + 'mode = "apply"\n' + rules.replace("= 5", "= 6")), VERSION)
    assert changed == ["mode: dry-run -> apply", "rules: changed"]

    full = f"[deploy]\nenvironment.LONG = '{'x' * 3950}'\n"
    applied(folder, SIMPLE + full)
    assert details(planned(folder, SIMPLE + "limits.max_share = 0.5\n" + full), VERSION)


def test_a_version_without_a_record_says_so(folder: Folder) -> None:
    full = f"[deploy]\nenvironment.LONG = '{'x' * 4040}'\n"
    applied(folder, SIMPLE + full)

    shown = details(planned(folder, SIMPLE + 'mode = "apply"\n'), VERSION)

    assert shown[0] == "settings: the version before does not say what its own were"


def test_what_the_function_gets_beside_its_settings_is_shown_as_the_cloud_calls_it(folder: Folder) -> None:
    applied(folder, SIMPLE)

    shown = details(planned(folder, SIMPLE + '[deploy]\nmemory_mb = 512\nenvironment.A = "b"\n'), VERSION)

    assert shown == ["resources.memory: 268435456 -> 536870912", "environment.A: b"]


def on_a_terminal(folder: Folder, **environment: str) -> str:
    """What ``plan`` writes to a terminal."""
    ours, theirs = pty.openpty()
    given = {"PATH": os.environ["PATH"], "TERM": "xterm", **folder.environment, **environment}
    with subprocess.Popen(
        [f"{PROJECT_ROOT}/deploy.sh", "plan"], env=given, cwd=folder.directory, stdout=theirs, stdin=theirs
    ) as running:
        os.close(theirs)
        written = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            written += part
        assert running.wait() == 0
    os.close(ours)
    return written.decode().replace("\r\n", "\n")


def test_a_terminal_gets_the_colours_that_terraform_has(folder: Folder) -> None:
    applied(folder, WHOLE)
    folder.settings(SIMPLE + '[deploy]\nschedule = "30 4 ? * * *"\n')

    told = on_a_terminal(folder)

    assert "\033[33m~\033[0m trigger registry-janitor-timer" in told
    assert "\033[32m+\033[0m version of registry-janitor-cleanup" in told
    assert "\033[31m-\033[0m function registry-janitor-webhook" in told
    assert "mode: apply\033[33m -> \033[0mdry-run" in told
    assert "\033" not in folder.run("plan").out
    for plain in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\033" not in on_a_terminal(folder, **plain)
