"""Where a test keeps its state."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.state.directory import StateDir
from shared.state.store import Store


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.fixture
def store(state: Path) -> Store:
    return StateDir(str(state))
