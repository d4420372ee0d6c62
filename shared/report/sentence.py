"""What a run did or would do, as one sentence in plain English; and what holds images back, in words.

``Deleted 2,363 of 3,811 images in registry shop (crp...), freed 245.8 GB; held back 120 in tools/ci:
MAX_SHARE``
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import msgspec

from shared.cloud.registry_services import SERVICES, SOURCE
from shared.errors import many
from shared.report.contract import ImageRow, PolicyRow, Report, RepositoryRow
from shared.report.legend import Legend
from shared.report.summary import size
from shared.retention.records import Service

GUARDS = {
    "in-use": "in use",
    "index-child": "part of an image that stays",
    "referrer": "signature, or the like, of an image that stays",
    "keep-tag": "its tag is to be kept",
    "keep-rule": "a keep rule",
    "grace": "too young",
}
STATUS = {
    "ok": "everything was looked at",
    "partial": "something could not be looked at",
    "refused": "a limit or an override would stop a clean-up",
    "held-back": "a guard or a limit would hold something back",
    "unfinished": "not everything was looked at: out of time, or interrupted",
    "failed": "nothing could be looked at",
}
STATUS_AFTER = {
    "ok": "done",
    "partial": "done in part: something failed",
    "refused": "stopped by a limit or an override",
    "held-back": "done, but a guard or a limit held something back",
    "unfinished": "out of time, or interrupted: not all of it was done",
    "failed": "nothing could be done",
}
PLACES = 3
DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")
FIRST = 2


class Held(msgspec.Struct, frozen=True):
    """So many candidates stay in these repositories for one reason: a limit, a guard, or what has changed."""

    why: str
    count: int
    repositories: tuple[str, ...]

    @property
    def where(self) -> str:
        return first_of(self.repositories)


def first_of(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    named, more = ", ".join(names[:PLACES]), len(names) - PLACES
    return f"{named} and {more} more" if more > 0 else named


def going(report: Report) -> int:
    """How many images went, or would go."""
    totals = report.totals
    if report.mode == "apply":
        return totals.deleted
    return totals.candidates - totals.protected - totals.remaining


def held(report: Report) -> list[Held]:
    """What holds candidates back, the most of them first. A report that lists a part of its images may lack
    some.
    """
    counts: Counter[str] = Counter()
    repositories: dict[str, dict[str, None]] = {}
    for row in report.images:
        if row.outcome == "remaining" and row.kept_by:
            counts[row.kept_by] += 1
            repositories.setdefault(row.kept_by, {})[row.repository] = None
    return [Held(why, count, tuple(repositories[why])) for why, count in counts.most_common()]


def is_idle(report: Report) -> bool:
    """Whether the run was stopped before it looked at any image."""
    totals = report.totals
    return not totals.images and not totals.candidates and report.status in ("failed", "refused")


def sentence(report: Report, legend: Legend | None = None, *, names: bool = True) -> str:
    """The run in one sentence; without ``names``, nothing in it comes from strangers."""
    totals = report.totals
    if is_idle(report):
        return "Nothing was done." if report.mode == "apply" else "Nothing was looked at."
    if not totals.images and not totals.candidates:
        return "There are no images."
    price = report.price
    money = f" ({price.reclaimed_per_month:,.2f} {price.currency} a month)" if price else ""
    freed = f"{size(totals.reclaimed_bytes)}{money}"
    count, of = going(report), _of(report)
    place = places(report, legend)
    where = f" in {place}" if place else ""
    if report.mode == "apply":
        main = f"Deleted {count:,} of {of}{where}" if count else f"Deleted none of {of}{where}"
        main += f", freed {freed}" if count and report.finished_at else ""
    else:
        main = f"Would delete {count:,} of {of}{where}" if count else f"Would delete none of {of}{where}"
        main += f", which would free {freed}" if count else ""
    return "; ".join([main, *_rest(report, names=names)])


def _of(report: Report) -> str:
    """The images of which some go: those that were looked at, or a plan's."""
    totals = report.totals
    if report.mode == "apply" and report.plan_id:
        return f"the plan's {many(totals.candidates, 'image')}"
    return many(totals.images or totals.candidates, "image")


def _rest(report: Report, *, names: bool) -> list[str]:
    """What of the candidates has come to no good end."""
    totals, every = report.totals, held(report)
    parts = []
    for one in every[:FIRST]:
        why = f" in {one.where}: {one.why}" if names else ""
        parts.append(f"held back {one.count:,}{why}")
    others = sum(one.count for one in every[FIRST:])
    if others:
        parts.append(f"held back {others:,} for other reasons")
    left = totals.remaining - sum(one.count for one in every)
    if left > 0:
        parts.append(f"left {left:,}")
    if totals.failed:
        parts.append(f"failed to delete {totals.failed:,}")
    if totals.already_gone:
        parts.append(f"{totals.already_gone:,} were gone before")
    return parts


def places(report: Report, legend: Legend | None = None) -> str:
    """The registries of the report, by their names if they are known: ``registry shop (crp...)``."""
    ids = registry_ids(report)
    services = {row.service for row in report.policies} | {row.service for row in report.images}
    service = "/".join(filter(None, map(service_title, sorted(services))))
    if len(ids) == 1:
        name = legend.registries.get(ids[0], "") if legend else ""
        inside = ", ".join(filter(None, (service, ids[0] if name else "")))
        return f"registry {name or ids[0]}" + (f" ({inside})" if inside else "")
    return (
        f"{len(ids)} registries" + (f" of {service}" if service and len(services) == 1 else "") if ids else ""
    )


def registry_ids(report: Report) -> list[str]:
    """The ids of the registries that the report is about, each once."""
    rows: list[RepositoryRow | PolicyRow | ImageRow] = []
    rows += [*report.repositories, *report.policies, *report.images]
    return list(dict.fromkeys(row.registry_id for row in rows))


def status(report: Report) -> str:
    """What the status means."""
    return (STATUS_AFTER if report.mode == "apply" else STATUS)[report.status]


def guard(name: str) -> str:
    """A guard in words."""
    return GUARDS.get(name, name)


def service_title(service: Service) -> str:
    """The name of the service, "" for the one that registries are migrated from."""
    return "" if service == SOURCE else SERVICES[service].TITLE


def short_digests(text: str) -> str:
    """``text`` with the first 12 digits of each digest."""
    return DIGEST.sub(r"\1…", text)
