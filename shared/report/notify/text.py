"""The message about a run as plain text, and whether a run is worth a message. Pure.

Names and messages in a report come from strangers. Characters that cannot be printed are replaced, and so are
line breaks and marks that turn the direction of writing.
"""

from __future__ import annotations

import msgspec

from shared.errors import printable
from shared.report.contract import Report
from shared.report.sentence import held, sentence
from shared.settings.channels import On

SHOWN = 3
LONGEST_LINE = 300


class News(msgspec.Struct, frozen=True):
    """A run's report and what it does not say: ``where`` names what the run cleans, ``link`` leads to the
    plan's page.
    """

    report: Report
    where: str = ""
    link: str = ""


def worth_telling(report: Report, on: On) -> bool:
    """Whether a channel with this setting of ``on`` gets a message about the run."""
    problem = report.status != "ok" or bool(report.warnings or report.errors)
    changed = report.totals.candidates > report.totals.protected or bool(report.plan_id)
    return on == "always" or problem or (on == "changes" and changed)


def headline(news: News) -> str:
    place = f", {plain(news.where)}" if news.where else ""
    return f"Image clean-up{place}: {news.report.status} (mode {news.report.mode})"


def opening(news: News) -> list[str]:
    """The run in numbers, and where people see more. Nothing in it comes from strangers."""
    link = []
    if news.link:
        waits = news.report.mode == "plan" and news.report.plan_id
        link = [f"The plan waits for approval: {news.link}" if waits else f"See {news.link}"]
    return [headline(news), sentence(news.report, names=False), *link]


def details(news: News) -> list[str]:
    """What holds images back, and the worst of its errors and warnings."""
    report = news.report
    held_back = [
        f"held back {one.count:,} in {plain(one.where)}: {plain(one.why)}" for one in held(report)[:SHOWN]
    ]
    lines = [f"error: {plain(problem.message)}" for problem in report.errors]
    lines += [f"warning: {plain(warning.message)}" for warning in report.warnings]
    more = len(lines) - SHOWN
    return (
        held_back
        + lines[:SHOWN]
        + ([f"… and {more} more in the report of run {report.run_id}"] if more > 0 else [])
    )


def plain(text: str) -> str:
    """One line of printable characters, cut where it gets long."""
    cut = text if len(text) <= LONGEST_LINE else text[:LONGEST_LINE] + "…"
    return printable(cut)
