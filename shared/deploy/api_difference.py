"""The difference between the body of a call and what the API answers. Pure.

Answers leave out what is empty, false or zero, and write 64-bit numbers as texts (proto3 JSON).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def present(value: Any) -> Any:
    """``value`` without the members that must be absent."""
    if isinstance(value, dict):
        return {key: present(inner) for key, inner in value.items() if inner is not None}
    return value


def changes(wanted: Any, there: Any, path: str = "") -> Iterator[str]:
    """A line for every member of ``wanted`` that is not the same ``there``.

    Answers leave out what is empty or zero, and write whole numbers as texts: those count as the same.
    """
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            inner = there.get(key) if isinstance(there, dict) else None
            yield from changes(value, inner, f"{path}.{key}" if path else key)
    elif isinstance(wanted, list) and isinstance(there, list) and len(wanted) == len(there):
        for number, (value, inner) in enumerate(zip(wanted, there, strict=True), 1):
            yield from changes(value, inner, f"{path}.{number}")
    elif _plain(wanted) != _plain(there):
        yield f"{path}: {_shown(wanted)}" if there is None else f"{path}: {_shown(there)} -> {_shown(wanted)}"


def _plain(value: Any) -> Any:
    """``value`` in the form in which an answer and a body can be compared."""
    if isinstance(value, dict):
        members = {key: _plain(inner) for key, inner in value.items()}
        return {key: inner for key, inner in members.items() if inner != ""} or ""
    if isinstance(value, list):
        return [_plain(inner) for inner in value] if any(_plain(inner) != "" for inner in value) else ""
    return "" if value in (None, "", 0, "0", False) else str(value)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        members = {key: inner for key, inner in value.items() if _plain(inner) != ""}
        return ", ".join(f"{key}={_shown(inner)}" for key, inner in members.items()) or "none"
    if isinstance(value, list):
        return "; ".join(map(_shown, value)) or "none"
    return '""' if value == "" else "none" if value is None else str(value)
