"""What a nightly clean-up costs in Cloud Functions, by the memory of the function, from measured figures.

A function's share of a core grows with its memory up to 2 GB, where it has a whole one (Yandex Cloud:
functions/concepts/function). A night is one invocation of ten minutes with all guards, over TLS. What it
takes, in time and in processor time, is a beginning and so much an image, by two measured runs on a whole
core; on a share of a core the processor time is that many times as long. An image takes the longer of its
processor time and the time measured on a whole core, or, where the cloud is slower, its share of the calls in
flight. `foretold` says how well this agrees with the runs that were measured on a share.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from tests.bench.promises import loads, ratio
from tests.bench.world import LATENCY_MS, Row

MEMORIES_MB = (128, 256, 512, 1024, 2048)
WHOLE_CORE_MB = 2048
NIGHT_SECONDS, NIGHTS = 600, 30
LATENCIES_MS = (LATENCY_MS, 100)


@dataclass(frozen=True)
class Prices:
    """Of Cloud Functions; what is free is free in each month."""

    gb_hour: float = 0.04376
    million_calls: float = 0.128
    free_gb_hours: float = 10
    free_calls: float = 1_000_000
    currency: str = "USD"

    def month(self, gb_hours: float, calls: float) -> float:
        """What that many GB-hours and invocations cost, as if nothing else used what is free."""
        hours, paid_calls = max(0.0, gb_hours - self.free_gb_hours), max(0.0, calls - self.free_calls)
        return hours * self.gb_hour + paid_calls / 1e6 * self.million_calls


@dataclass(frozen=True)
class Effort:
    """Seconds on a whole core, and the calls an image."""

    start_cpu: float
    begin_cpu: float
    begin: float
    image_cpu: float
    image: float
    calls: float

    def image_on(self, core: float, concurrency: int, latency_ms: int) -> float:
        waiting = self.calls * latency_ms / 1000 / concurrency
        return max(self.image_cpu / core, self.image if latency_ms == LATENCY_MS else waiting)

    def begin_on(self, core: float) -> float:
        return max(self.begin, self.begin_cpu / core)


def add_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the cloud's prices, for the table of costs")
    for name, value in vars(Prices()).items():
        group.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value, metavar="PRICE")


def prices_of(arguments: argparse.Namespace) -> Prices:
    return Prices(**{name: getattr(arguments, name) for name in vars(Prices())})


def effort(document: Row, night: str, concurrency: int) -> Effort:
    whole = {"core": 1, "tls": True, "repositories": 1}
    many = loads(document, **whole, concurrency=concurrency)[0]
    few = min(loads(document, **whole), key=lambda load: int(load["images"]))
    large, small = many["clients"][night], few["clients"][night]
    images, least = many["images"] - many["kept"], few["images"] - few["kept"]
    image_cpu = (large["cpu_seconds"] - small["cpu_seconds"]) / (images - least)
    image = (large["seconds"] - small["seconds"]) / (images - least)
    return Effort(
        document["import"]["handler"]["cpu_ms"] / 1000,
        max(0.0, small["cpu_seconds"] - image_cpu * least),
        max(0.0, small["seconds"] - image * least),
        image_cpu,
        image,
        1 + large["manifest_calls"] / images,
    )


def foretold(document: Row) -> list[Row]:
    """The time that runs on a share of a core should have taken beside the time that they took."""
    return [
        {
            "core": load["core"],
            "concurrency": load["concurrency"],
            "night": night,
            "foretold_beside_measured": ratio(
                _seconds(effort(document, night, load["concurrency"]), load),
                load["clients"][night]["seconds"],
            ),
        }
        for load in loads(document, repositories=1, tls=True)
        if load["core"] < 1
        for night in ("first_night", "second_night")
    ]


def _seconds(of: Effort, load: Row) -> float:
    core: float = load["core"]
    images: int = load["images"] - load["kept"]
    return of.begin_on(core) + images * of.image_on(core, load["concurrency"], LATENCY_MS)


def table(document: Row, prices: Prices) -> list[Row]:
    """A row for each night, concurrency and memory."""
    return [
        _row(effort(document, night, concurrency), prices, night, concurrency, memory_mb)
        for night in ("first_night", "second_night")
        for concurrency in (16, 64)
        for memory_mb in MEMORIES_MB
    ]


def _row(of: Effort, prices: Prices, night: str, concurrency: int, memory_mb: int) -> Row:
    core = min(1.0, memory_mb / WHOLE_CORE_MB)
    seconds = NIGHT_SECONDS - of.start_cpu / core - of.begin_on(core)
    images = {ms: round(seconds / of.image_on(core, concurrency, ms)) for ms in LATENCIES_MS}
    gb_hours = memory_mb / 1024 * NIGHT_SECONDS / 3600
    nothing_free = Prices(prices.gb_hour, prices.million_calls, 0, 0)
    return {
        "night": night,
        "concurrency": concurrency,
        "memory_mb": memory_mb,
        "core": core,
        "images": {f"{ms}_ms": images[ms] for ms in LATENCIES_MS},
        "month": round(prices.month(NIGHTS * gb_hours, NIGHTS), 4),
        "month_nothing_free": round(nothing_free.month(NIGHTS * gb_hours, NIGHTS), 4),
        "million_images": {
            f"{ms}_ms": round(nothing_free.month(gb_hours, 1) / images[ms] * 1e6, 4) for ms in LATENCIES_MS
        },
        "currency": prices.currency,
    }
