"""What an event may change of the settings: it may narrow them, and widen only what ``allow_overrides``
lists.

``narrow`` compares key by key. Two keys can be judged only after a call to the cloud (does a named
registry lie in the folder? is a named policy ACTIVE?): for them ``Narrowed.permitted`` keeps the settings as
they were.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from shared.errors import EventError, OverrideRefused, SettingsError, known
from shared.retention.moments import duration
from shared.settings.settings import KEYS, check
from shared.settings.settings import Settings as Settings

DEEPEST = 4
MODES = ("dry-run", "plan", "apply")


class Narrowed(msgspec.Struct, frozen=True):
    """``settings`` as an event wants them, ``permitted`` as far as it may have its way, ``configured``
    without it.
    """

    settings: Settings
    permitted: Settings
    configured: Settings


def _subset(new: list[str] | str, old: list[str] | str) -> bool:
    return set([new] if isinstance(new, str) else new) <= set([old] if isinstance(old, str) else old)


NARROWER: dict[str, Callable[[Any, Any], bool]] = {
    "folder_id": lambda new, old: new == old,
    "services": lambda new, old: bool(new) and _subset(new, old),
    "registries": lambda new, old: bool(new) and (not old or _subset(new, old)),
    "mode": lambda new, old: MODES.index(new) <= MODES.index(old),
    "lifecycle_policies.apply": lambda new, old: "active" in old or _subset(new, old),
    "limits.max_deletions": lambda new, old: new <= old,
    "limits.max_share": lambda new, old: new <= old,
    "limits.concurrency": lambda new, old: new <= old,
    "guards.in_use": lambda new, old: old == "none" or (new != "none" and _subset(old, new)),
    "guards.index_children": lambda new, old: new or not old,
    "guards.referrers": lambda new, old: new or not old,
    "guards.keep_tags": lambda new, old: _subset(old, new),
    "guards.grace": lambda new, old: duration(new) >= duration(old),
    "allow_new_creation_times": lambda new, old: old or not new,
    "plans.valid_for": lambda new, old: duration(new) <= duration(old),
}


def narrow(settings: Settings, overrides: dict[str, Any]) -> Narrowed:
    """``settings`` with ``overrides`` (keys as in the TOML file, nested or dotted).

    Raises EventError for a value of the wrong kind, OverrideRefused for one that widens.
    """
    requested = _flat(overrides)
    for name in requested:
        if name not in KEYS:
            raise OverrideRefused(
                f"The event sets {name[:100]}, which is not a setting that an event can change;"
                f" {known(name[:100], KEYS)}",
                where="event",
            )
    new = _applied(settings, requested)
    allowed = {name: value for name, value in requested.items() if name in settings.allow_overrides}
    permitted = _applied(settings, allowed)
    for name in requested:
        narrower = NARROWER.get(name, lambda new, old: bool(new == old))
        if not narrower(_value(new, name), _value(permitted, name)):
            raise OverrideRefused(
                f"The event sets {name} beyond what the settings allow; "
                f"change the setting, or list {name} in allow_overrides.",
                where="event",
            )
    return Narrowed(new, permitted, settings)


def _applied(settings: Settings, requested: dict[str, Any]) -> Settings:
    document = msgspec.to_builtins(settings)
    for name, value in requested.items():
        *sections, last = name.split(".")
        target = document
        for section in sections:
            target = target[section]
        target[last] = value
    try:
        return check(document, lambda name: f"{name} in the event")
    except SettingsError as error:
        raise EventError(str(error), where="event") from None


def _flat(overrides: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    if prefix.count(".") > DEEPEST:
        raise EventError("The event nests its keys deeper than any setting is.", where="event")
    flat: dict[str, Any] = {}
    for key, value in overrides.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _value(settings: Settings, name: str) -> Any:
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value
