"""``./deploy.sh package``: what the archive holds, that it is the same each time, and what a cold start
loads.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from shared.deploy import package, wanted
from tests.conftest import Cloud, images, policy
from tests.emulator.client import PROJECT_ROOT

MOST_BYTES = 3_500_000
THIS_PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


def deploy(
    *arguments: str, root: Path = PROJECT_ROOT, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(root / "deploy.sh"), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def packaged(file: Path, root: Path = PROJECT_ROOT) -> bytes:
    ended = deploy("package", str(file), root=root)
    assert ended.returncode == 0, ended.stderr
    return file.read_bytes()


def copy_of_the_sources(directory: Path) -> Path:
    """The project in another folder, with other times and other permissions."""
    root = directory / "another place"
    for name in ("functions", "shared", "tests"):
        shutil.copytree(
            PROJECT_ROOT / name, root / name, ignore=shutil.ignore_patterns("emulator", "__pycache__")
        )
    for name in ("deploy.sh", "requirements.txt"):
        shutil.copy(PROJECT_ROOT / name, root / name)
    for source in root.rglob("*.py"):
        os.utime(source, (1, 1_000_000_000))
        source.chmod(0o600)
    return root


def test_the_same_sources_give_the_same_bytes_wherever_they_lie(tmp_path: Path) -> None:
    first = packaged(tmp_path / "first.zip")

    assert packaged(tmp_path / "second.zip") == first
    assert packaged(tmp_path / "third.zip", copy_of_the_sources(tmp_path)) == first
    assert len(first) < MOST_BYTES


def test_the_archive_has_entry_points_at_its_root_and_shared_beside_them(tmp_path: Path) -> None:
    packaged(tmp_path / "janitor.zip")
    with zipfile.ZipFile(tmp_path / "janitor.zip") as archive:
        names = archive.namelist()
        assert archive.testzip() is None

    assert len(names) == len(set(names))
    root = {name for name in names if "/" not in name}
    assert {"dry_run.py", "cleanup.py", "requirements.txt"} <= root
    compiled = {name for name in names if "__pycache__" in name}
    assert not [name for name in compiled if not name.endswith(".cpython-312.pyc")]
    names = [name for name in names if name not in compiled]
    assert {name.split("/")[0] for name in names if "/" in name} == {"shared"}
    assert "shared/__init__.py" in names
    assert {f"shared/report/page/page.{kind}" for kind in ("html", "css", "js")} <= set(names)
    assert not [name for name in names if name.endswith((".pyc", ".toml", ".sh", ".yaml"))]
    assert not [name for name in names if "test" in name or "__main__" in name or "emulator" in name]


def unpacked(archive: bytes, directory: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        opened.extractall(directory)
    return directory


def test_what_is_compiled_is_loaded_instead_of_its_source_and_is_the_same_each_time(tmp_path: Path) -> None:
    sources = package.archive()
    archive = package.compiled(sources, THIS_PYTHON)
    bundle = unpacked(archive, tmp_path)
    (bundle / "cleanup.py").write_text("raise SystemExit('the source was compiled')")
    imported = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, cleanup, shared.errors; print(shared.errors.printable.__code__.co_filename)",
        ],
        cwd=bundle,
        env={"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert package.compiled(sources, THIS_PYTHON) == archive
    assert len(archive) < MOST_BYTES
    assert (imported.returncode, imported.stdout.strip()) == (0, str(bundle / "shared/errors.py")), (
        imported.stderr
    )
    assert len(list(bundle.rglob("*.py"))) == len(list(bundle.rglob("*.pyc")))


def test_without_the_interpreter_of_the_runtime_nothing_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    sources = package.archive()
    assert package.compiled(sources, "3.99") == sources

    for content in ("exit 127", f'exec {sys.executable} "$@"'):
        (tmp_path / "python3.99").write_text(f"#!/bin/sh\n{content}\n")
        (tmp_path / "python3.99").chmod(0o755)
        assert package.compiled(sources, "3.99") == sources


def test_what_is_compiled_is_for_the_runtime_of_the_functions() -> None:
    assert "python" + package.RUNTIME.replace(".", "") == wanted.RUNTIME


def test_the_archive_goes_where_the_caller_stands(tmp_path: Path) -> None:
    assert deploy("package", "janitor.zip", cwd=tmp_path).returncode == 0
    assert zipfile.is_zipfile(tmp_path / "janitor.zip")


def test_an_archive_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    ended = deploy("package", str(tmp_path / "nowhere" / "janitor.zip"))

    assert ended.returncode == 1
    assert "nowhere" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "arguments", [[], ["pack"], ["package"], ["package", "a.zip", "b.zip"], ["local", "x"]]
)
def test_bad_usage_shows_the_usage_and_ends_with_2(arguments: list[str], tmp_path: Path) -> None:
    ended = deploy(*arguments, cwd=tmp_path)

    assert ended.returncode == 2
    assert "./deploy.sh package FILE.zip" in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", ["deploy.sh", "tests/environment", "tests/run"])
def test_the_scripts_are_sound_shell(script: str) -> None:
    assert subprocess.run(["bash", "-n", str(PROJECT_ROOT / script)], check=False).returncode == 0
    assert os.access(PROJECT_ROOT / script, os.X_OK)


@pytest.mark.parametrize("entry_point", ["dry_run", "cleanup"])
def test_a_start_with_the_functions_own_token_loads_no_more_than_it_needs(
    cloud: Cloud, entry_point: str
) -> None:
    token = {"access_token": "t1.of-the-function", "expires_in": 3600}
    cloud.seed(
        {"name": "app", "policies": [policy()], "images": images("new", "old")},
        tokens=[{"token": token["access_token"], "service_account_id": cloud.account["id"]}],
    )

    invocation = cloud.call(entry_point, SA_KEY="", token=token)

    assert invocation.results[0]["status"] == "ok"
    loaded = {module.partition(".")[0] for module in invocation.modules}
    assert not loaded & {
        "cryptography",
        "jwt",
        "rich",
        "pygments",
        "jinja2",
        "dateutil",
        "argparse",
        "requests",
        "urllib3",
        "tests",
        "yaml",
    }
    assert "shared.report.terminal" not in invocation.modules
    assert "shared.deploy" not in invocation.modules


def test_a_start_without_a_settings_file_loads_no_toml(cloud: Cloud) -> None:
    cloud.seed()

    assert "tomllib" not in cloud.call("dry_run").modules


def test_another_checkout_packs_itself_wherever_it_is_called_from(tmp_path: Path) -> None:
    copy, file = copy_of_the_sources(tmp_path), tmp_path / "copy.zip"
    (copy / "functions" / "only_here.py").write_text("")

    ended = deploy("package", str(file), root=copy, cwd=PROJECT_ROOT)

    assert ended.returncode == 0, ended.stderr
    assert "only_here.py" in zipfile.ZipFile(file).namelist()
