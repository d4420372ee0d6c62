"""The page's words: the headline, the status, the numbers."""

from __future__ import annotations

import unicodedata
from collections import Counter
from datetime import UTC, datetime

import msgspec

from shared.report.contract import Report
from shared.report.legend import Legend
from shared.report.sentence import (
    FIRST,
    Held,
    first_of,
    going,
    guard,
    held,
    places,
    registry_ids,
    short_digests,
)
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


def headline(report: Report, *, asks: bool, legend: Legend | None = None) -> str:
    """The page's title; ``asks``: the reader is to approve or reject."""
    count, images = going(report), many(report.totals.images or report.totals.candidates)
    where = f" in {place}" if (place := _place(report, legend)) else ""
    if report.mode == "apply":
        so_far = "" if report.finished_at else " so far"
        of = f"the plan's {many(report.totals.candidates)}" if report.plan_id else images
        return (
            f"{number(count)} of {of} deleted{where}{so_far}"
            if count
            else f"Nothing was deleted{where}{so_far}"
        )
    if not count:
        return f"Nothing to delete{where}"
    if asks:
        return f"Delete {number(count)} of {images}{where}?"
    return f"{number(count)} of {images} would be deleted{where}"


def _place(report: Report, legend: Legend | None) -> str:
    """The registries, without the id of one that has a name."""
    return places(report, legend).partition(" (")[0]


def where(report: Report, legend: Legend | None) -> str:
    """The registries with their names, and the folder."""
    folder = f"folder {legend.folder_id}" if legend and legend.folder_id else ""
    place, ids = places(report, legend), registry_ids(report)
    if len(ids) > 1:
        names = legend.registries if legend else {}
        place = f"{place}: {first_of([names.get(each, each) for each in ids])}"
    return " · ".join(filter(None, (place, folder)))


def status(report: Report) -> str:
    """What the status means; warnings are not passed over."""
    if _goes_on(report):
        return "At work, or cut off"
    words = (STATUS_AFTER if report.mode == "apply" else STATUS)[report.status]
    if report.status != "ok" or not report.warnings:
        return words
    count = len(report.warnings)
    return f"{words}, with {number(count)} {'warning' if count == 1 else 'warnings'}"


def chip(report: Report) -> str:
    """The status that gives the chip its colour."""
    return "warned" if report.status == "ok" and report.warnings else report.status


def numbers(report: Report, planned: Report | None = None) -> list[Number]:
    """How much goes, what that frees, how much is kept; and how many images need a look, if any do; beside
    what was ``planned``.
    """
    totals, apply = report.totals, report.mode == "apply"
    of_images, of_bytes = _compared_with(report, planned)
    guards = Counter(guard(row.guard) for row in report.images if row.guard)
    shown = [
        Number(
            "Deleted" if apply else "To delete",
            number(going(report)),
            of_images,
            "go",
        ),
        Number(
            "Freed" if apply else "Would be freed",
            "–" if _goes_on(report) else size(totals.reclaimed_bytes),
            of_bytes,
        ),
        Number(
            "Protected",
            number(totals.protected),
            ", ".join(f"{words} {number(count)}" for words, count in guards.most_common()) or "by guards",
            "kept",
        ),
    ]
    price = report.price
    if price:
        saved = f"{price.reclaimed_per_month:,.2f}"
        shown.insert(2, Number("Saved" if apply else "Would be saved", saved, f"{price.currency} a month"))
    held_back = held(report)
    for count, title, note, kind in (
        (totals.failed, "Failed", "see the errors", "bad"),
        (totals.remaining, *_left(report, held_back), ""),
        (totals.already_gone, "Already gone", "before this run", ""),
    ):
        if count:
            shown.append(Number(title, number(count), note, kind))
    return shown


def _goes_on(report: Report) -> bool:
    return report.mode == "apply" and not report.finished_at


def _compared_with(report: Report, planned: Report | None) -> tuple[str, str]:
    """What the images that go, and the bytes that they free, are a part of."""
    if planned:
        return f"of {number(going(planned))} planned", f"of {size(planned.totals.reclaimed_bytes)} planned"
    if _goes_on(report):
        return f"of {many(report.totals.candidates)} to delete", "known when the run ends"
    return f"of {many(report.totals.images)} looked at", "really, shared layers once"


def _left(report: Report, held_back: list[Held]) -> tuple[str, str]:
    """The title of the images that are left, and what keeps them."""
    if _goes_on(report):
        return "Still to go", "as far as is known by now"
    if not held_back:
        return "Left", "a plan runs once: make a new one" if report.plan_id else "for the next run"
    named = ", ".join(f"{one.why} {number(one.count)}" for one in held_back[:FIRST])
    return "Held back", f"{named} and more" if len(held_back) > FIRST else named


def stays(report: Report) -> str:
    """Which images an approval leaves, and why; "" if there are none."""
    kept = [f"{number(one.count)} in {one.where}: {short_digests(one.why)}" for one in held(report)[:FIRST]]
    return f"What a limit or a guard holds back stays: {'; '.join(kept)}." if kept else ""


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
