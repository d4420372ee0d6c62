"""``./deploy.sh`` before it reaches the cloud: its help, and what of the machine is not as it should be."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.deploy.test_package import copy_of_the_sources
from tests.emulator.client import PROJECT_ROOT, RunningEmulator
from tests.support.deployments import SIMPLE, Folder

SCRIPT = f"{PROJECT_ROOT}/deploy.sh"


@pytest.fixture
def folder(running_emulator: RunningEmulator, tmp_path: Path) -> Folder:
    return Folder(running_emulator, tmp_path)


def sentence(text: str) -> str:
    """The text, which is one line that ends as a sentence does."""
    assert text.count("\n") == 1, text
    assert text.endswith(".\n"), text
    return text


@pytest.mark.parametrize("word", ["help", "--help", "-h"])
def test_whoever_asks_for_help_gets_it_on_standard_output(folder: Folder, word: str) -> None:
    ended = folder.run(word)

    assert (ended.status, ended.err) == (0, "")
    for verb in ("plan", "apply", "destroy", "status", "package", "local"):
        assert f"./deploy.sh {verb}" in ended.out


@pytest.mark.parametrize("verb", ["plan", "apply", "destroy", "status"])
def test_each_verb_has_its_own_help(folder: Folder, verb: str) -> None:
    ended = folder.run(verb, "--help")

    assert (ended.status, ended.err) == (0, "")
    assert f"usage: ./deploy.sh {verb}" in ended.out
    assert "--config" in ended.out


def test_a_symbolic_link_to_the_script_is_as_good_as_the_script(folder: Folder) -> None:
    folder.settings(SIMPLE)
    (folder.directory / "links").mkdir()
    (folder.directory / "links/first").symlink_to(SCRIPT)
    (folder.directory / "deploy").symlink_to("links/first")

    ended = folder.shell("./deploy plan")

    assert ended.status == 0, ended.err
    assert "+ function registry-janitor-cleanup" in ended.out
    assert "./deploy.sh package" in folder.shell("./deploy help").out


@pytest.mark.parametrize("verb", ["plan", "status", "status --help"])
def test_a_reader_who_has_read_enough_is_no_fault(folder: Folder, verb: str) -> None:
    folder.settings(SIMPLE)

    ended = folder.shell(f"set -o pipefail; {shlex.quote(SCRIPT)} {verb} | true")

    assert ended.status == 141
    assert "Error" not in ended.err
    assert "Exception" not in ended.err


def test_an_apply_whose_reader_goes_away_says_how_to_go_on(folder: Folder) -> None:
    folder.settings(SIMPLE)

    ended = folder.shell(f"set -o pipefail; {shlex.quote(SCRIPT)} apply --yes | true")

    assert ended.status == 141
    assert "What is done stays done; ./deploy.sh apply goes on from there." in ended.err
    assert "Error" not in ended.err


def test_packages_that_cannot_be_installed_are_told(tmp_path: Path) -> None:
    root = copy_of_the_sources(tmp_path)
    index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    ended = subprocess.run(
        [root / "deploy.sh", "plan"],
        env=os.environ | index,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert ended.returncode == 1
    made, said = ended.stderr.splitlines()
    assert made.startswith("Making ")
    assert said.startswith("The packages cannot be installed (ERROR: ")
    assert said.endswith("a mirror (PIP_INDEX_URL).")


@pytest.mark.slow  # makes an environment from the package index
def test_deploying_installs_what_it_needs_and_nothing_that_only_tests_need(folder: Folder) -> None:
    root = copy_of_the_sources(folder.directory)
    folder.settings(SIMPLE)
    deploy = shlex.quote(str(root / "deploy.sh"))

    first = folder.shell(f"{deploy} plan")
    assert first.status == 0, first.err
    assert "Making " in first.err

    assert "Making " not in folder.shell(f"{deploy} plan").err
    packages = {path.name for path in (root / ".venv").glob("lib/python*/site-packages/*")}
    assert {"msgspec", "tomli_w"} <= packages
    assert not packages & {"pytest", "mypy", "grpc", "playwright", "yandex", "hypothesis"}
