"""``registry-janitor`` before and around its commands: help, version, colours, completion, and what of the
machine is not as it should be.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from shared.invocation.command_line import COMMANDS
from tests.conftest import Cloud, images, policy
from tests.deploy.test_doorway import sentence
from tests.emulator.client import PROJECT_ROOT
from tests.support.command_line import command, environment, run

NAMES = [each.name for each in COMMANDS]
VERBS = ("plan", "apply", "destroy", "status")
LISTING = [
    {"id": "i1", "name": "crp1/app", "digest": f"sha256:{1:064}", "created_at": "2026-01-01T00:00:00Z"}
]
PYTHON = shlex.join([sys.executable, "-m", "functions"])


def shell(line: str, cwd: Path = PROJECT_ROOT, **settings: str) -> subprocess.CompletedProcess[str]:
    """A command line that needs no cloud."""
    ended = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        cwd=cwd,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(PROJECT_ROOT),
            "FOLDER_ID": "b1gfolder",
            **settings,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in ended.stdout + ended.stderr
    assert "Exception" not in ended.stderr
    return ended


@pytest.fixture
def listing(tmp_path: Path) -> Path:
    """A directory with a saved listing."""
    (tmp_path / "images.json").write_text(json.dumps(LISTING * 3))
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [*([name] for name in NAMES), ["completion"], ["deploy", "plan"], ["deploy", "status"]],
    ids=" ".join,
)
def test_the_help_of_each_command_has_an_example_that_begins_with_it(words: list[str]) -> None:
    ended = shell(f"{PYTHON} {shlex.join(words)} --help", COLUMNS="200")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.search(rf"^Example: .* {words[-1]}\b", ended.stdout, re.MULTILINE)


def test_the_help_names_every_command() -> None:
    ended = shell(f"{PYTHON} --help")

    listed = re.findall(r"^    (\S+)", ended.stdout, re.MULTILINE)
    assert listed == [*NAMES, "completion", "deploy"]


@pytest.mark.parametrize("verb", VERBS)
def test_deploying_has_the_verbs_of_the_script(verb: str) -> None:
    ours, scripts = (shell(f"{way} {verb} --help").stdout for way in (f"{PYTHON} deploy", "./deploy.sh"))

    options = re.findall(r"^  (--\S+)", scripts, re.MULTILINE)
    assert "--config" in options
    assert re.findall(r"^  (--\S+)", ours, re.MULTILINE) == options


def test_deploying_has_all_verbs_of_the_script_but_those_for_its_own_directory() -> None:
    ours, scripts = (shell(f"{way} --help").stdout for way in (f"{PYTHON} deploy", "./deploy.sh"))

    of_the_script = re.findall(r"^\./deploy\.sh (\w+)", scripts, re.MULTILINE)
    assert re.findall(r"^    (\w+)", ours, re.MULTILINE) == [
        verb for verb in of_the_script if verb not in ("local", "help")
    ]


def test_the_archive_is_the_same_whoever_writes_it(tmp_path: Path) -> None:
    for way, file in (
        (f"{PYTHON} deploy", "ours.zip"),
        (shlex.quote(f"{PROJECT_ROOT}/deploy.sh"), "scripts.zip"),
    ):
        assert shell(f"{way} package {file}", cwd=tmp_path).returncode == 0

    assert (tmp_path / "ours.zip").read_bytes() == (tmp_path / "scripts.zip").read_bytes()


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_a_shell_learns_the_commands_and_their_options(name: str) -> None:
    ended = shell(f"{PYTHON} completion {name}")

    assert (ended.returncode, ended.stderr) == (0, "")
    for word in ("dry-run", "rollback", "listing", "registry-janitor"):
        assert word in ended.stdout


def test_bash_completes_a_verb_of_deploying(tmp_path: Path) -> None:
    (tmp_path / "completion").write_text(shell(f"{PYTHON} completion bash").stdout)
    ended = shell(
        "source completion; COMP_WORDS=(registry-janitor deploy st); COMP_CWORD=2;"
        " $(complete -p registry-janitor | sed 's/.*-F \\([^ ]*\\).*/\\1/'); echo ${COMPREPLY[@]}",
        cwd=tmp_path,
    )

    assert ended.stdout.split() == ["status"]


@pytest.mark.parametrize(
    "arguments", ["dry-run --listing images.json", "schema", "schema --report", "--help"]
)
def test_a_reader_who_has_read_enough_is_no_fault(listing: Path, arguments: str) -> None:
    ended = shell(f"{PYTHON} {arguments} | true", cwd=listing)

    assert ended.returncode == 141
    assert "Error" not in ended.stderr


def test_colours_come_when_they_are_asked_for(listing: Path) -> None:
    def shown(options: str = "", **settings: str) -> str:
        return shell(f"{PYTHON} dry-run --listing images.json {options}", cwd=listing, **settings).stdout

    assert "\033[" not in shown()
    assert "\033[1;32m" in shown("--color always")
    assert "\033[1;32m" in shown("--color always", NO_COLOR="1")
    assert "\033[" not in shown("--color never", FORCE_COLOR="1")


def test_packages_that_are_missing_are_told() -> None:
    ended = shell(
        f"{shlex.quote(sys.executable)} -I -S {shlex.quote(str(PROJECT_ROOT))}/functions/__main__.py check"
    )

    assert ended.returncode == 1
    said = sentence(ended.stderr)
    assert re.match(r"The package \w+ is not installed for .*; pip install \. in the sources", said)


def test_a_python_that_is_too_old_is_told() -> None:
    old = "import sys, runpy; sys.version_info = (3, 10, 9); sys.version = '3.10.9 (main)'"
    line = f"{old}; runpy.run_path('functions/__main__.py', run_name='__main__')"
    ended = shell(shlex.join([sys.executable, "-c", line]))

    assert ended.returncode == 1
    assert re.match(r"Python 3\.11 or later is needed; .* is 3\.10\.9\.", sentence(ended.stderr))


@pytest.fixture
def signed_in(cloud: Cloud, tmp_path: Path) -> dict[str, str]:
    """Settings of somebody whom ``yc`` alone signs in."""
    token = "t1.of-yc-0123456789abcdef"
    tokens = [{"token": token, "service_account_id": cloud.account["id"]}]
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")}, tokens=tokens)
    yc = tmp_path / "yc"
    yc.write_text(f'#!/bin/sh\necho >>{tmp_path}/asked\n[ "$*" = "iam create-token" ] && echo {token}\n')
    yc.chmod(0o700)
    return {"SA_KEY": "", "PATH": f"{tmp_path}:{os.environ['PATH']}"}


def test_where_nothing_else_is_set_a_command_signs_in_as_yc_does(
    cloud: Cloud, signed_in: dict[str, str], tmp_path: Path
) -> None:
    ended = run(cloud, "dry-run", "--json", **signed_in)

    assert json.loads(ended.stdout)["status"] == "ok", ended.stdout
    assert (tmp_path / "asked").read_text().count("\n") == 1


def test_what_is_set_goes_before_yc(cloud: Cloud, signed_in: dict[str, str], tmp_path: Path) -> None:
    ended = run(cloud, "dry-run", "--json", **{**signed_in, "SA_KEY": cloud.environment["SA_KEY"]})

    assert json.loads(ended.stdout)["status"] == "ok", ended.stdout
    assert not (tmp_path / "asked").exists()


def test_a_yc_that_gives_no_token_is_told(cloud: Cloud, signed_in: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "yc").write_text('#!/bin/sh\necho "ERROR: no profile" >&2\nexit 1\n')

    ended = subprocess.run(
        command("dry-run"),
        cwd=PROJECT_ROOT,
        env=environment(cloud, **signed_in),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ended.returncode == 1
    assert "yc iam create-token gives no token (ERROR: no profile)" in ended.stdout
    assert "yc init" in ended.stdout
