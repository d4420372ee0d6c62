"""The ``[deploy]`` table of the TOML file, and what is wrong with one.

The functions have no use for it, but whoever reads the file checks it as a whole.
"""

from __future__ import annotations

import re
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from shared.errors import SettingsError, key_of, short
from shared.settings import cron, variables
from shared.settings.settings import FILE, KEYS, Id, Place
from shared.settings.wrong_values import unknown_key, wrong_value

WEBHOOK_SECRET = "WEBHOOK_SECRET"  # noqa: S105 - the name of a variable
WEBHOOK_BYTES = len("WEBHOOK_SECRET" + "whsec_") + 44 + len("WEBHOOK_URL") + 64
MOST_ENVIRONMENT = 4096
SECONDS = r"^(?:[1-9][0-9]{0,2}|[12][0-9]{3}|3[0-5][0-9]{2}|3600)s$(?!\n)"
RESERVED = re.compile(
    r"_HANDLER|AWS_LAMBDA_RUNTIME_API|LAMBDA_.*|PATH|LD_LIBRARY_PATH|JANITOR_CONFIG|LOG_LEVEL|STATE_DIR"
    r"|STATE_BUCKET|DEPLOYED_SETTINGS"
)
SECRET = ("SA_KEY", "IAM_TOKEN", WEBHOOK_SECRET)

Variable = Annotated[str, Meta(pattern=r"^[a-zA-Z][a-zA-Z0-9_]{0,62}$(?!\n)")]
Level = Literal["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]


class Deploy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ``[deploy]`` table.

    ``secrets`` are ``<id of a Lockbox secret>/<key>`` by the variable that gets the value.
    """

    name: Annotated[str, Meta(pattern=r"^[a-z][-a-z0-9]{1,28}[a-z0-9]$(?!\n)")] = "registry-janitor"
    folder_id: Id | None = None
    schedule: str = cron.EXAMPLE
    memory_mb: Annotated[int, Meta(ge=128, le=8192, multiple_of=128)] = 256
    timeout: Annotated[str, Meta(pattern=SECONDS)] = "600s"
    state_bucket: Place | None = None
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
    "state_bucket": KEYS["state_bucket"].accepts,
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
MAPPINGS = {
    "environment": "a text, for a variable whose name is letters, digits and underscores",
    "secrets": '"<id of a Lockbox secret>/<key>"',
}


def check(document: dict[str, Any], file: str, now: datetime | None = None) -> Deploy:
    """The ``[deploy]`` table of a TOML document; before ``now`` its schedule must not have ended.

    Raises SettingsError.
    """
    deploy = _table(document.get("deploy", {}), file)
    _check_schedule(deploy, file, now)
    _check_variables(deploy, variables.named(document), file)
    _check_size(deploy)
    return deploy


def function_environment(deploy: Deploy) -> dict[str, str]:
    state = {"STATE_BUCKET": deploy.state_bucket} if deploy.state_bucket else {}
    return {"JANITOR_CONFIG": FILE, "LOG_LEVEL": deploy.log_level, **state, **deploy.environment}


def _table(table: Any, file: str) -> Deploy:
    try:
        return _convert(table)
    except msgspec.ValidationError as error:
        unknown = re.search(r"unknown field `(.*?)`", str(error), re.DOTALL)
        if unknown:
            raise SettingsError(
                f"deploy.{unknown[1]} in {file} {unknown_key(unknown[1], ACCEPTS)}", where="deploy"
            ) from None
        key = key_of(str(error))
        if not key:
            raise SettingsError(f"deploy in {file} must be a table of keys.", where="deploy") from None
        raise _wrong(key, table[key], file) from None


def _wrong(key: str, value: Any, file: str) -> SettingsError:
    if isinstance(value, dict) and key in MAPPINGS:
        name, value = next(row for row in value.items() if not _fits({key: dict([row])}))
        said = f"deploy.{key}.{name} in {file} is {short(value)}; give {MAPPINGS[key]}."
    else:
        wrong = wrong_value(value, ACCEPTS[key], lambda other: _convert({key: other}))
        said = f"deploy.{key} in {file} {wrong}."
    return SettingsError(said, where=f"deploy.{key}")


def _convert(table: dict[str, Any]) -> Deploy:
    return msgspec.convert(table, Deploy)


def _fits(table: dict[str, Any]) -> bool:
    try:
        _convert(table)
    except msgspec.ValidationError:
        return False
    return True


def _check_schedule(deploy: Deploy, file: str, now: datetime | None) -> None:
    shown = f'deploy.schedule in {file} is "{deploy.schedule[:120]}"'
    try:
        schedule = cron.parse(deploy.schedule)
    except ValueError as error:
        raise SettingsError(f"{shown}: it {error}.", where="deploy.schedule") from None
    if now and not list(islice(schedule.runs(now), 1)):
        raise SettingsError(
            f"{shown}, which never comes again; name days that will come.", where="deploy.schedule"
        )


def _check_variables(deploy: Deploy, named: set[str], file: str) -> None:
    """Refuses variables that the functions must not get this way."""
    keys = {key.variable: name for name, key in KEYS.items() if key.variable}
    for name in (*deploy.environment, *deploy.secrets):
        if name in keys:
            raise _refused(name, file, f"say {keys[name]} in {file} instead")
        if RESERVED.fullmatch(name):
            raise _refused(name, file, "it is set by the deployment or by the cloud; leave it out")
    variables.refuse_misspelt({*deploy.environment, *deploy.secrets} - named, f"The [deploy] table of {file}")
    for name in deploy.environment:
        if name in SECRET or name in deploy.secrets:
            raise _refused(
                name, file, f"a secret belongs into Lockbox: say deploy.secrets.{name}, and only that"
            )


def check_given(deploy: Deploy, document: dict[str, Any], file: str) -> None:
    """Refuses a table that does not give the functions a variable which the file names elsewhere."""
    for name in sorted(variables.named(document) - deploy.environment.keys() - deploy.secrets.keys()):
        raise SettingsError(
            f"{file} names the variable {name}, which the functions do not get; say deploy.secrets.{name} ="
            ' "<id of a Lockbox secret>/<key>".',
            where="deploy.secrets",
        )


def environment_bytes(deploy: Deploy) -> int:
    """The size of the functions' environment, but for the values of secrets that are not drawn here."""
    size = sum(len(f"{name}{text}".encode()) for name, text in function_environment(deploy).items())
    size += sum(len(name) for name in deploy.secrets)
    return size + (WEBHOOK_BYTES if deploy.webhook else 0)


def _check_size(deploy: Deploy) -> None:
    size = environment_bytes(deploy)
    if size > MOST_ENVIRONMENT:
        raise SettingsError(
            f"deploy.environment: the functions' environment has {size} bytes; the cloud takes"
            f" {MOST_ENVIRONMENT} at most, the values of secrets included.",
            where="deploy.environment",
        )


def _refused(name: str, file: str, remedy: str) -> SettingsError:
    return SettingsError(
        f"The [deploy] table of {file} sets {name}; {remedy}.", where=f"deploy.environment.{name}"
    )
