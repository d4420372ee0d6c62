"""What every verb of a deployment works with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from shared.auth.environment import Access, read_access
from shared.cloud.client import Cloud
from shared.cloud.pace import Pace
from shared.cloud.reach import Reach
from shared.deploy import config as configured
from shared.deploy import package
from shared.deploy.config import Config
from shared.errors import SettingsError
from shared.settings import settings

CONCURRENCY, ATTEMPTS = 8, 7
PATIENCE = 6.0  # seconds for a server that has never answered: somebody waits


class Deployment(NamedTuple):
    """``archive`` is the functions', their settings in it; ``access`` says where the cloud is."""

    config: Config
    archive: bytes
    cloud: Cloud
    access: Access


def prepared(file: str | None, environment: Mapping[str, str], now: datetime) -> Deployment:
    """What is to be deployed, checked as far as it can be without a call; nobody is signed in yet.

    Raises JanitorError.
    """
    access = read_access(environment)
    config = configured.load(file, environment, now)
    archive = package.archive(more={settings.FILE: configured.function_settings(config)})
    if len(archive) > package.MOST_BYTES:
        raise SettingsError(
            f"The archive has {len(archive)} bytes; the cloud takes {package.MOST_BYTES} at most.",
            where="package",
        )
    pace = Pace(CONCURRENCY)
    pace.reach = Reach(pace.clock, PATIENCE)
    cloud = Cloud(access.api_endpoint, pace).at(
        access.api_endpoint, attempts=ATTEMPTS, setting="YC_API_ENDPOINT" if access.api_endpoint else ""
    )
    return Deployment(config, archive, cloud, access)
