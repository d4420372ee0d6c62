"""Of sixteen processes that want the same, one gets it; ``python -m tests.races`` does more rounds."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.emulator.client import RunningEmulator
from tests.races import in_bucket, in_directory, races
from tests.support.racer import PRIZES

ROUNDS = 8


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["directory", "bucket"])
def test_of_sixteen_processes_one_wins(running_emulator: RunningEmulator, tmp_path: Path, kind: str) -> None:
    environment = in_bucket(running_emulator) if kind == "bucket" else in_directory(tmp_path)
    fair = races(environment, ROUNDS, random.Random(7))
    assert fair == dict.fromkeys(PRIZES, ROUNDS)
