"""Which store keeps the state, as the settings say."""

from __future__ import annotations

from pathlib import PurePosixPath

from shared.auth import sources
from shared.auth.environment import Access
from shared.cloud.client import Cloud
from shared.cloud.pace import Pace
from shared.errors import SettingsError
from shared.settings.settings import Settings
from shared.state.directory import StateDir
from shared.state.store import Store

MOUNTS = "/function/storage"
ENDPOINT = "https://storage.yandexcloud.net"
AT_ONCE = 16


def store_of(
    settings: Settings, access: Access, context: object = None, ends_at: float = float("inf")
) -> Store | None:
    """Where the state is kept; None when nothing is. A bucket is asked until ``ends_at`` (monotonic).

    Raises SettingsError, CredentialsError, StateError.
    """
    if settings.state_bucket:
        return _bucket(settings.state_bucket, access, context, ends_at)
    if not settings.state_dir:
        return None
    if PurePosixPath(settings.state_dir).is_relative_to(MOUNTS):
        raise SettingsError(
            f"STATE_DIR ({settings.state_dir}) is mounted into the function, and a mount cannot keep two runs"
            " apart; name the bucket by STATE_BUCKET instead.",
            where="STATE_DIR",
        )
    return StateDir(settings.state_dir)


def _bucket(place: str, access: Access, context: object, ends_at: float) -> Store:
    """The bucket, at a pace of its own, so that leases are renewed while the registries ask for patience."""
    from shared.state.bucket import Bucket  # imported here: XML is for buckets alone

    if access.api_endpoint and not access.storage_endpoint:
        raise SettingsError(
            "STATE_BUCKET cannot be reached: YC_API_ENDPOINT is set, and YC_STORAGE_ENDPOINT is not; set it"
            " too.",
            where="YC_STORAGE_ENDPOINT",
        )
    cloud = Cloud(access.api_endpoint, Pace(AT_ONCE, ends_at))
    sources.sign_in(cloud, access, context)
    return Bucket(cloud, access.storage_endpoint or ENDPOINT, place)
