"""``./deploy.sh local``, the first command of the README, from a clone to the last line of what it shows."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.emulator.client import PROJECT_ROOT


@pytest.mark.slow  # two whole runs over thousands of images: what a newcomer sees first
def test_the_demonstration_deploys_cleans_and_tells() -> None:
    ended = subprocess.run(
        ["./deploy.sh", "local"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    told = ended.stdout
    assert ended.returncode == 0, told + ended.stderr
    order = [
        "+ function registry-janitor-cleanup",
        "done: + trigger registry-janitor-timer",
        "dry-run: held-back",
        "done: ~ tag previous of registry-janitor-cleanup",
        "apply: held-back",
        "It is what these files and settings want.",
        "last runs: \n",
    ]
    places = [told.find(line) for line in order]
    assert -1 not in places, told
    assert places == sorted(places)
    left = [int(count) for count in re.findall(r"shop/backend +(\d+) images", told)]
    assert left[0] == left[1] > 10 * (left[2] - 100)
    assert "Traceback" not in told + ended.stderr
    assert "MISSING" not in told
    assert "REFUSED" not in told
