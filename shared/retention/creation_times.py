"""Whether the creation times of a registry's images say how old the images are. Pure.

A copy of a registry may give every image the time of the copying: whether the migration of a registry keeps
creation times is not documented (container-registry/tutorials/container-registry-migration). Then nearly all
images are of one day, every one of them looks young, and which ones are the newest is chance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

LEAST, NEARLY_ALL, MOST_OF_ALL = 20, 0.95, 0.5
DAY = timedelta(days=1)
FIRST_MIGRATION = datetime(
    2026, 10, 13, tzinfo=UTC
)  # from then on people had to move (container-registry/sunset)
HOUR, SECOND = len("2026-11-20T13"), len("2026-11-20T13:00:00")


def hours(created: Iterable[str]) -> Counter[str]:
    """How many of the RFC 3339 times in UTC are of each hour."""
    return Counter(text[:HOUR] for text in created)


def one_day(counted: Counter[str]) -> str:
    """The day on which the images of a registry seem to have been copied, as ``2026-11-20``; "" if none.

    ``counted`` are `hours` of at least 20 images. Of those that were created until the end of that day, at
    least 95 % were created within its 24 hours; images pushed later do not hide that, as long as they are
    fewer.
    """
    total = counted.total()
    if total < LEAST:
        return ""
    dated = sorted((moment, count) for text, count in counted.items() if (moment := _hour(text)))
    until, within, first = total - sum(count for _, count in dated), 0, 0
    for moment, count in dated:
        until, within = until + count, within + count
        while moment - dated[first][0] >= DAY:
            within -= dated[first][1]
            first += 1
        enough = within >= max(LEAST, NEARLY_ALL * until, MOST_OF_ALL * total)
        if enough and moment + timedelta(hours=1) > FIRST_MIGRATION:
            return f"{dated[first][0]:%Y-%m-%d}"
    return ""


def _hour(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(f"{text}:00:00+00:00")
    except ValueError:
        return None


def same(one: str, other: str) -> bool:
    """Whether two RFC 3339 times in UTC are of the same second."""
    return one[:SECOND] == other[:SECOND]
