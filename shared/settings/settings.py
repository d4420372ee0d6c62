"""The settings: the environment first, then the TOML file at ``JANITOR_CONFIG``, then the defaults.

Everything is checked before any call is made; what is wrong is one sentence that names the variable or the
key, the file, and what would be accepted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from shared.auth.environment import is_base_url
from shared.errors import SettingsError, key_of, known, sentence, short
from shared.retention.matching import renew
from shared.retention.moments import DURATION, LONGEST_DURATION, duration
from shared.retention.patterns import pattern
from shared.retention.records import Service
from shared.retention.rule import Rule, Text
from shared.settings.channels import Channel, check_channels
from shared.settings.rules import check_rules
from shared.settings.variables import named, refuse_misspelt
from shared.settings.wrong_values import OF_THE_FILE, unknown_key, wrong_value

Share = Annotated[float, Meta(ge=0, le=1)]
Source = Literal["serverless-containers", "compute", "instance-groups", "kubernetes"]
SOURCES: tuple[Source, ...] = get_args(Source)
TAG = re.compile(r"[?]tag=[a-z][-_0-9a-z]*\Z")
Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,50}$(?!\n)")]

Place = Annotated[
    str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/(?!\.+(/|$))[A-Za-z0-9_.=-]{1,100}){0,8}$(?!\n)")
]


class LifecyclePolicies(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    apply: Literal["active"] | list[Annotated[str, Meta(min_length=1)]] = "active"


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    max_deletions: Annotated[int, Meta(ge=0)] = 10_000
    max_share: Share = 0.9
    concurrency: Annotated[int, Meta(ge=1, le=256)] = 16


class Guards(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    in_use: Literal["none"] | Annotated[list[Source], Meta(min_length=1)] = msgspec.field(
        default_factory=lambda: list(SOURCES)
    )
    folders: list[Id] = []
    index_children: bool = True
    referrers: bool = True
    keep_tags: list[Text] = []
    grace: Annotated[str, Meta(pattern=DURATION)] = "0h"


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    per_gb_month: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    currency: Annotated[str, Meta(min_length=1, max_length=8)] = "RUB"


class Plans(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    valid_for: Annotated[str, Meta(pattern=DURATION)] = "7d"


class Metrics(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    folder_id: Id | None = None


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the TOML file may say, and what the environment says of the same."""

    folder_id: Id | None = None
    registries: list[Id] = []
    services: Annotated[list[Service], Meta(min_length=1)] = msgspec.field(
        default_factory=lambda: list(get_args(Service))
    )
    mode: Literal["dry-run", "plan", "apply"] = "dry-run"
    lifecycle_policies: LifecyclePolicies = LifecyclePolicies()
    limits: Limits = Limits()
    guards: Guards = Guards()
    rules: list[Rule] = []
    allow_new_creation_times: bool = False
    plans: Plans = Plans()
    webhook_url: str | None = None
    state_bucket: Place | None = None
    state_dir: Annotated[str, Meta(min_length=1)] | None = None
    price: Price = Price()
    metrics: Metrics = Metrics()
    notify: list[Channel] = []
    allow_overrides: list[str] = []


class _Key(msgspec.Struct, frozen=True):
    variable: str | None
    kind: Literal["text", "list", "whole", "number"]
    accepts: str


KEYS = {
    "folder_id": _Key("FOLDER_ID", "text", "the id of a folder"),
    "registries": _Key("REGISTRY_IDS", "list", "ids of registries"),
    "services": _Key("SERVICES", "list", "container-registry, cloud-registry or both"),
    "mode": _Key("CLEANUP_MODE", "text", "dry-run, plan or apply"),
    "lifecycle_policies.apply": _Key(
        "APPLY_POLICIES", "list", "policy ids or names, or active for every ACTIVE policy"
    ),
    "limits.max_deletions": _Key("MAX_DELETIONS", "whole", "a whole number, 0 or more"),
    "limits.max_share": _Key("MAX_SHARE", "number", "a number from 0 to 1"),
    "limits.concurrency": _Key("CONCURRENCY", "whole", "a whole number from 1 to 256"),
    "guards.in_use": _Key("GUARDS_IN_USE", "list", f"some of {', '.join(SOURCES)}, or none"),
    "guards.folders": _Key(None, "list", "ids of folders"),
    "guards.index_children": _Key(None, "text", "true or false"),
    "guards.referrers": _Key(None, "text", "true or false"),
    "guards.keep_tags": _Key(None, "list", "regular expressions of 1 to 1000 characters"),
    "guards.grace": _Key(None, "text", 'a duration such as "36h", "7d" or "2w", of 100 years at most'),
    "allow_new_creation_times": _Key(None, "text", "true or false"),
    "plans.valid_for": _Key(
        None, "text", 'a duration such as "36h", "7d" or "2w", of more than none and 100 years at most'
    ),
    "webhook_url": _Key(
        "WEBHOOK_URL",
        "text",
        "the webhook's own URL, such as https://functions.yandexcloud.net/<id>?tag=live",
    ),
    "state_bucket": _Key("STATE_BUCKET", "text", 'the name of a bucket, or "bucket/prefix"'),
    "state_dir": _Key("STATE_DIR", "text", "the path of a directory"),
    "price.per_gb_month": _Key("PRICE_PER_GB_MONTH", "number", "a number from 0 to 1000000000"),
    "price.currency": _Key("CURRENCY", "text", "a currency's code, such as RUB"),
    "metrics.folder_id": _Key(None, "text", "the id of a folder"),
    "allow_overrides": _Key(None, "list", "keys of this file that an event may set"),
}
TABLES = ("rules", "notify", "deploy", *dict.fromkeys(key.partition(".")[0] for key in KEYS if "." in key))
FILE = "janitor.toml"
BUNDLE = Path(__file__).resolve().parents[2]


def file_of(file: str | None, environment: Mapping[str, str]) -> str:
    """The path of the settings file for whoever works by hand: ``file``, else that of the environment, else
    the one here.
    """
    file = file or environment.get("JANITOR_CONFIG", "").strip() or (FILE if Path(FILE).exists() else "")
    return str(Path(file).absolute()) if file else ""


def load(environment: Mapping[str, str], *, must_name_target: bool = True) -> Settings:
    """The settings of this environment and its file. Raises SettingsError.

    Settings that ``must_name_target`` name a folder or registries to clean.

    The file is checked alone first, and then with the environment's values in place of its own.
    """
    renew()  # the time that patterns may take is counted anew
    file = environment.get("JANITOR_CONFIG", "").strip()
    document = _checked_file(file) if file else {}
    set_ones = {name for name, text in environment.items() if text.strip()}
    refuse_misspelt(set_ones - named(document), known=(key.variable for key in KEYS.values() if key.variable))
    spoken = {}
    for name, key in KEYS.items():
        text = environment.get(key.variable, "").strip() if key.variable else ""
        if text:
            spoken[name] = key.variable or name
            _put(document, name, _parse(key, text))
    if "APPLY_POLICIES" in environment and "lifecycle_policies.apply" not in spoken:
        raise SettingsError(
            "APPLY_POLICIES is empty; name policies, say active, or leave it out.", where="APPLY_POLICIES"
        )
    settings = check(document, lambda name: spoken.get(name) or f"{name} in {file}")
    if must_name_target and not settings.folder_id and not settings.registries:
        raise SettingsError(
            "Neither FOLDER_ID nor REGISTRY_IDS is set; one of them must say what to clean.",
            where="FOLDER_ID",
        )
    return settings


def _checked_file(file: str) -> dict[str, Any]:
    """The settings that the file says, without its table for the deployment, both of which are right."""
    document = read(file)
    if "deploy" in document:
        from shared.settings import (
            deploy_table,  # imported here: it needs this module, and most functions have no such table
        )

        deploy_table.check(document, file)
        del document["deploy"]
    check(document, lambda name: f"{name} in {file}")
    return document


def schema() -> dict[str, Any]:
    """The JSON Schema of the TOML file."""
    made = msgspec.json.schema(Settings)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "registry-janitor", **made}


def check(document: dict[str, Any], spoken: Any) -> Settings:
    """``document`` as Settings; ``spoken`` says for a key where its value was written.

    Raises SettingsError.
    """
    document = _single(_single(document, "lifecycle_policies", "apply", "active"), "guards", "in_use", "none")
    rules = check_rules(document.get("rules", []), spoken)
    channels = check_channels(document.get("notify", []), spoken)
    try:
        settings = msgspec.convert({**document, "rules": [], "notify": []}, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(_sentence(str(error), document, spoken), where=key_of(str(error))) from None
    _check_guards(settings.guards, spoken)
    _check_plans(settings, spoken)
    if settings.state_bucket and settings.state_dir:
        raise SettingsError(
            f"{spoken('state_bucket')} and {spoken('state_dir')} are both set; the state is kept in one"
            " place, so leave one out.",
            where="state_bucket",
        )
    for name in settings.allow_overrides:
        if name not in KEYS or name == "allow_overrides":
            raise SettingsError(
                f"{spoken('allow_overrides')} lists {name!r}, which is no key that an event could set;"
                f" {known(name, KEYS)}",
                where="allow_overrides",
            )
    return msgspec.structs.replace(settings, rules=rules, notify=channels)


def _check_guards(guards: Guards, spoken: Any) -> None:
    if duration(guards.grace) > LONGEST_DURATION:
        raise SettingsError(
            f"{spoken('guards.grace')} is {short(guards.grace)}; give {KEYS['guards.grace'].accepts}.",
            where="guards.grace",
        )
    for text in guards.keep_tags:
        try:
            pattern(text)
        except ValueError as error:
            said = f"{spoken('guards.keep_tags')} has {short(text)}, which is no regular expression: {error}"
            raise SettingsError(sentence(said), where="guards.keep_tags") from None


def _check_plans(settings: Settings, spoken: Any) -> None:
    valid_for, url = settings.plans.valid_for, settings.webhook_url
    if not timedelta() < duration(valid_for) <= LONGEST_DURATION:
        raise SettingsError(
            f"{spoken('plans.valid_for')} is {short(valid_for)}; give {KEYS['plans.valid_for'].accepts}.",
            where="plans.valid_for",
        )
    if url is not None and not is_base_url(TAG.sub("", url)):
        raise SettingsError(
            f"{spoken('webhook_url')} is {short(url)}; give {KEYS['webhook_url'].accepts}.",
            where="webhook_url",
        )


def read(file: str) -> dict[str, Any]:
    """The TOML document in the file, unchecked. Raises SettingsError."""
    import tomllib  # imported here: most functions have no file

    places = dict.fromkeys((Path(file).absolute(), BUNDLE / file))  # a deployment puts it beside the code
    try:
        path = next((place for place in places if place.exists()), Path(file))
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise SettingsError(
            f"There is no settings file {file}: it was looked for at {' and at '.join(map(str, places))};"
            " name another by JANITOR_CONFIG or --config.",
            where="JANITOR_CONFIG",
        ) from None
    except (OSError, ValueError) as error:
        raise SettingsError(_unreadable(file, error), where="JANITOR_CONFIG") from None
    except RecursionError:
        raise SettingsError(
            f"{file} is TOML nested too deeply to be settings.", where="JANITOR_CONFIG"
        ) from None


def _unreadable(file: str, error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return (
            f"The settings file {file} cannot be read: {error.strerror}; name another by JANITOR_CONFIG or"
            " --config."
        )
    if isinstance(error, UnicodeDecodeError):
        return f"{file} is not UTF-8; save it as UTF-8."
    remedy = "; a text stands in quotes" if str(error).startswith("Invalid value") else ""
    return f"{file} is not TOML: {error}{remedy}."


def _parse(key: _Key, text: str) -> Any:
    try:
        if key.kind == "list":
            parts = [part.strip() for part in text.split(",")]
            if not any(parts):
                raise ValueError
            return [part for part in parts if part]
        if key.kind == "whole":
            return int(text)
        if key.kind == "number":
            return float(text)
    except ValueError:
        raise SettingsError(
            f"{key.variable} is {short(text)}; give {key.accepts}.", where=key.variable or ""
        ) from None
    return text


def _single(document: dict[str, Any], section: str, name: str, word: str) -> dict[str, Any]:
    """``document`` with a list of one ``word`` as the word alone."""
    inner = document.get(section)
    if isinstance(inner, dict) and inner.get(name) == [word]:
        return {**document, section: {**inner, name: word}}
    return document


def _put(document: dict[str, Any], name: str, value: Any) -> None:
    *sections, last = name.split(".")
    for section in sections:
        inner = document.get(section)
        document[section] = inner = dict(inner) if isinstance(inner, dict) else {}
        document = inner
    document[last] = value


def _sentence(error: str, document: dict[str, Any], spoken: Any) -> str:
    name = key_of(error)
    unknown = re.search(r"unknown field `(.*?)`", error, re.DOTALL)
    if unknown:
        place, name = name, f"{name}.{unknown[1]}" if name else unknown[1]
        if place and unknown[1] in OF_THE_FILE:
            return f"{spoken(name)} {unknown_key(unknown[1], KEYS)}"
        return f"{spoken(name)} {unknown_key(name, (*TABLES, *KEYS), in_table=False)}"
    value: Any = document
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else value
    if name not in KEYS:
        return f"{spoken(name)} is {short(value)}; give a table of keys, as in [{name}]."
    if isinstance(value, list) and spoken(name) == KEYS[name].variable:
        value = ", ".join(value)  # as the variable has it

    def convert(other: Any) -> Settings:
        wanted: dict[str, Any] = {}
        _put(wanted, name, other)
        return msgspec.convert(wanted, Settings)

    return f"{spoken(name)} {wrong_value(value, KEYS[name].accepts, convert)}."
