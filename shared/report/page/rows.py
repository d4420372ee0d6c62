"""The images of a report as the page's script takes them: compact, and with every strange character
visible.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.report.contract import ImageRow, Report
from shared.report.page.words import visible
from shared.report.sentence import guard, short_digests

FIRST = 100
ORDER = ("failed", "would-delete", "deleted", "remaining", "already-gone", "protected")

Packed = tuple[str, int, list[str], str, str, int, int, int, int, int]


class Shown(msgspec.Struct, frozen=True):
    """A row as the page shows it without its script; ``note`` says what keeps the image, or why it failed."""

    image_id: str
    repository: str
    tags: list[str]
    digest: str
    created: str
    size_bytes: int
    outcome: str
    reason: str
    guard: str
    note: str


class Rows(msgspec.Struct, frozen=True):
    """``first`` are those that the page shows; ``data`` has them all for its script; for ``left_out`` there
    is no room.
    """

    first: list[Shown]
    data: dict[str, Any]
    total: int
    left_out: int
    outcomes: dict[str, int]
    repositories: dict[str, int]


class Texts:
    """Texts that many rows share; each is held once, and a row has its place."""

    def __init__(self) -> None:
        self.texts: list[str] = [""]
        self._places: dict[str, int] = {"": 0}

    def place(self, text: str | None) -> int:
        shown = visible(text or "")
        if shown not in self._places:
            self._places[shown] = len(self.texts)
            self.texts.append(shown)
        return self._places[shown]


def pack(report: Report, room: int | None, says: Mapping[str, str] | None = None) -> Rows:
    """The rows, those that need a look first, by repository and the newest first there: as many as fit into
    ``room`` bytes of JSON in JSON; all of them for None. ``says`` has the words of reasons.
    """
    several = len({row.registry_id for row in report.images}) > 1
    messages = {problem.image_id: problem.message for problem in report.errors if problem.image_id}
    texts = Texts()
    packed: list[Packed] = []
    reasons = {reason: f"{reason}: {words}" for reason, words in (says or {}).items()}
    newest_first = sorted(report.images, key=lambda image: image.created_at, reverse=True)
    for image in sorted(newest_first, key=_group):
        known = len(texts.texts)
        why = reasons.get(image.reason, image.reason)
        row = _pack(image, texts, messages.get(image.image_id, ""), why, several=several)
        if room is not None:
            room -= _cost(row) + sum(map(_cost, texts.texts[known:]))
            if room < 0:
                break
        packed.append(row)
    total = max(report.totals.candidates, len(report.images))
    names = texts.texts
    return Rows(
        [_shown(row, names) for row in packed[:FIRST]],
        {"texts": names, "rows": packed},
        total,
        total - len(packed),
        Counter(names[row[6]] for row in packed),
        dict(sorted(Counter(names[row[1]] for row in packed).items())),
    )


def _group(row: ImageRow) -> tuple[int, str, str]:
    return ORDER.index(row.outcome), row.registry_id, row.repository


def _pack(row: ImageRow, texts: Texts, message: str, why: str, *, several: bool) -> Packed:
    return (
        visible(row.image_id),
        texts.place(f"{row.registry_id}/{row.repository}" if several else row.repository),
        [visible(tag) for tag in row.tags],
        visible(row.digest),
        _minute(row.created_at),
        row.size_bytes,
        texts.place(row.outcome),
        texts.place(why),
        texts.place(guard(row.guard) if row.guard else ""),
        texts.place(short_digests(row.kept_by or message)),
    )


def _shown(row: Packed, names: list[str]) -> Shown:
    image_id, repository, tags, digest, created, size_bytes, *places = row
    outcome, reason, guard, note = (names[place] for place in places)
    return Shown(image_id, names[repository], tags, digest, created, size_bytes, outcome, reason, guard, note)


def _cost(value: object) -> int:
    return len(json.dumps(json.dumps(value)))


def _minute(text: str) -> str:
    """``2026-11-24 03:00``, in UTC, which sorts as text."""
    try:
        return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M}"
    except ValueError:
        return visible(text)
