"""The settings that a version was made with, as a variable of it keeps them: the cloud shows nobody the
archive of a version. Pure.

The variable is for ./deploy.sh and for people; the functions read ``janitor.toml``. It is a JSON object:
settings by their dotted keys, those alone that differ from the defaults, and ``sources``, a hash of the
program. A long value, a rule and a channel are hashes too: what changed is known of them, and not how.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from shared.deploy.api import Version
from shared.settings import settings
from shared.settings.settings import Settings

VARIABLE = "DEPLOYED_SETTINGS"
SOURCES, ALL = "sources", "all settings"
LONGEST, MOST = 60, 1200
NOT_SET = "not set"
STATE = ("state_dir", "state_bucket")  # the deployment says where it is


def record(given: Settings, archive: bytes, room: int) -> str:
    """The variable's value, of ``room`` bytes at most; "" where that is too little."""
    usual = _flat(msgspec.to_builtins(Settings()))
    flat = {
        key: value
        for key, value in _flat(msgspec.to_builtins(given)).items()
        if key == "mode" or (value != usual.get(key) and key not in STATE)
    }
    whole = {SOURCES: _sources(archive), **{key: _short(key, value) for key, value in flat.items()}}
    least = {SOURCES: whole[SOURCES], ALL: _hash(flat)}
    for fields in (whole, _together(whole, flat), least):
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        if len(text.encode()) <= min(MOST, room):
            return text
    return ""


def of(version: Version) -> str:
    """The record of a version; "" when it has none."""
    return version.environment.get(VARIABLE, "")


def changes(before: str | None, after: str) -> Iterator[str]:
    """A line for each setting that is another one; before is None for the first version."""
    there, wanted = _read(before or "{}"), _read(after)
    if before == "":
        yield "settings: the version before does not say what its own were"
        there = wanted
    usual = _flat(msgspec.to_builtins(Settings()))
    for key in sorted({*there, *wanted} - {SOURCES}):
        old, new = there.get(key, usual.get(key)), wanted.get(key, usual.get(key))
        if before is None:
            yield f"{key}: {_shown(new)}"
        elif old != new:
            yield f"{key}: {_change(old, new)}"
    if before and there.get(SOURCES) != wanted.get(SOURCES):
        yield "the program: another version of its sources"


def _flat(value: dict[str, Any], path: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, inner in value.items():
        key = f"{path}{name}"
        if isinstance(inner, dict):
            flat |= _flat(inner, f"{key}.")
        elif name == "rules" and not path:
            flat |= {f"rules.{rule['name']}": rule for rule in inner}
        elif inner not in (None, []):
            flat[key] = inner
    return flat


def _short(key: str, value: Any) -> Any:
    is_long = len(json.dumps(value, ensure_ascii=False)) > LONGEST
    return _hash(value) if is_long or key == "notify" or key.startswith("rules.") else value


def _together(whole: Mapping[str, Any], flat: Mapping[str, Any]) -> dict[str, Any]:
    """The record with all rules as one."""
    rules = {key: value for key, value in flat.items() if key.startswith("rules.")}
    return {key: value for key, value in whole.items() if key not in rules} | {"rules": _hash(rules)}


def _hash(value: Any) -> dict[str, str]:
    return {"sha256": hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:8]}


def _sources(archive: bytes) -> str:
    """A hash of what is in the archive, its settings aside."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        checks = {entry.filename: entry.CRC for entry in opened.infolist() if entry.filename != settings.FILE}
    return str(_hash(checks)["sha256"])


def _read(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}


def _change(old: Any, new: Any) -> str:
    if isinstance(old, dict) or isinstance(new, dict):
        return "set" if old is None else "no longer set" if new is None else "changed"
    return f"{_shown(old)} -> {_shown(new)}"


def _shown(value: Any) -> str:
    if value is None:
        return NOT_SET
    if isinstance(value, dict):
        return "set"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return json.dumps(value) if isinstance(value, bool) else str(value)
