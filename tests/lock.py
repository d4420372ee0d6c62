"""``tests/run lock``: writes requirements.txt anew: what runs in the function, in exact versions with hashes.

``tests/run lock --upgrade`` takes the newest versions that pyproject.toml allows; without it a version stays
while it is allowed. The hashes are those of every file that the index has of a version, and the versions hold
for each Python that the project supports.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.txt"
HEAD = """\
# What runs in the function, from pyproject.toml by: tests/run lock
"""


def wanted() -> list[Requirement]:
    """The dependencies of pyproject.toml that the functions have a use for."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    by_hand = document["tool"]["registry-janitor"]["only-by-hand"]
    stated = map(Requirement, document["project"]["dependencies"])
    return [requirement for requirement in stated if requirement.name not in by_hand]


def main(*options: str) -> int:
    command = [sys.executable, "-m", "uv", "pip", "compile", "-", "--quiet", "--output-file", str(LOCK)]
    command += [
        "--universal",
        "--python-version",
        "3.11",
        "--generate-hashes",
        "--no-annotate",
        "--no-header",
    ]
    ended = subprocess.run(
        [*command, *options], input="\n".join(map(str, wanted())), text=True, cwd=ROOT, check=False
    )
    if ended.returncode == 0:
        LOCK.write_text(HEAD + LOCK.read_text(encoding="utf-8"), encoding="utf-8")
    return ended.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
