"""The settings say where the state is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.auth.environment import Access
from shared.errors import SettingsError, StateError
from shared.settings.settings import Settings
from shared.state.stores import store_of

ACCESS = Access(iam_token="t1.test", api_endpoint="http://127.0.0.1:9")


def test_without_a_place_nothing_is_kept() -> None:
    assert store_of(Settings(), ACCESS) is None


def test_a_directory_is_named_as_its_setting(tmp_path: Path) -> None:
    store = store_of(Settings(state_dir=str(tmp_path)), ACCESS)
    assert store
    assert store.where == f"STATE_DIR ({tmp_path})"


def test_a_directory_that_is_missing_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="is not a directory; create it"):
        store_of(Settings(state_dir=str(tmp_path / "missing")), ACCESS)


@pytest.mark.parametrize("path", ["/function/storage/state", "/function/storage/state/", "/function/storage"])
def test_what_is_mounted_into_a_function_is_refused(path: str) -> None:
    with pytest.raises(
        SettingsError, match=r"STATE_DIR \(/function/storage.*name the bucket by STATE_BUCKET"
    ):
        store_of(Settings(state_dir=path), ACCESS)


def test_a_token_goes_to_no_bucket_whose_endpoint_is_not_said() -> None:
    with pytest.raises(
        SettingsError, match="YC_API_ENDPOINT is set, and YC_STORAGE_ENDPOINT is not; set it too"
    ):
        store_of(Settings(state_bucket="state"), ACCESS)


@pytest.mark.parametrize("place", ["state", "state/janitor/a"])
def test_a_bucket_is_named_as_its_setting(place: str) -> None:
    store = store_of(Settings(state_bucket=place), Access(iam_token="t1.test"))
    assert store
    assert store.where == f"STATE_BUCKET ({place})"
