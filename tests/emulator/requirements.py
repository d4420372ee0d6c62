"""What a version's requirements.txt asks for, as one directory to import from, and nothing else in it.

Distributions that this environment has in the right version are linked there, with all that they require; the
rest is installed by pip. The directories stay in the environment, by what they were made of, so that the next
version with the same requirements has its own at once.
"""

import hashlib
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

CACHE = Path(sys.prefix) / "deployed"
MOST_SECONDS = 300


class BuildError(Exception):
    """The requirements cannot be installed; the text says why."""


def directory_for(requirements: str) -> Path:
    """The directory to import from; raises BuildError."""
    directory = (
        CACHE / hashlib.sha256(f"{CACHE.resolve()} {sys.version} {requirements}".encode()).hexdigest()[:24]
    )
    if directory.exists():
        return directory
    CACHE.mkdir(exist_ok=True)
    making = Path(tempfile.mkdtemp(dir=CACHE))
    try:
        _fill(making, list(_read(requirements)))
        making.replace(directory)
    except OSError:
        if not directory.exists():  # else another process was faster
            raise
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return directory


def _read(text: str) -> Iterator[Requirement]:
    for line in text.replace("\\\n", " ").splitlines():
        stated = re.split(r"#|--hash=", line)[0].strip()
        if stated:
            try:
                yield Requirement(stated)
            except InvalidRequirement as error:
                raise BuildError(f"requirements.txt: {error}") from None


def _fill(directory: Path, requirements: list[Requirement]) -> None:
    missing = []
    linked: set[str] = set()
    for requirement in requirements:
        closure = _closure(requirement, set())
        if closure is None:
            missing.append(str(requirement))
        else:
            linked |= closure
    if missing:
        _install(directory, missing)
    for name in linked:
        for source in _top_level(importlib.metadata.distribution(name)):
            if not (directory / source.name).exists():
                (directory / source.name).symlink_to(source.resolve())


def _closure(requirement: Requirement, seen: set[str]) -> set[str] | None:
    """The distributions that satisfy the requirement, or None when this environment doesn't."""
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        return seen
    try:
        found = importlib.metadata.distribution(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return None
    if (
        requirement.url
        or requirement.extras
        or not requirement.specifier.contains(found.version, prereleases=True)
    ):
        return None
    if found.name in seen:
        return seen
    seen.add(found.name)
    for needed in found.requires or ():
        if _closure(Requirement(needed), seen) is None:
            return None
    return seen


def _top_level(distribution: importlib.metadata.Distribution) -> set[Path]:
    files = distribution.files or ()
    names = {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}
    return {Path(str(distribution.locate_file(name))) for name in names}


def _install(directory: Path, requirements: list[str]) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--only-binary", ":all:", "--target", str(directory), *requirements]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise BuildError(f"the build takes more than {MOST_SECONDS} seconds") from None
    if done.returncode != 0:
        raise BuildError(f"pip install failed: {done.stderr.strip().splitlines()[-1:]}")
