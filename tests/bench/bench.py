"""`python -m tests.bench`: how fast, how cheap and how big a clean-up is, as people run it. One JSON document
on standard output, the same as tables on standard error.

The packaged handler cleans an emulated registry whose answers take 20 ms: without guards, in a first night
(all guards, an empty state) and in a second one (a state that knows the manifests). In turn with it, on the
same images, run a script on the official gRPC stubs, a `curl` a deletion under `xargs -P`, and a bare loop
that sends the deletions alone and is the limit: all that emulator and machine can give. Every run is a
process of its own and starts from a new seed; a figure is the median of five rounds, but for the two large
registries, which are cleaned once. `--quick` is one round of too few images to judge by. A share of a core is
a control group's, of the client alone; where none can be made, the document says so and lacks these rows.
Processor time is that of the work, without what is imported before.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench import cost, quota, tables
from tests.bench.promises import judged, ratio
from tests.bench.world import LATENCY_MS, LAYERS, SHARED_LAYERS, Load, Row, World, measured
from tests.emulator.client import emulator

OURS = ("unguarded", "first_night", "second_night")
OTHERS = ("grpc_script", "curl", "bare_loop")


@dataclass(frozen=True)
class Extent:
    """How much is measured: ``compared`` images beside the other clients, ``images`` over TLS and in many
    repositories, ``few`` on a share of a core; ``least`` tell what does not grow with the images.
    """

    rounds: int
    compared: int
    images: int
    few: int
    least: int
    repositories: int
    nightly: int
    large: int
    imports: int


WHOLE = Extent(
    rounds=5,
    compared=3000,
    images=1000,
    few=500,
    least=100,
    repositories=100,
    nightly=20_000,
    large=50_000,
    imports=5,
)
QUICK = Extent(
    rounds=1,
    compared=200,
    images=200,
    few=100,
    least=60,
    repositories=10,
    nightly=400,
    large=500,
    imports=1,
)


def loads(extent: Extent) -> Iterator[tuple[Load, tuple[str, ...]]]:
    """What is cleaned, and by which clients."""
    compared, images, few, many = extent.compared, extent.images, extent.few, extent.repositories
    guarded = OURS[1:]
    yield Load(compared, 16), (*OURS, *OTHERS)
    yield Load(compared, 64), (*OURS, "grpc_script", "bare_loop")
    yield Load(images, 16, many, kept=1), (*guarded, "grpc_script")
    yield Load(images, 16, tls=True), guarded
    yield Load(images, 64, tls=True), guarded
    yield Load(extent.least, 16, tls=True), guarded
    yield Load(few, 16, core=0.25, tls=True), guarded
    yield Load(few, 16, core=0.125, tls=True), guarded
    yield Load(few, 64, core=0.125, tls=True), guarded


def in_turn(rounds: int, *works: Callable[[], Row]) -> list[Row]:
    """The medians of each of the works, which run one after the other, over and over."""
    rows = [[work() for work in works] for _ in range(rounds)]
    return [medians([of_round[number] for of_round in rows]) for number in range(len(works))]


def medians(rows: list[Row]) -> Row:
    return {name: round(median(row[name] for row in rows), 3) for name in rows[0]}


def speed(world: World, extent: Extent, *, shares: bool) -> Iterator[Row]:
    for load, clients in loads(extent):
        if load.core < 1 and not shares:
            continue
        tell(f"{load}: {', '.join(clients)}")
        rows = in_turn(extent.rounds, *(partial(getattr(world, client), load) for client in clients))
        for client, row in zip(clients, rows, strict=True):
            tell(f"  {client}: {row['images_per_second']:.0f}/s, {row['cpu_ms_per_image']:.2f} ms of CPU")
        yield {**asdict(load), "clients": dict(zip(clients, rows, strict=True))}


def nightly(world: World, extent: Extent) -> Row:
    """A registry of which a hundredth goes, once."""
    load = Load(extent.nightly, 64, kept=extent.nightly * 99 // 100)
    tell(f"nightly: {load}")
    first, second = in_turn(1, partial(world.first_night, load), partial(world.second_night, load))
    return {**asdict(load), "first_night": first, "second_night": second}


def large(world: World, extent: Extent) -> Row:
    """The memory that one large repository takes, once."""
    load = Load(extent.large, 64, kept=extent.large * 99 // 100)
    tell(f"large: {load}")
    return {**asdict(load), "first_night": medians([world.first_night(load)])}


def imports(world: World, extent: Extent) -> Row:
    """The handler beside the script, and beside what a handler over requests cannot do without."""
    tell("imports")

    def figures(what: str, **options: Any) -> Row:
        told = measured(what, {}, **options)
        return {"cpu_ms": 1000 * told["cpu_seconds"], "peak_mb": told["peak_mb"]}

    handler = partial(figures, "import_handler", bundle=world.bundle)
    script, libraries = partial(figures, "import_script"), partial(figures, "import_libraries")
    in_turn(1, handler, script, libraries)  # fills the bytecode cache
    ours, of_the_script, needed = in_turn(extent.imports, handler, script, libraries)
    return {
        "handler": ours,
        "grpc_script": of_the_script,
        "requests_jwt_rsa": needed,
        "beside_requests_jwt_rsa": {name: ratio(ours[name], needed[name]) for name in ours},
    }


def measure(world: World, extent: Extent, prices: cost.Prices) -> Row:
    started, way, load_before = time.monotonic(), quota.way(), os.getloadavg()
    document: Row = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}",
        "python": platform.python_version(),
        "share_of_a_core": way,
        "rounds": extent.rounds,
        "latency_ms": LATENCY_MS,
        "layers": {"of_an_image": LAYERS, "shared_by_all": SHARED_LAYERS},
        "import": imports(world, extent),
        "speed": list(speed(world, extent, shares=not way.startswith("not"))),
        "nightly": nightly(world, extent),
        "large": large(world, extent),
    }
    document["cost"] = cost.table(document, prices)
    document["foretold"] = cost.foretold(document)
    document["promises"] = judged(document)
    document["seconds"] = round(time.monotonic() - started)
    document["load_average"] = {"before": load_before[0], "after": os.getloadavg()[0]}
    return document


def tell(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


@contextmanager
def started() -> Iterator[World]:
    with tempfile.TemporaryDirectory() as scratch, emulator(None, "--grpc", "--tls") as cloud:
        yield World(cloud, Path(scratch))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--quick", action="store_true", help="one round of few images: whether it works, not how fast"
    )
    cost.add_options(parser)
    arguments = parser.parse_args()
    with started() as world:
        document = measure(world, QUICK if arguments.quick else WHOLE, cost.prices_of(arguments))
    print(json.dumps(document, indent=2))
    print(tables.markdown(document), file=sys.stderr)


if __name__ == "__main__":
    main()
