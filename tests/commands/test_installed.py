"""The package as people install it: into an empty environment, from the sources, used far from them."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shlex
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from functions.__main__ import VERSION
from shared.deploy import package
from tests.deploy.test_package import copy_of_the_sources
from tests.emulator.client import PROJECT_ROOT, RunningEmulator
from tests.support.deployments import SIMPLE, Folder
from tests.unit.test_requirements import DECLARED

ONLY_FOR_WORK_ON_IT = {"pytest", "mypy", "hypothesis", "grpcio", "hatchling", "uv", "playwright"}


def installed(folder: Folder) -> str:
    """The command, installed from a copy of the sources that is gone afterwards."""
    sources, environment = copy_of_the_sources(folder.directory), folder.directory / "environment"
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"):
        (sources / name).write_bytes((PROJECT_ROOT / name).read_bytes())
    venv.create(environment, with_pip=True, symlinks=True)
    before = {path.relative_to(sources) for path in sources.rglob("*")}
    command = [str(environment / "bin/python"), "-m", "pip", "install", "--quiet", str(sources)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert {path.relative_to(sources) for path in sources.rglob("*")} == before
    sources.rename(folder.directory / "gone")
    return shlex.quote(str(environment / "bin/registry-janitor"))


@pytest.mark.slow  # makes an environment from the package index
def test_what_is_installed_works_on_its_own(running_emulator: RunningEmulator, tmp_path: Path) -> None:
    folder = Folder(running_emulator, tmp_path)
    janitor = installed(folder)
    (site,) = (tmp_path / "environment/lib").glob("python*/site-packages")

    assert folder.shell(f"{janitor} --version").out == f"registry-janitor {VERSION}\n"
    names = {
        canonicalize_name(str(each.metadata["name"]))
        for each in importlib.metadata.distributions(path=[str(site)])
    }
    assert set(DECLARED) <= names
    assert not names & ONLY_FOR_WORK_ON_IT
    assert not {path.name for path in site.iterdir()} & {"shared", "functions", "tests"}

    folder.settings(
        SIMPLE + 'state_dir = "state"\n[[rules]]\nname = "old"\ntags = ".*"\nolder_than = "30d"\n'
    )
    (tmp_path / "state/plans").mkdir(parents=True)
    checked = folder.shell(f"{janitor} check")
    assert checked.out.startswith("The settings are right: mode dry-run, 1 rules."), checked.err
    image = {"id": "i1", "name": "crp1/app", "digest": f"sha256:{1:064}", "tags": ["a"]}
    (tmp_path / "images.json").write_text(json.dumps([{**image, "created_at": "2026-01-01T00:00:00Z"}]))
    tried = folder.shell(f"{janitor} dry-run --listing images.json --json")
    assert [row["outcome"] for row in json.loads(tried.out)["images"]] == ["would-delete"]
    assert folder.shell(f"{janitor} plans").out == "No plan waits for a decision.\n"

    folder.settings(SIMPLE)
    planned, by_the_script = folder.shell(f"{janitor} deploy plan"), folder.run("plan")
    assert planned.status == 0, planned.err
    assert "+ function registry-janitor-cleanup" in planned.out
    assert planned.out == by_the_script.out
    assert "usage: registry-janitor deploy plan" in folder.shell(f"{janitor} deploy plan --help").out
    assert "; registry-janitor deploy apply deploys it." in folder.shell(f"{janitor} deploy status").out
    assert archive_of(site) == package.archive()


def archive_of(site: Path) -> bytes:
    """The archive that is made of what is installed."""
    code = "import sys; from shared.deploy import package; sys.stdout.buffer.write(package.archive())"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(site / "registry_janitor")},
        cwd=site,
        capture_output=True,
        check=True,
        timeout=60,
    )
    return ended.stdout
