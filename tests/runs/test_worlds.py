"""In random worlds, whatever others change meanwhile and however the cloud fails or lies, nothing needed is
deleted.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulator.client import RunningEmulator
from tests.support.world_making import world
from tests.worlds import FIRST_SEED, cleaner, story

WORLDS = 50


@pytest.mark.slow
@pytest.mark.parametrize("first", range(FIRST_SEED, FIRST_SEED + 6 * WORLDS, WORLDS))
def test_no_image_that_is_needed_is_lost(running_emulator: RunningEmulator, bundle: Path, first: int) -> None:
    """A failure tells the world's number and its story; `tests/worlds.py` says how to see it again."""
    with cleaner(running_emulator, bundle) as work:
        endings = [work.clean(world(seed)) for seed in range(first, first + WORLDS)]

    wrong = [story(ending) for ending in endings if ending.faults]
    assert not wrong, "\n\n".join([f"{len(wrong)} of {WORLDS} worlds from {first} on:", *wrong])
    assert sum(len(ending.replay.removals) for ending in endings) >= WORLDS, "hardly anything was deleted"
