"""The page's pictures as numbers: a repository before and after, and the trend.

Lengths are per cent of the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

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

    @property
    def before(self) -> list[Part]:
        return _parts(
            {"stay": self.images - self.kept - self.go, "kept": self.kept, "go": self.go}, self.images
        )

    @property
    def after(self) -> list[Part]:
        return [part for part in self.before if part.kind != "go"]


class Repositories(msgspec.Struct, frozen=True):
    """Those with candidates, what loses most first; ``others`` lose nothing; ``not_pictured`` are too
    many.
    """

    pictured: list[Repository]
    not_pictured: int
    others: int


class Bar(msgspec.Struct, frozen=True):
    start: float
    width: float
    height: float
    run: Mapping[str, Any]


class Trend(msgspec.Struct, frozen=True):
    """The last runs, oldest first: a bar for what each deleted, and a line of how many images there were."""

    runs: list[Mapping[str, Any]]
    bars: list[Bar]
    most: int
    line: str
    images: list[int]
    deleted: int
    reclaimed_bytes: int
    troubled: int


def repositories(report: Mapping[str, Any]) -> Repositories:
    several = len({one["registry_id"] for one in report.get("repositories", ())}) > 1
    found: dict[tuple[str, str], Repository] = {}
    for one in report.get("repositories", ()):
        name = f"{one['registry_id']}/{one['repository']}" if several else one["repository"]
        found[one["registry_id"], one["repository"]] = Repository(name, one["images"], one["size_bytes"])
    for row in report["images"]:
        repository = found.get((row["registry_id"], row["repository"]))
        if repository is None:
            continue
        if row["outcome"] in GONE:
            repository.go += 1
            repository.go_bytes += row["size_bytes"]
        repository.kept += row["outcome"] == "protected"
    touched = sorted(
        (one for one in found.values() if one.go or one.kept), key=lambda one: (-one.go, -one.kept, one.name)
    )
    return Repositories(touched[:PICTURED], len(touched[PICTURED:]), len(found) - len(touched))


def trend(runs: Iterable[Mapping[str, Any]]) -> Trend:
    """``runs`` are rows of `shared.state.history`.

    After a push only some repositories were counted: the line leaves it out.
    """
    ordered = sorted(runs, key=lambda run: str(run["finished_at"]))
    last: list[Mapping[str, Any]] = [{**run, **run["totals"]} for run in ordered[-RUNS:]]
    most = max((run["deleted"] for run in last), default=0)
    step = 100 / (len(last) or 1)
    counted = [(place, run["images"]) for place, run in enumerate(last) if run["whole"]]
    top = max((images for _, images in counted), default=0) or 1
    applied = [run for run in last if run["mode"] == "apply"]
    return Trend(
        last,
        [
            Bar(
                round(place * step, 2),
                round(step * 0.7, 2),
                round(100 * run["deleted"] / (most or 1), 2),
                run,
            )
            for place, run in enumerate(last)
        ],
        most,
        " ".join(f"{(place + 0.35) * step:.2f},{100 - 90 * images / top:.2f}" for place, images in counted),
        [images for _, images in counted],
        sum(run["deleted"] for run in applied),
        sum(run["reclaimed_bytes"] for run in applied),
        sum(run["status"] != "ok" for run in last),
    )


def _parts(counts: Mapping[str, int], whole: int) -> list[Part]:
    """Bars in the order of ``counts``; what there is at all can be seen."""
    lengths = {kind: max(THIN, 100 * count / whole) for kind, count in counts.items() if count > 0}
    shrink = 100 / (sum(lengths.values()) or 1)
    parts, start = [], 0.0
    for kind, length in lengths.items():
        parts.append(Part(kind, round(start, 2), round(length * shrink, 2)))
        start += length * shrink
    return parts
