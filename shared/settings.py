"""The settings: the environment first, then the TOML file at ``JANITOR_CONFIG``, then the defaults.

Everything is checked before any call is made; what is wrong is one sentence that names the variable or the key,
the file, and what would be accepted.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from shared.errors import SettingsError

Share = Annotated[float, Meta(ge=0, le=1)]
Source = Literal["serverless-containers", "compute", "instance-groups", "kubernetes"]
SOURCES: tuple[Source, ...] = get_args(Source)
Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,50}$(?!\n)")]


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
    keep_tags: list[Annotated[str, Meta(min_length=1)]] = []
    grace: Annotated[str, Meta(pattern=r"^[0-9]{1,7}[hdw]$(?!\n)")] = "0h"


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    per_gb_month: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    currency: Annotated[str, Meta(min_length=1, max_length=8)] = "RUB"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the TOML file may say, and what the environment says of the same."""

    folder_id: Id | None = None
    registries: list[Id] = []
    mode: Literal["dry-run", "apply"] = "dry-run"
    lifecycle_policies: LifecyclePolicies = LifecyclePolicies()
    limits: Limits = Limits()
    guards: Guards = Guards()
    state_dir: Annotated[str, Meta(min_length=1)] | None = None
    price: Price = Price()
    allow_overrides: list[str] = []


class Access(msgspec.Struct, frozen=True):
    """What only the environment says: credentials, endpoints, the log level. Never part of a report."""

    sa_key: str = ""
    sa_key_file: str = ""
    sa_key_secret_id: str = ""
    iam_token: str = ""
    api_endpoint: str = ""
    registry_endpoint: str = ""
    storage_endpoint: str = ""
    metadata_address: str = "169.254.169.254"
    log_level: str = "INFO"


class _Key(msgspec.Struct, frozen=True):
    variable: str | None
    kind: Literal["text", "list", "whole", "number"]
    accepts: str


KEYS = {
    "folder_id": _Key("FOLDER_ID", "text", "the id of a folder"),
    "registries": _Key("REGISTRY_IDS", "list", "ids of registries"),
    "mode": _Key("CLEANUP_MODE", "text", "dry-run or apply"),
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
    "guards.keep_tags": _Key(None, "list", "regular expressions"),
    "guards.grace": _Key(None, "text", 'a duration such as "36h", "7d" or "2w", of 100 years at most'),
    "state_dir": _Key("STATE_DIR", "text", "the path of a directory"),
    "price.per_gb_month": _Key("PRICE_PER_GB_MONTH", "number", "a number from 0 to 1000000000"),
    "price.currency": _Key("CURRENCY", "text", "a currency's code, such as RUB"),
    "allow_overrides": _Key(None, "list", "keys of this file that an event may set"),
}
BUNDLE = Path(__file__).resolve().parents[1]
LONGEST_DURATION = timedelta(days=36_525)
LOG_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")


def load(environment: Mapping[str, str]) -> Settings:
    """The settings of this environment and its file. Raises SettingsError."""
    file = environment.get("JANITOR_CONFIG", "")
    document = _read(file) if file else {}
    document.pop("deploy", None)  # the table of `shared.deploy.config`
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
    if not settings.folder_id and not settings.registries:
        raise SettingsError(
            "Neither FOLDER_ID nor REGISTRY_IDS is set; one of them must say what to clean.",
            where="FOLDER_ID",
        )
    return settings


def check(document: dict[str, Any], spoken: Any) -> Settings:
    """``document`` as Settings; ``spoken`` says for a key where its value was written. Raises SettingsError."""
    document = _single(_single(document, "lifecycle_policies", "apply", "active"), "guards", "in_use", "none")
    try:
        settings = msgspec.convert(document, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(_sentence(str(error), document, spoken), where=_where(str(error))) from None
    _check_guards(settings.guards, spoken)
    for name in settings.allow_overrides:
        if name not in KEYS or name == "allow_overrides":
            raise SettingsError(
                f"{spoken('allow_overrides')} lists {name!r}, which is no key that an event could set; {_known(name, KEYS)}",
                where="allow_overrides",
            )
    return settings


def _check_guards(guards: Guards, spoken: Any) -> None:
    if duration(guards.grace) > LONGEST_DURATION:
        raise SettingsError(
            f"{spoken('guards.grace')} is {_short(guards.grace)}; give {KEYS['guards.grace'].accepts}.",
            where="guards.grace",
        )
    for text in guards.keep_tags:
        try:
            pattern(text)
        except ValueError as error:
            raise SettingsError(
                f"{spoken('guards.keep_tags')} has {_short(text)}, which is no regular expression: {error}.",
                where="guards.keep_tags",
            ) from None


def access(environment: Mapping[str, str]) -> Access:
    """Credentials, endpoints and log level. Raises SettingsError."""

    def text(name: str) -> str:
        return environment.get(name, "").strip()

    level = text("LOG_LEVEL").upper() or "INFO"
    if level not in LOG_LEVELS:
        raise SettingsError(
            f"LOG_LEVEL is {_short(level)}; give one of {', '.join(LOG_LEVELS)}.", where="LOG_LEVEL"
        )
    address = text("YC_METADATA_ADDR") or Access().metadata_address
    if not re.fullmatch(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?", address):
        raise SettingsError(
            f"YC_METADATA_ADDR is {_short(address)}; give a host, or host:port.", where="YC_METADATA_ADDR"
        )
    token = text("IAM_TOKEN")
    if not re.fullmatch(r"[!-~]*", token):
        raise SettingsError("IAM_TOKEN is no token; give what yc iam create-token prints.", where="IAM_TOKEN")
    return Access(
        sa_key=text("SA_KEY"),
        sa_key_file=text("SA_KEY_FILE"),
        sa_key_secret_id=text("SA_KEY_SECRET_ID"),
        iam_token=token,
        api_endpoint=_url(environment, "YC_API_ENDPOINT"),
        registry_endpoint=_url(environment, "YC_REGISTRY_ENDPOINT"),
        storage_endpoint=_url(environment, "YC_STORAGE_ENDPOINT"),
        metadata_address=address,
        log_level=level,
    )


def _url(environment: Mapping[str, str], name: str) -> str:
    url = environment.get(name, "").strip().rstrip("/")
    if url and not _is_base(url):
        raise SettingsError(
            f"{name} is not a base URL; give one such as https://api.example.net.", where=name
        )
    return url


def _is_base(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0
            and "@" not in url
            and "?" not in url
        )
    except ValueError:
        return False


@cache
def duration(text: str) -> timedelta:
    """The time that a duration such as ``36h``, ``7d`` or ``2w`` stands for."""
    return (
        int(text[:-1]) * {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}[text[-1]]
    )


@cache
def pattern(text: str) -> Any:
    """The compiled regular expression of a setting, of the regex package. Raises ValueError."""
    import regex  # imported here: most settings have no pattern

    try:
        return regex.compile(text)
    except regex.error as error:
        raise ValueError(str(error)) from None


def _read(file: str) -> dict[str, Any]:
    import tomllib  # imported here: most functions have no file

    try:
        path = Path(file)
        if not path.exists():
            path = BUNDLE / file  # where a deployment puts it, whatever the working directory
        return tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise SettingsError(
            f"JANITOR_CONFIG names {file}, which cannot be read: {error.strerror}.", where="JANITOR_CONFIG"
        ) from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file} is not UTF-8; save it as UTF-8.", where="JANITOR_CONFIG") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not TOML: {error}.", where="JANITOR_CONFIG") from None
    except RecursionError:
        raise SettingsError(
            f"{file} is TOML nested too deeply to be settings.", where="JANITOR_CONFIG"
        ) from None


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
            f"{key.variable} is {_short(text)}; give {key.accepts}.", where=key.variable or ""
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


def _where(error: str) -> str:
    found = re.search(r"`\$\.?([\w.]*)", error)
    return found[1] if found else ""


def _sentence(error: str, document: dict[str, Any], spoken: Any) -> str:
    name = _where(error)
    unknown = re.search(r"unknown field `(.*?)`", error, re.DOTALL)
    if unknown:
        name = f"{name}.{unknown[1]}" if name else unknown[1]
        return f"{spoken(name)} is not a known key; {_known(name, KEYS)}"
    value: Any = document
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else value
    if name in KEYS:
        return f"{spoken(name)} is {_short(value)}; give {KEYS[name].accepts}."
    return f"{spoken(name)} is {_short(value)}; give a table of keys."


def _known(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"the keys are {', '.join(known)}."


def _short(value: Any) -> str:
    text = (
        value
        if isinstance(value, str)
        else ", ".join(map(str, value))
        if isinstance(value, list)
        else repr(value)
    )
    return f'"{text[:60]}…"' if len(text) > 60 else f'"{text}"'
