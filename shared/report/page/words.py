"""The page's words: the headline, the status, the numbers."""

from __future__ import annotations

import unicodedata
from collections import Counter
from datetime import UTC, datetime

import msgspec

from shared.report.contract import Report
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
    """``text`` with a code for every character that is invisible, turns the direction of writing, or piles up
    on others.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(sign if _is_plain(sign) else f"⟨U+{ord(sign):04X}⟩" for sign in text)


def _is_plain(sign: str) -> bool:
    return sign.isprintable() and not unicodedata.category(sign).startswith("M")


def going(report: Report) -> int:
    """How many images went, or would go."""
    totals = report.totals
    if report.mode == "apply":
        return totals.deleted
    return totals.candidates - totals.protected - totals.remaining


def headline(report: Report, *, asks: bool) -> str:
    """The page's title; ``asks``: the reader is to approve or reject."""
    count, images = going(report), report.totals.images
    if report.mode == "apply":
        return f"{number(count)} of {many(images)} deleted" if count else "Nothing was deleted"
    if not count:
        return "Nothing to delete"
    if asks:
        return f"Delete {number(count)} of {many(images)}?"
    return f"{number(count)} of {many(images)} would be deleted"


def status(report: Report) -> str:
    return (STATUS_AFTER if report.mode == "apply" else STATUS)[report.status]


def numbers(report: Report) -> list[Number]:
    """How much goes, what that frees, how much is kept; and how many images need a look, if any do."""
    totals, apply = report.totals, report.mode == "apply"
    guards = Counter(row.guard for row in report.images if row.guard)
    shown = [
        Number(
            "Deleted" if apply else "To delete",
            number(going(report)),
            f"of {many(totals.images)} looked at",
            "go",
        ),
        Number(
            "Freed" if apply else "Would be freed",
            size(totals.reclaimed_bytes),
            "really, shared layers once",
        ),
        Number(
            "Protected",
            number(totals.protected),
            ", ".join(f"{guard} {number(count)}" for guard, count in guards.most_common()) or "by guards",
            "kept",
        ),
    ]
    price = report.price
    if price:
        saved = f"{price.reclaimed_per_month:,.2f}"
        shown.insert(2, Number("Saved" if apply else "Would be saved", saved, f"{price.currency} a month"))
    for count, title, note, kind in (
        (totals.failed, "Failed", "see the errors", "bad"),
        (totals.remaining, "Left", "for the next run", ""),
        (totals.already_gone, "Already gone", "before this run", ""),
    ):
        if count:
            shown.append(Number(title, number(count), note, kind))
    return shown


def short(digest: str) -> str:
    return f"{digest[:19]}…" if len(digest) > 19 else digest


def number(count: int) -> str:
    return f"{count:,}"


def many(count: int) -> str:
    return f"{count:,} image" if count == 1 else f"{count:,} images"


def moment(text: str | None) -> str:
    """An RFC 3339 time as people read it, in UTC. A text that is no time stays as it is."""
    if not text:
        return "not known"
    try:
        return f"{datetime.fromisoformat(text).astimezone(UTC):%-d %B %Y, %H:%M} UTC"
    except ValueError:
        return text
