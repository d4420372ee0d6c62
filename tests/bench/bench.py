"""`python -m tests.bench`: how fast, how cheap and how big a clean-up is. One JSON document on standard
output.

Beside each figure of the packaged handler stands that of a script on the official gRPC stubs, run in turn
with it on the same emulator, and the limit that latency sets (`concurrency / latency`). Every run is a
process of its own (`bench_process.py`) and starts from a new seed; a figure is the median of the repeats, of
which growth has one. `--quick` is one repeat of too few images to judge by. Both clients are given their
token where their speed is compared; in `growth` and `guarded` the handler signs in with a key.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from tests.emulator.client import RunningEmulator, emulator, service_account
from tests.support.cloud import unpacked

PROCESS = Path(__file__).with_name("bench_process.py")
FOLDER, REGISTRY, REPOSITORY, TOKEN = "b1gfolder", "crp1", "team-a/app", "t1.bench"
KEPT, LAYERS, SHARED_LAYERS = 50, 8, 5
LATENCIES_MS, CONCURRENCIES = (0, 20), (16, 32)
WITHOUT_GUARDS = '[guards]\nin_use = "none"\nindex_children = false\nreferrers = false\n'

Row = dict[str, Any]


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    images: int
    repeats: int
    growth: tuple[int, int, int]
    imports: int


WHOLE = Extent(images=4000, repeats=3, growth=(1000, 10_000, 50_000), imports=15)
QUICK = Extent(images=500, repeats=1, growth=(300, 600, 1200), imports=1)


@dataclass(frozen=True)
class Load:
    """One repository and how it is cleaned."""

    images: int
    latency_ms: int = 0
    concurrency: int = 16
    guards: bool = False
    key: bool = True


class Bench:
    """The emulator, the unpacked archive, and a run of either client on a load."""

    def __init__(self, cloud: RunningEmulator, scratch: Path) -> None:
        self.cloud, self.bundle = cloud, str(unpacked(scratch))
        self._account, self._key = service_account(folder_id=FOLDER)
        self._unguarded = scratch / "janitor.toml"
        self._unguarded.write_text(WITHOUT_GUARDS)

    def handler(self, load: Load) -> Row:
        environment = {
            "YC_API_ENDPOINT": self.cloud.url,
            "YC_REGISTRY_ENDPOINT": self.cloud.url,
            "YC_CLOUD_REGISTRY_ENDPOINT": f"{self.cloud.url}/cloud-registry-v2",
            "FOLDER_ID": FOLDER,
            "CLEANUP_MODE": "apply",
            "MAX_DELETIONS": "100000",
            "MAX_SHARE": "1",
            "CONCURRENCY": str(load.concurrency),
        }
        environment |= {"SA_KEY": json.dumps(self._key)} if load.key else {"IAM_TOKEN": TOKEN}
        if not load.guards:
            environment |= {"JANITOR_CONFIG": str(self._unguarded)}
        row = self._cleaned(load, "clean_up", environment, bundle=self.bundle)
        report = row.pop("report")
        if (report["status"], report["totals"]["deleted"]) != ("ok", load.images - KEPT):
            raise AssertionError(f"the clean-up went wrong: {report}")
        return row

    def script(self, load: Load) -> Row:
        options = {"keep": KEPT, "concurrency": load.concurrency, "token": TOKEN}
        repository = f"{REGISTRY}/{REPOSITORY}"
        row = self._cleaned(
            load, "grpc_script", {}, address=self.cloud.grpc, repository=repository, **options
        )
        del row["report"]
        return row

    def _cleaned(self, load: Load, what: str, environment: dict[str, str], **options: Any) -> Row:
        self.cloud.seed(self._seed(load.images))
        self.cloud.behaviour(latency_ms=load.latency_ms)
        self.cloud.clear_calls()
        told = measured(what, environment, **options)
        deleted = load.images - KEPT
        left = len(self.cloud.image_ids())
        if left != KEPT:
            raise AssertionError(f"{what} left {left} images instead of {KEPT}: {told['result']}")
        return {
            "seconds": told["seconds"],
            "images_per_second": deleted / told["seconds"],
            "calls_per_image": sum(self.cloud.call_counts().values()) / deleted,
            "cpu_ms_per_image": 1000 * told["cpu_seconds"] / deleted,
            "peak_mb": told["peak_mb"],
            "report": told["result"],
        }

    def _seed(self, images: int) -> dict[str, Any]:
        rule = {"tag_regexp": ".*", "retained_top": KEPT}
        series = {
            "series": images,
            "tags": ["build-{n}"],
            "layers": LAYERS,
            "shared_layers": SHARED_LAYERS,
        }
        repository = {
            "name": REPOSITORY,
            "policies": [{"name": "old builds", "status": "ACTIVE", "rules": [rule]}],
            "images": [series],
        }
        return {
            "service_accounts": [self._account],
            "tokens": [{"token": TOKEN, "service_account_id": self._account["id"]}],
            "registries": [
                {"id": REGISTRY, "folder_id": FOLDER, "name": "main", "repositories": [repository]}
            ],
        }


def measured(what: str, environment: dict[str, str], **options: Any) -> dict[str, Any]:
    """What a fresh process tells of one piece of work."""
    ended = subprocess.run(
        [sys.executable, "-I", str(PROCESS)],
        input=json.dumps({"what": what, "with": options}),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise AssertionError(f"{what} ended with {ended.returncode}:\n{ended.stderr}")
    told: dict[str, Any] = json.loads(ended.stdout)
    return told


def in_turn(repeats: int, *works: Callable[[], Row]) -> list[Row]:
    """The medians of each of the works, which run one after the other, over and over."""
    rounds = [[work() for work in works] for _ in range(repeats)]
    return [medians([of_round[number] for of_round in rounds]) for number in range(len(works))]


def medians(rows: list[Row]) -> Row:
    return {name: round(median(row[name] for row in rows), 3) for name in rows[0]}


def speed(bench: Bench, extent: Extent) -> Iterator[Row]:
    """Both clients at every latency and concurrency."""
    for latency_ms in LATENCIES_MS:
        for concurrency in CONCURRENCIES:
            load = Load(extent.images, latency_ms, concurrency, key=False)
            tell(f"{load.images} images, {latency_ms} ms, {concurrency} at once")
            handler, script = in_turn(
                extent.repeats, partial(bench.handler, load), partial(bench.script, load)
            )
            limit = 1000 * concurrency / latency_ms if latency_ms else None
            yield {
                "latency_ms": latency_ms,
                "concurrency": concurrency,
                "limit_images_per_second": limit,
                "handler": handler,
                "grpc_script": script,
                "times_the_script": ratio(handler["images_per_second"], script["images_per_second"]),
                "share_of_the_limit": ratio(handler["images_per_second"], limit) if limit else None,
            }


def growth(bench: Bench, extent: Extent) -> Iterator[Row]:
    """Time and memory as the repository grows, without latency."""
    for images in extent.growth:
        tell(f"{images} images")
        handler, script = in_turn(
            1, partial(bench.handler, Load(images)), partial(bench.script, Load(images))
        )
        yield {"images": images, "handler": handler, "grpc_script": script}


def imports(bench: Bench, extent: Extent) -> Row:
    """The handler beside the script, and beside what a handler over requests cannot do without."""
    tell("imports")

    def figures(what: str, **options: Any) -> Row:
        told = measured(what, {}, **options)
        return {"ms": 1000 * told["seconds"], "peak_mb": told["peak_mb"]}

    handler = partial(figures, "import_handler", bundle=bench.bundle)
    script, libraries = partial(figures, "import_script"), partial(figures, "import_libraries")
    in_turn(1, handler, script, libraries)  # fills the bytecode cache
    ours, of_the_script, needed = in_turn(extent.imports, handler, script, libraries)
    return {
        "handler": ours,
        "grpc_script": of_the_script,
        "requests_jwt_rsa": needed,
        "beside_requests_jwt_rsa": {name: ratio(ours[name], needed[name]) for name in ours},
    }


def ratio(one: float, other: float) -> float:
    return round(one / other, 3)


def judged(document: Row) -> list[Row]:
    """What was promised, and whether it was kept."""
    at = next(row for row in document["speed"] if (row["latency_ms"], row["concurrency"]) == (20, 16))
    cpu = max(
        ratio(row["handler"]["cpu_ms_per_image"], row["grpc_script"]["cpu_ms_per_image"])
        for row in document["speed"]
    )
    calls = max(row["handler"]["calls_per_image"] for row in document["speed"])
    small, middle, large = document["growth"]
    per_image = [row["handler"]["seconds"] / row["images"] for row in (small, large)]
    return [
        _promise("calls per deleted image", calls, at_most=1.05),
        _promise("times the script's speed at 20 ms and 16", at["times_the_script"], at_least=1.8),
        _promise("share of the limit at 20 ms and 16", at["share_of_the_limit"], at_least=0.8),
        _promise("CPU per image beside the script's, at worst", cpu, at_most=1.0),
        _promise(f"MB at {large['images']} images", large["handler"]["peak_mb"], at_most=128),
        _promise(
            f"time per image at {large['images']} beside {small['images']}",
            ratio(*per_image[::-1]),
            at_most=1.2,
        ),
        _promise(
            f"MB at {large['images']} images beside what a straight line foretells",
            ratio(large["handler"]["peak_mb"], _foretold_mb(small, middle, large["images"])),
            at_most=1.2,
        ),
    ]


def _foretold_mb(small: Row, middle: Row, images: int) -> float:
    """What so many images would take if each took as much as those between the small and the middle."""
    one, other = small["handler"]["peak_mb"], middle["handler"]["peak_mb"]
    each = (other - one) / (middle["images"] - small["images"])
    return float(one + each * (images - small["images"]))


def _promise(what: str, got: float, *, at_most: float | None = None, at_least: float | None = None) -> Row:
    kept = got <= at_most if at_most is not None else got >= (at_least or 0)
    bound = {"at_most": at_most} if at_most is not None else {"at_least": at_least}
    return {"what": what, "got": got, **bound, "kept": kept}


def measure(bench: Bench, extent: Extent) -> Row:
    guarded = Load(extent.images, latency_ms=20, guards=True)
    document: Row = {
        "guards": "none but in `guarded`, where all are on",
        "signs_in": "with a ready token in `speed`, as the script does; with a key elsewhere",
        "layers": {"of_an_image": LAYERS, "shared_by_all": SHARED_LAYERS},
        "import": imports(bench, extent),
        "speed": list(speed(bench, extent)),
        "growth": list(growth(bench, extent)),
    }
    tell("all guards on")
    document["guarded"] = {"latency_ms": 20, "concurrency": 16, "handler": medians([bench.handler(guarded)])}
    document["promises"] = judged(document)
    return document


def tell(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr)


@contextmanager
def started() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as scratch, emulator(None, "--grpc") as cloud:
        yield Bench(cloud, Path(scratch))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--quick", action="store_true", help="one repeat of few images: whether it works, not how fast"
    )
    extent = QUICK if parser.parse_args().quick else WHOLE
    with started() as bench:
        print(json.dumps(measure(bench, extent), indent=2))


if __name__ == "__main__":
    main()
