"""What the page says in words: the headline, the status, the numbers."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.report.summary import size

STATUS = {
    "ok": "Everything was looked at",
    "partial": "Something could not be looked at",
    "refused": "A clean-up would be stopped by a limit",
    "held-back": "A guard or a limit would hold something back",
    "unfinished": "Out of time: not everything was looked at",
    "failed": "Nothing could be looked at",
}
STATUS_AFTER = {
    "ok": "Done",
    "partial": "Done in part: something failed",
    "refused": "Stopped by a limit",
    "held-back": "A guard or a limit held something back",
    "unfinished": "Out of time: the next run goes on",
    "failed": "Nothing could be done",
}
MODES = {"dry-run": "Dry run", "plan": "Plan", "apply": "Clean-up"}


class Number(msgspec.Struct, frozen=True):
    """One of the numbers that a reader looks at first; ``kind`` is its colour."""

    name: str
    value: str
    note: str = ""
    kind: str = ""


def visible(text: str) -> str:
    """``text`` with every character shown that is invisible, turns the direction of writing, or piles up on
    others.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        one if one.isprintable() and not unicodedata.category(one).startswith("M") else f"⟨U+{ord(one):04X}⟩"
        for one in text
    )


def going(report: Mapping[str, Any]) -> int:
    """How many images went, or would go."""
    totals: dict[str, int] = report["totals"]
    if report["mode"] == "apply":
        return totals["deleted"]
    return totals["candidates"] - totals["protected"] - totals["remaining"]


def headline(report: Mapping[str, Any], *, asks: bool) -> str:
    count, images = going(report), report["totals"]["images"]
    if report["mode"] == "apply":
        return f"{number(count)} of {many(images)} deleted" if count else "Nothing was deleted"
    if not count:
        return "Nothing to delete"
    if asks:
        return f"Delete {number(count)} of {many(images)}?"
    return f"{number(count)} of {many(images)} would be deleted"


def status(report: Mapping[str, Any]) -> str:
    return (STATUS_AFTER if report["mode"] == "apply" else STATUS)[report["status"]]


def numbers(report: Mapping[str, Any]) -> list[Number]:
    """What goes, what that frees, what is kept; and what needs a look, when there is any."""
    totals, apply = report["totals"], report["mode"] == "apply"
    guards = Counter(row["guard"] for row in report["images"] if row["guard"])
    found = [
        Number(
            "Deleted" if apply else "To delete",
            number(going(report)),
            f"of {many(totals['images'])} looked at",
            "go",
        ),
        Number(
            "Freed" if apply else "Would be freed",
            size(totals["reclaimed_bytes"]),
            "really, shared layers once",
        ),
        Number(
            "Protected",
            number(totals["protected"]),
            ", ".join(f"{guard} {number(count)}" for guard, count in guards.most_common()) or "by guards",
            "kept",
        ),
    ]
    price = report.get("price")
    if price:
        saved = f"{price['reclaimed_per_month']:,.2f}"
        found.insert(2, Number("Saved" if apply else "Would be saved", saved, f"{price['currency']} a month"))
    for name, title, note in (
        ("failed", "Failed", "see the errors"),
        ("remaining", "Left", "for the next run"),
        ("already_gone", "Already gone", "before this run"),
    ):
        if totals[name]:
            found.append(Number(title, number(totals[name]), note, "bad" if name == "failed" else ""))
    return found


def short(digest: str) -> str:
    return f"{digest[:19]}…" if len(digest) > 19 else digest


def number(count: int) -> str:
    return f"{count:,}"


def many(count: int) -> str:
    return f"{count:,} image" if count == 1 else f"{count:,} images"


def moment(text: str | None) -> str:
    """An RFC 3339 time as people read it, in UTC; what cannot be read stays as it is."""
    if not text:
        return "not known"
    try:
        return f"{datetime.fromisoformat(text).astimezone(UTC):%-d %B %Y, %H:%M} UTC"
    except ValueError:
        return text
