"""Fixtures of this folder's tests."""

from __future__ import annotations

import pytest

from tests.emulator.client import RunningEmulator
from tests.support.emulator import Cloud, seed_of


@pytest.fixture
def cloud(running_emulator: RunningEmulator) -> Cloud:
    running_emulator.seed(
        seed_of(
            [
                {"id": "img1", "tags": ["build-1"], "age": "40d", "size": 1000},
                {"id": "img2", "tags": ["build-2"], "age": "10d"},
                {"id": "img3", "tags": [], "age": "40d"},
            ]
        )
    )
    return Cloud(running_emulator)
