"""The page's pictures as numbers: a repository before and after, and the trend.

Lengths are per cent of the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from shared.report.contract import Report
from shared.state.history import Row

GONE = ("would-delete", "deleted", "already-gone")
PICTURED = 60
RUNS = 90
THIN = 0.8


class Part(msgspec.Struct, frozen=True):
    """A piece of a bar; ``kind`` is ``stay``, ``kept`` or ``go``."""

    kind: str
    start: float
    length: float


class Repository(msgspec.Struct):
    """A repository before and after; sizes add up the images' own, whether or not they share layers."""

    name: str
    images: int
    size_bytes: int
    go: int = 0
    go_bytes: int = 0
    kept: int = 0
    held: int = 0

    @property
    def before(self) -> list[Part]:
        return _parts(
            {
                "stay": self.images - self.kept - self.held - self.go,
                "kept": self.kept + self.held,
                "go": self.go,
            },
            self.images,
        )

    @property
    def after(self) -> list[Part]:
        return [part for part in self.before if part.kind != "go"]


class Repositories(msgspec.Struct, frozen=True):
    """``pictured`` are those with candidates, the largest losses first; ``not_pictured`` counts the rest of
    these.
    """

    pictured: list[Repository]
    not_pictured: int
    others: int


class Bar(msgspec.Struct, frozen=True):
    start: float
    width: float
    height: float
    run: Row


class Trend(msgspec.Struct, frozen=True):
    """The last runs, oldest first: a bar for what each deleted, and a line of how many images there were."""

    runs: list[Row]
    bars: list[Bar]
    most: int
    line: str
    images: list[int]
    deleted: int
    reclaimed_bytes: int
    troubled: int


def repositories(report: Report) -> Repositories:
    several = len({row.registry_id for row in report.repositories}) > 1
    every: dict[tuple[str, str], Repository] = {}
    for row in report.repositories:
        name = f"{row.registry_id}/{row.repository}" if several else row.repository
        every[row.registry_id, row.repository] = Repository(name, row.images, row.size_bytes)
    for image in report.images:
        repository = every.get((image.registry_id, image.repository))
        if repository is None:
            continue
        if image.outcome in GONE:
            repository.go += 1
            repository.go_bytes += image.size_bytes
        repository.kept += image.outcome == "protected"
        repository.held += image.outcome == "remaining"
    touched = sorted(
        (repository for repository in every.values() if repository.go or repository.kept or repository.held),
        key=lambda repository: (-repository.go, -repository.kept, -repository.held, repository.name),
    )
    return Repositories(touched[:PICTURED], len(touched[PICTURED:]), len(every) - len(touched))


def trend(runs: Iterable[Row]) -> Trend:
    """The picture of the last runs.

    The line leaves out a run after a push, which counts some repositories alone.
    """
    last = sorted(runs, key=lambda run: run.finished_at)[-RUNS:]
    most = max((run.totals.deleted for run in last), default=0)
    step = 100 / (len(last) or 1)
    counted = [(place, run.totals.images) for place, run in enumerate(last) if run.all_repositories]
    top = max((images for _, images in counted), default=0) or 1
    applied = [run for run in last if run.mode == "apply"]
    return Trend(
        last,
        [
            Bar(
                round(place * step, 2),
                round(step * 0.7, 2),
                round(100 * run.totals.deleted / (most or 1), 2),
                run,
            )
            for place, run in enumerate(last)
        ],
        most,
        " ".join(f"{(place + 0.35) * step:.2f},{100 - 90 * images / top:.2f}" for place, images in counted),
        [images for _, images in counted],
        sum(run.totals.deleted for run in applied),
        sum(run.totals.reclaimed_bytes for run in applied),
        sum(run.status != "ok" for run in last),
    )


def _parts(counts: Mapping[str, int], total: int) -> list[Part]:
    """Bars in the order of ``counts``; a count above zero has a bar that can be seen."""
    lengths = {kind: max(THIN, 100 * count / total) for kind, count in counts.items() if count > 0}
    shrink = 100 / (sum(lengths.values()) or 1)
    parts, start = [], 0.0
    for kind, length in lengths.items():
        parts.append(Part(kind, round(start, 2), round(length * shrink, 2)))
        start += length * shrink
    return parts
