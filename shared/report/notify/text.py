"""What people are told of a run, as plain text, and whether it is worth telling. Pure.

Names and messages in a report come from strangers: whatever is not printable, line breaks and marks that turn
the direction of writing among it, is replaced.
"""

from __future__ import annotations

from typing import Any

import msgspec

from shared.errors import printable
from shared.report.summary import summary
from shared.settings.channels import On

SHOWN = 3
LONGEST_LINE = 300


class News(msgspec.Struct, frozen=True):
    """A run's report, with what it doesn't say: ``where`` names what was to be cleaned, ``link`` leads to its
    page.
    """

    report: dict[str, Any]
    where: str = ""
    link: str = ""


def worth_telling(report: dict[str, Any], on: On) -> bool:
    """Whether a channel that is told ``on`` such runs is told of this one."""
    totals = report["totals"]
    problem = report["status"] != "ok" or bool(report["warnings"] or report["errors"])
    changed = totals["candidates"] > totals["protected"] or bool(report["plan_id"])
    return on == "always" or problem or (on == "changes" and changed)


def headline(news: News) -> str:
    place = f", {plain(news.where)}" if news.where else ""
    return f"Image clean-up{place}: {news.report['status']} (mode {news.report['mode']})"


def opening(news: News) -> list[str]:
    """The run in numbers, and where to see more. Nothing in it comes from strangers."""
    link = []
    if news.link:
        waits = news.report["mode"] == "plan" and news.report["plan_id"]
        link = [f"The plan waits for approval: {news.link}" if waits else f"See {news.link}"]
    return [headline(news), summary(news.report), *link]


def details(news: News) -> list[str]:
    """The worst of its errors and warnings."""
    report = news.report
    lines = [f"error: {plain(row['message'])}" for row in report["errors"]]
    lines += [f"warning: {plain(row['message'])}" for row in report["warnings"]]
    more = len(lines) - SHOWN
    return lines[:SHOWN] + (
        [f"… and {more} more in the report of run {report['run_id']}"] if more > 0 else []
    )


def plain(text: str) -> str:
    """One line of printable characters, cut where it gets long."""
    cut = text if len(text) <= LONGEST_LINE else text[:LONGEST_LINE] + "…"
    return printable(cut)
