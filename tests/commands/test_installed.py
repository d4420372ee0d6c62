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


def sources_in(directory: Path) -> Path:
    """A copy of the sources with all that a package is made of."""
    sources = copy_of_the_sources(directory)
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"):
        (sources / name).write_bytes((PROJECT_ROOT / name).read_bytes())
    return sources


def installed(folder: Folder) -> str:
    """The command, installed into an empty environment from a wheel; the wheel's sources are gone by then."""
    sources, environment = sources_in(folder.directory), folder.directory / "environment"
    venv.create(environment, with_pip=True, symlinks=True)
    before = {path.relative_to(sources) for path in sources.rglob("*")}
    pip = [str(environment / "bin/python"), "-m", "pip"]
    done(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder.directory / "wheels"), str(sources))
    assert {path.relative_to(sources) for path in sources.rglob("*")} == before
    sources.rename(folder.directory / "gone")
    (wheel,) = (folder.directory / "wheels").iterdir()
    assert wheel.name == f"registry_janitor-{VERSION}-py3-none-any.whl"
    done(*pip, "install", "--quiet", str(wheel))
    return shlex.quote(str(environment / "bin/registry-janitor"))


def done(*command: str, cwd: Path | None = None) -> str:
    """What the command prints; it must succeed."""
    ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


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
    assert checked.out.startswith("The settings are right: mode dry-run, 1 rule."), checked.err
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


UVX = "uvx --from . registry-janitor"


@pytest.mark.slow  # makes an environment from the package index
def test_uvx_runs_it_without_installing(tmp_path: Path) -> None:
    assert f"`{UVX} check`" in (PROJECT_ROOT / "docs/commands.md").read_text(encoding="utf-8")
    sources = sources_in(tmp_path)
    (sources / "janitor.toml").write_text('folder_id = "b1g"\n')
    program, *arguments = UVX.split()
    command = [str(Path(sys.executable).with_name(program)), "--python", sys.executable, *arguments]

    assert done(*command, "--version", cwd=sources) == f"registry-janitor {VERSION}\n"
    assert done(*command, "check", cwd=sources).startswith("The settings are right: mode dry-run, 0 rules.")


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
