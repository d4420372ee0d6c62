"""Which store keeps the state, as the settings say."""

from __future__ import annotations

from pathlib import PurePosixPath

from shared.errors import SettingsError
from shared.settings.settings import Settings
from shared.state.directory import StateDir
from shared.state.store import Store

MOUNTS = "/function/storage"


def store_of(settings: Settings) -> Store | None:
    """Where the state is kept; None when nothing is. Raises SettingsError, StateError."""
    if not settings.state_dir:
        return None
    if PurePosixPath(settings.state_dir).is_relative_to(MOUNTS):
        raise SettingsError(
            f"STATE_DIR ({settings.state_dir}) is mounted into the function, and a mount cannot keep two runs"
            " apart; name the bucket by STATE_BUCKET instead.",
            where="STATE_DIR",
        )
    return StateDir(settings.state_dir)
