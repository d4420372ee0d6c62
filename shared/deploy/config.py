"""What is to be deployed: the ``[deploy]`` table, beside the settings that the functions get.

Settings come as everywhere, the environment first, then the TOML file. The table is for the deployment alone: the
functions get the settings without it, as ``janitor.toml`` in their archive. All of this is checked before any call.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import tomli_w
from msgspec import Meta

from shared import settings
from shared.deploy import cron
from shared.errors import SettingsError
from shared.settings import Id, Settings
from shared.wording import key_of, known, short

FILE = "janitor.toml"
MOUNT_NAME = "state"
MOUNT = f"/function/storage/{MOUNT_NAME}"
WEBHOOK_SECRET = "WEBHOOK_SECRET"  # noqa: S105 - the name of a variable
WEBHOOK_BYTES = len("WEBHOOK_SECRET" + "whsec_") + 44 + len("WEBHOOK_URL") + 64
MOST_ENVIRONMENT = 4096
MIB = 2**20
SECONDS = r"^(?:[1-9][0-9]{0,2}|[12][0-9]{3}|3[0-5][0-9]{2}|3600)s$(?!\n)"
RESERVED = re.compile(
    r"_HANDLER|AWS_LAMBDA_RUNTIME_API|LAMBDA_.*|PATH|LD_LIBRARY_PATH|JANITOR_CONFIG|LOG_LEVEL|STATE_DIR"
)
SECRET = ("SA_KEY", "IAM_TOKEN", WEBHOOK_SECRET)

Variable = Annotated[str, Meta(pattern=r"^[a-zA-Z][a-zA-Z0-9_]{0,62}$(?!\n)")]
Level = Literal["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]


class Deploy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ``[deploy]`` table. ``secrets`` are ``<id of a Lockbox secret>/<key>`` by the variable that gets the value."""

    name: Annotated[str, Meta(pattern=r"^[a-z][-a-z0-9]{1,28}[a-z0-9]$(?!\n)")] = "registry-janitor"
    folder_id: Id | None = None
    schedule: str = cron.EXAMPLE
    memory_mb: Annotated[int, Meta(ge=128, le=8192, multiple_of=128)] = 256
    timeout: Annotated[str, Meta(pattern=SECONDS)] = "600s"
    state_bucket: Annotated[str, Meta(pattern=r"^[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]$(?!\n)")] | None = None
    webhook: bool = False
    registry_trigger: bool = False
    network_id: Id | None = None
    log_group_id: Id | None = None
    log_level: Level = "INFO"
    retries: Annotated[int, Meta(ge=0, le=5)] = 1
    dead_letter_queue: Annotated[str, Meta(min_length=1)] | None = None
    environment: dict[Variable, str] = {}
    secrets: dict[
        Variable, Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,50}/[-_./\\@0-9a-zA-Z]{1,256}$(?!\n)")]
    ] = {}


ACCEPTS = {
    "name": "3 to 30 lowercase letters, digits and hyphens, a letter first",
    "folder_id": "the id of a folder",
    "schedule": f'a cron expression in UTC, such as "{cron.EXAMPLE}"',
    "memory_mb": "a multiple of 128 from 128 to 8192",
    "timeout": 'seconds from "1s" to "3600s"',
    "state_bucket": "the name of a bucket",
    "webhook": "true or false",
    "registry_trigger": "true or false",
    "network_id": "the id of a network",
    "log_group_id": "the id of a log group",
    "log_level": "one of TRACE, DEBUG, INFO, WARN, ERROR, FATAL",
    "retries": "a whole number from 0 to 5",
    "dead_letter_queue": "the ARN of a standard queue",
    "environment": "texts by the names of variables",
    "secrets": '"<id of a Lockbox secret>/<key>" by the names of variables',
}


class Config(msgspec.Struct, frozen=True):
    """A deployment: its table, the settings of its functions, and the folder that it is made in.

    ``variables`` are those of the environment that had a say in the settings.
    """

    deploy: Deploy
    settings: Settings
    folder_id: str
    variables: tuple[str, ...] = ()

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
    file = file or environment.get("JANITOR_CONFIG") or (FILE if Path(FILE).exists() else "")
    file = str(Path(file).absolute()) if file else ""
    found = settings.load({**environment, "JANITOR_CONFIG": file, "STATE_DIR": MOUNT})
    document = tomllib.loads(Path(file).read_text(encoding="utf-8")) if file else {}
    deploy = _table(document.get("deploy", {}), file)
    _check_schedule(deploy, file, now)
    check_variables(deploy, document, file)
    folder_id = deploy.folder_id or found.folder_id
    if not folder_id:
        raise SettingsError(
            "deploy.folder_id is not set; it must say which folder to deploy to.", where="deploy.folder_id"
        )
    if found.mode == "plan" and not deploy.state_bucket:
        raise SettingsError(
            "mode is plan, and deploy.state_bucket is not set; plans must be kept somewhere.",
            where="deploy.state_bucket",
        )
    spoken = {
        key.variable for key in settings.KEYS.values() if environment.get(key.variable or "", "").strip()
    }
    return Config(deploy, found, folder_id, tuple(sorted(filter(None, spoken - {"STATE_DIR"}))))


def function_settings(config: Config) -> bytes:
    """The settings as the functions get them: a TOML file without the table, the state directory being the mount."""
    state_dir = MOUNT if config.deploy.state_bucket else None
    given = msgspec.structs.replace(config.settings, state_dir=state_dir)
    return tomli_w.dumps(_without_none(msgspec.to_builtins(given))).encode()


def function_environment(deploy: Deploy) -> dict[str, str]:
    return {"JANITOR_CONFIG": FILE, "LOG_LEVEL": deploy.log_level, **deploy.environment}


def secret_of(reference: str) -> tuple[str, str]:
    """The Lockbox secret's id and the key that a reference names."""
    secret_id, _, key = reference.partition("/")
    return secret_id, key


def _table(table: Any, file: str) -> Deploy:
    try:
        return msgspec.convert(table, Deploy)
    except msgspec.ValidationError as error:
        unknown = re.search(r"unknown field `(.*?)`", str(error), re.DOTALL)
        if unknown:
            raise SettingsError(
                f"deploy.{unknown[1]} in {file} is not a known key; {known(unknown[1], ACCEPTS)}",
                where="deploy",
            ) from None
        key = key_of(str(error))
        if not key:
            raise SettingsError(f"deploy in {file} must be a table of keys.", where="deploy") from None
        raise _wrong(key, table[key], file) from None


def _wrong(key: str, value: Any, file: str) -> SettingsError:
    return SettingsError(
        f"deploy.{key} in {file} is {short(value)}; give {ACCEPTS[key]}.", where=f"deploy.{key}"
    )


def _check_schedule(deploy: Deploy, file: str, now: datetime) -> None:
    shown = f'deploy.schedule in {file} is "{deploy.schedule[:120]}"'
    try:
        schedule = cron.parse(deploy.schedule)
    except ValueError as error:
        raise SettingsError(f"{shown}: it {error}.", where="deploy.schedule") from None
    if not list(islice(schedule.runs(now), 1)):
        raise SettingsError(
            f"{shown}, which never comes again; name days that will come.", where="deploy.schedule"
        )


def check_variables(deploy: Deploy, document: dict[str, Any], file: str) -> None:
    """Refuses variables that the functions must not get this way, lacks those that they need, and has too many."""
    keys = {key.variable: name for name, key in settings.KEYS.items() if key.variable}
    for name in (*deploy.environment, *deploy.secrets):
        if name in keys:
            raise _refused(name, file, f"say {keys[name]} in {file} instead")
        if RESERVED.fullmatch(name):
            raise _refused(name, file, "it is set by the deployment or by the cloud; leave it out")
    for name in deploy.environment:
        if name in SECRET or name in deploy.secrets:
            raise _refused(
                name, file, f"a secret belongs into Lockbox: say deploy.secrets.{name}, and only that"
            )
    for name in sorted(_named_variables(document) - deploy.environment.keys() - deploy.secrets.keys()):
        raise SettingsError(
            f"{file} names the variable {name}, which the functions do not get; say deploy.secrets.{name} ="
            ' "<id of a Lockbox secret>/<key>".',
            where="deploy.secrets",
        )
    _check_size(deploy)


def _check_size(deploy: Deploy) -> None:
    size = sum(len(f"{name}{text}".encode()) for name, text in function_environment(deploy).items())
    size += sum(len(name) for name in deploy.secrets)
    size += WEBHOOK_BYTES if deploy.webhook else 0
    if size > MOST_ENVIRONMENT:
        raise SettingsError(
            f"deploy.environment: the functions' environment has {size} bytes; the cloud takes {MOST_ENVIRONMENT} at"
            " most, the values of secrets included.",
            where="deploy.environment",
        )


def _refused(name: str, file: str, remedy: str) -> SettingsError:
    return SettingsError(
        f"The [deploy] table of {file} sets {name}; {remedy}.", where=f"deploy.environment.{name}"
    )


def _named_variables(value: Any) -> set[str]:
    """The variables that keys such as ``url_env`` name anywhere in the file."""
    if isinstance(value, list):
        return set().union(*map(_named_variables, value))
    if not isinstance(value, dict):
        return set()
    named = {text for key, text in value.items() if key.endswith("_env") and isinstance(text, str)}
    return named.union(*map(_named_variables, value.values()))


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return [_without_none(inner) for inner in value] if isinstance(value, list) else value
