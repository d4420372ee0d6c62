"""Variables of the environment that nearly have the name of one of ours: a slip that would leave a setting
unsaid.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from shared.auth.environment import VARIABLES
from shared.errors import SettingsError

SHORTEST = 8
NEAR = 0.88
FOREIGN = {"LOGLEVEL"}  # of many a program


def refuse_misspelt(names: Iterable[str], who: str = "The environment", known: Iterable[str] = ()) -> None:
    """Raises SettingsError for a name that is nearly one of ``known`` or of `shared.auth.environment`.

    Nearly: in any case, two characters longer or shorter at most, and with most of the others in their order.
    Short names, and those with a number at the end, are nearly everything.
    """
    ours = {*VARIABLES, *known}
    for name in names:
        if len(name) < SHORTEST or name in ours or name in FOREIGN or name[-1].isdigit():
            continue
        alike = [
            variable for variable in ours if len(variable) >= SHORTEST and abs(len(variable) - len(name)) <= 2
        ]
        near = difflib.get_close_matches(name.upper(), alike, n=1, cutoff=NEAR)
        if near:
            raise SettingsError(
                f"{who} sets {name}, which is not a known variable; did you mean {near[0]}?", where=name
            )


def named(value: Any) -> set[str]:
    """The variables that keys such as ``url_env`` name anywhere in a TOML document."""
    if isinstance(value, list):
        return set().union(*map(named, value))
    if not isinstance(value, dict):
        return set()
    names = {text for key, text in value.items() if key.endswith("_env") and isinstance(text, str)}
    return names.union(*map(named, value.values()))
