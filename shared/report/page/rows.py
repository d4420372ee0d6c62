"""The images of a report as the page's script takes them: compact, whatever is strange in them already
visible.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.report.page.words import visible

FIRST = 100
ORDER = ("failed", "remaining", "would-delete", "deleted", "already-gone", "protected")

Packed = tuple[str, int, list[str], str, str, int, int, int, int, int]


class Rows(msgspec.Struct, frozen=True):
    """``first`` are as the page shows them without its script; ``data`` is for the script; ``left_out`` found
    no room.
    """

    first: list[dict[str, Any]]
    data: dict[str, Any]
    total: int
    left_out: int
    outcomes: dict[str, int]
    repositories: dict[str, int]


class Texts:
    """Texts that many rows share, each once. A row holds a text's place."""

    def __init__(self) -> None:
        self.texts: list[str] = [""]
        self._places: dict[str, int] = {"": 0}

    def place(self, text: str | None) -> int:
        shown = visible(text or "")
        if shown not in self._places:
            self._places[shown] = len(self.texts)
            self.texts.append(shown)
        return self._places[shown]


def pack(report: Mapping[str, Any], room: int | None) -> Rows:
    """The rows, what needs a look first, as many as fit into ``room`` bytes of JSON in JSON; all of them
    without.
    """
    several = len({row["registry_id"] for row in report["images"]}) > 1
    messages = {one["image_id"]: one["message"] for one in report["errors"] if one["image_id"]}
    texts = Texts()
    packed: list[Packed] = []
    for row in sorted(report["images"], key=lambda one: ORDER.index(one["outcome"])):
        known = len(texts.texts)
        one = _pack(row, texts, messages.get(row["image_id"], ""), several=several)
        if room is not None:
            room -= _cost(one) + sum(map(_cost, texts.texts[known:]))
            if room < 0:
                break
        packed.append(one)
    total = max(report["totals"]["candidates"], len(report["images"]))
    names = texts.texts
    return Rows(
        [_shown(one, names) for one in packed[:FIRST]],
        {"texts": names, "rows": packed},
        total,
        total - len(packed),
        Counter(names[one[6]] for one in packed),
        dict(sorted(Counter(names[one[1]] for one in packed).items())),
    )


def _pack(row: Mapping[str, Any], texts: Texts, message: str, *, several: bool) -> Packed:
    repository = f"{row['registry_id']}/{row['repository']}" if several else row["repository"]
    return (
        visible(row["image_id"]),
        texts.place(repository),
        [visible(tag) for tag in row["tags"]],
        visible(row["digest"]),
        _minute(row["created_at"]),
        row["size_bytes"],
        texts.place(row["outcome"]),
        texts.place(row["reason"]),
        texts.place(row["guard"]),
        texts.place(row.get("kept_by") or message),
    )


def _shown(one: Packed, names: list[str]) -> dict[str, Any]:
    image_id, repository, tags, digest, created, size_bytes, outcome, reason, guard, note = one
    return {
        "image_id": image_id,
        "repository": names[repository],
        "tags": tags,
        "digest": digest,
        "created": created,
        "size_bytes": size_bytes,
        "outcome": names[outcome],
        "reason": names[reason],
        "guard": names[guard],
        "note": names[note],
    }


def _cost(what: object) -> int:
    return len(json.dumps(json.dumps(what)))


def _minute(text: str) -> str:
    """``2026-11-24 03:00``, in UTC, which sorts as text."""
    try:
        return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M}"
    except ValueError:
        return visible(text)
