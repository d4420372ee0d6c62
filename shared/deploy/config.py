"""What is to be deployed: the ``[deploy]`` table, beside the settings that the functions get.

Settings come as everywhere, the environment first, then the TOML file. The table is for the deployment alone:
the functions get the settings without it, as ``janitor.toml`` in their archive. All of this is checked before
any call.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import tomli_w

from shared.errors import SettingsError
from shared.settings import deploy_table, settings
from shared.settings.deploy_table import WEBHOOK_SECRET, Deploy
from shared.settings.settings import Settings

MIB = 2**20
HERE = ("STATE_DIR", "STATE_BUCKET")  # of whoever deploys: where runs by hand keep their state


class Config(msgspec.Struct, frozen=True):
    """A deployment: its table, the settings of its functions, and the folder that it is made in.

    ``deploy.state_bucket`` is the place of the state, whichever key has said so. ``variables`` are those of
    the environment that had a say in the settings.
    """

    deploy: Deploy
    settings: Settings
    folder_id: str
    variables: tuple[str, ...] = ()

    @property
    def bucket(self) -> str:
        """The bucket of the state, "" when none is kept."""
        return (self.deploy.state_bucket or "").partition("/")[0]

    @property
    def deletes(self) -> bool:
        """Whether its functions may come to delete images."""
        return (
            self.settings.mode == "apply"
            or (self.settings.mode == "plan" and self.deploy.webhook)
            or "mode" in self.settings.allow_overrides
        )

    @property
    def generates_secret(self) -> bool:
        """Whether the webhook's secret is made here and not given."""
        return self.deploy.webhook and WEBHOOK_SECRET not in self.deploy.secrets


def load(file: str | None, environment: Mapping[str, str], now: datetime) -> Config:
    """The deployment that the environment and the TOML file describe. Raises SettingsError."""
    file = settings.file_of(file, environment)
    by_hand = dict.fromkeys(HERE, "")
    configured = settings.load({**environment, **by_hand, "JANITOR_CONFIG": file})
    document = settings.read(file) if file else {}
    deploy = deploy_table.check(document, file, now)
    deploy_table.check_given(deploy, document, file)
    deploy = msgspec.structs.replace(deploy, state_bucket=_state(deploy, configured, file))
    folder_id = deploy.folder_id or configured.folder_id
    if not folder_id:
        raise SettingsError(
            "deploy.folder_id is not set; it must say which folder to deploy to.", where="deploy.folder_id"
        )
    if configured.mode == "plan" and not deploy.state_bucket:
        raise SettingsError(
            "mode is plan, and state_bucket is not set; plans must be kept somewhere.",
            where="deploy.state_bucket",
        )
    spoken = {
        key.variable for key in settings.KEYS.values() if environment.get(key.variable or "", "").strip()
    }
    return Config(deploy, configured, folder_id, tuple(sorted(filter(None, spoken - {*HERE}))))


def _state(deploy: Deploy, configured: Settings, file: str) -> str | None:
    """Where the functions keep their state. Raises SettingsError when two places are named."""
    if deploy.state_bucket and configured.state_bucket not in (None, deploy.state_bucket):
        raise SettingsError(
            f"state_bucket and deploy.state_bucket in {file} name two places; leave one out.",
            where="deploy.state_bucket",
        )
    return deploy.state_bucket or configured.state_bucket


def function_settings(config: Config) -> bytes:
    """The settings as the functions get them: a TOML file without the table. Where the state is, their
    environment says.
    """
    given = msgspec.structs.replace(config.settings, state_dir=None, state_bucket=None)
    return tomli_w.dumps(_without_none(msgspec.to_builtins(given))).encode()


def secret_of(reference: str) -> tuple[str, str]:
    """The Lockbox secret's id and the key that a reference names."""
    secret_id, _, key = reference.partition("/")
    return secret_id, key


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return [_without_none(inner) for inner in value] if isinstance(value, list) else value
