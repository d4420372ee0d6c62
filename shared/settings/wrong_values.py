"""What is wrong with a value that a key does not take, and with a key that there isn't, as the rest of a
sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from shared.errors import known, short

OF_THE_FILE = (
    *("folder_id", "registries", "services", "mode", "allow_new_creation_times", "webhook_url"),
    *("state_bucket", "state_dir", "allow_overrides"),
)

Convert = Callable[[Any], object]


def wrong_value(value: Any, accepts: str, convert: Convert) -> str:
    """``is <value>; give <what would be accepted>``: the same value with other quotes or in a list, if
    ``convert`` takes that. It raises msgspec.ValidationError for what it does not take.
    """
    text = value if isinstance(value, str) else ""
    if re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,9})?|true|false", text):
        try:
            if _takes(convert, msgspec.json.decode(text)):
                return f"is the text {short(text)}; give {text}, without quotes"
        except msgspec.DecodeError:  # such as 007
            pass
    if text and _takes(convert, [text]):
        return f"is the text {short(text)}; give a list, as in [{short(text)}]"
    return f"is {short(value)}; give {accepts}"


def unknown_key(name: str, names: Iterable[str], *, in_table: bool = True, of: str = "") -> str:
    """``is not a known key; ...`` with a full stop; a key of the whole file may stand below a table."""
    if in_table and name in OF_THE_FILE:
        said = f"{name} is a key of the whole file: write it above the first [table]."
    else:
        said = known(name, names)
    return f"is not a known key{of}; {said}"


def _takes(convert: Convert, value: Any) -> bool:
    try:
        convert(value)
    except msgspec.ValidationError:
        return False
    return True
