"""The settings say where the state is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import SettingsError, StateError
from shared.settings.settings import Settings
from shared.state.stores import store_of


def test_without_a_place_nothing_is_kept() -> None:
    assert store_of(Settings()) is None


def test_a_directory_is_named_as_its_setting(tmp_path: Path) -> None:
    store = store_of(Settings(state_dir=str(tmp_path)))
    assert store
    assert store.where == f"STATE_DIR ({tmp_path})"


def test_a_directory_that_is_missing_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="is not a directory; create it"):
        store_of(Settings(state_dir=str(tmp_path / "missing")))


@pytest.mark.parametrize("path", ["/function/storage/state", "/function/storage/state/", "/function/storage"])
def test_what_is_mounted_into_a_function_is_refused(path: str) -> None:
    with pytest.raises(
        SettingsError, match=r"STATE_DIR \(/function/storage.*name the bucket by STATE_BUCKET"
    ):
        store_of(Settings(state_dir=path))
