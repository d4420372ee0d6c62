"""What is wrong with a value that a key does not take, as the rest of a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from shared.errors import short

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


def _takes(convert: Convert, value: Any) -> bool:
    try:
        convert(value)
    except msgspec.ValidationError:
        return False
    return True
