"""What every verb of a deployment works with."""

from __future__ import annotations

from typing import NamedTuple

from shared.auth.environment import Access
from shared.cloud.client import Cloud
from shared.deploy.config import Config


class Deployment(NamedTuple):
    """``archive`` is the functions', their settings in it; ``access`` says where the cloud is."""

    config: Config
    archive: bytes
    cloud: Cloud
    access: Access
