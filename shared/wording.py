"""How a wrong setting is told: what was written, shortened, and what would be known."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any


def known(name: str, names: Iterable[str]) -> str:
    """The nearest of the known names, or all of them."""
    names = list(names)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"the keys are {', '.join(names)}."


def key_of(error: str) -> str:
    """The key, dotted, that a msgspec.ValidationError is about; "" for the whole document."""
    found = re.search(r"`\$\.?([\w.]*)", error)
    return found[1] if found else ""


def printable(text: str) -> str:
    """``text`` with whatever is not printable, line breaks too, replaced."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def short(value: Any) -> str:
    """``value`` in quotes, cut after 60 characters."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else value
    text = text if isinstance(text, str) else repr(text)
    text = printable(text[:61])
    return f'"{text[:60]}…"' if len(text) > 60 else f'"{text}"'
