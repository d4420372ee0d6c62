"""Where a test keeps its state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.cloud import object_storage
from shared.state.directory import StateDir
from shared.state.store import Store
from tests.conftest import BUCKET
from tests.support.object_storage import (
    bucket_at,
    empty_foreign_bucket,
    emulated_bucket,
    foreign_server,
    seed_bucket,
)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    with foreign_server() as url:
        yield url


@pytest.fixture(params=["directory", "bucket", "prefix", "moto"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Each kind of store, empty; those of buckets list ten keys a page."""
    monkeypatch.setattr(object_storage, "PAGE_KEYS", 10)
    if request.param == "directory":
        return StateDir(str(request.getfixturevalue("state")))
    if request.param == "moto":
        url = request.getfixturevalue("moto")
        empty_foreign_bucket(url)
        return bucket_at(url, url)
    emulator = request.getfixturevalue("running_emulator")
    seed_bucket(emulator)
    return emulated_bucket(emulator, f"{BUCKET}/a/b" if request.param == "prefix" else BUCKET)
