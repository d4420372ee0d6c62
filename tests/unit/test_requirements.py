"""What is installed: pyproject.toml declares what is imported, and requirements.txt locks what the functions
need.
"""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import lock
from tests.support.house import ROOT, modules

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DECLARED = {Requirement(text).name: Requirement(text) for text in PROJECT["project"]["dependencies"]}
ONLY_BY_HAND = set(PROJECT["tool"]["registry-janitor"]["only-by-hand"])
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux2014_x86_64")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def locked() -> Iterator[tuple[Requirement, list[str]]]:
    """What requirements.txt says: each requirement, with its hashes."""
    text = lock.LOCK.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            yield Requirement(line.partition("--hash=")[0].strip()), HASH.findall(line)


LOCKED = {requirement.name: requirement for requirement, _ in locked()}


def imported(path: Path) -> set[str]:
    """The top-level names that a file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    others = set().union(*map(imported, modules().values())) - {
        "shared",
        "functions",
        *sys.stdlib_module_names,
    }
    distributions = importlib.metadata.packages_distributions()
    assert {canonicalize_name(distributions[name][0]) for name in others} == set(DECLARED)


def test_what_only_work_by_hand_needs_is_not_in_the_function() -> None:
    assert set(DECLARED) > ONLY_BY_HAND
    assert not ONLY_BY_HAND & set(LOCKED)
    assert "rich" in ONLY_BY_HAND


def test_the_lock_has_one_version_of_each_as_declared_and_its_hashes() -> None:
    for requirement, hashes in locked():
        (exactly,) = requirement.specifier
        assert exactly.operator == "=="
        assert hashes, f"{requirement.name} has no hash; run tests/run lock"
    for name, requirement in DECLARED.items():
        if name not in ONLY_BY_HAND:
            assert name in LOCKED, f"{name} is not locked; run tests/run lock"
            assert requirement.specifier.contains(version(name)), f"run tests/run lock: {requirement}"


def test_the_lock_has_what_its_packages_need_and_no_more() -> None:
    needed, left = set[str](), [requirement.name for requirement in lock.wanted()]
    while left:
        name = left.pop()
        if name in needed:
            continue
        needed.add(name)
        assert importlib.metadata.version(name) == version(name), "the tests run with other versions"
        for text in importlib.metadata.requires(name) or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                left.append(canonicalize_name(requirement.name))
    assert needed == set(LOCKED)


def version(name: str) -> str:
    (exactly,) = LOCKED[name].specifier
    return exactly.version


def test_what_the_package_index_shows_names_no_host_of_anybodys() -> None:
    project = PROJECT["project"]
    assert (project["name"], project["version"]) == ("registry-janitor", "0.2.0")
    assert (ROOT / project["readme"]).exists()
    assert {url.split("/")[2] for url in project["urls"].values()} == {"yandex.cloud"}


@pytest.mark.slow  # asks the package index
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_every_python_gets_the_locked_packages_as_wheels_for_the_runtime(python: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--require-hashes"]
    command += ["--only-binary", ":all:", "--python-version", python, "--target", str(tmp_path)]
    for platform in PLATFORMS:
        command += ["--platform", platform]

    ended = subprocess.run(
        [*command, "-r", str(lock.LOCK)], capture_output=True, text=True, check=False, timeout=300
    )

    assert ended.returncode == 0, ended.stderr
