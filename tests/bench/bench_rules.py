"""`python -m tests.bench.bench_rules`: how fast rules decide, and what a dry run of 200,000 images in 2,000
repositories takes.

One JSON document on standard output. Deciding alone is measured in this process, on images made up
beforehand; the dry run is the packaged handler's, in a process of its own (`bench_process.py`), against the
emulator.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from shared.retention.records import Image
from shared.retention.rules import covering, decide
from shared.settings.rules import check_rules
from tests.bench.promises import ratio
from tests.bench.world import FOLDER, measured
from tests.emulator.client import emulator, service_account
from tests.support.cloud import unpacked

RULES: list[dict[str, Any]] = [
    {"name": "branches", "tags": "feature-.*", "older_than": "7d", "keep_newest": 5,
     "group_by": "feature-(?P<group>[^-]+)-.*"},
    {"name": "pull requests", "tags": r"pr-\d+", "older_than": "3d"},
    {"name": "untagged", "untagged": True, "older_than": "1d"},
    {"name": "releases", "action": "keep", "tags": r"v\d+\.\d+\.\d+"},
]  # fmt: skip
IMAGES_EACH = 100
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def tags_of(number: int) -> tuple[str, ...]:
    """A tenth untagged, a tenth releases, three tenths pull requests, the rest seven branches."""
    kind = number % 10
    if kind == 0:
        return ()
    if kind == 1:
        return (f"v1.{number}.0",)
    return (f"pr-{number}",) if kind < 5 else (f"feature-b{number % 7}-{number}",)


def repository(number: int) -> list[Image]:
    return [
        Image(
            f"crp{number:08}{place:09}",
            f"sha256:{number:032x}{place:032x}",
            tags_of(place),
            (NOW - timedelta(hours=7 * place)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            1,
            b"",
        )
        for place in range(IMAGES_EACH)
    ]


def deciding(repositories: int, repeats: int) -> dict[str, Any]:
    """Images a second, deciding alone."""
    rules = check_rules(RULES, lambda key: key)
    images = [repository(number) for number in range(repositories)]
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        taken = sum(
            len(decide(covering(rules, f"team/app{number}"), found, NOW).taken)
            for number, found in enumerate(images)
        )
        seconds.append(time.perf_counter() - started)
    count = repositories * IMAGES_EACH
    return {"images": count, "taken": taken, "images_per_second": round(count / median(seconds))}


def dry_run(repositories: int) -> dict[str, Any]:
    """The packaged handler's dry run, all guards on, half of it shared layers."""
    account, key = service_account(folder_id=FOLDER)
    series = [
        {"series": 60, "tags": ["pr-{n}"], "newest": "1d", "step": "6h", "layers": 6, "shared_layers": 4},
        {"series": 30, "tags": ["feature-b{n}-{n}"], "newest": "1d", "step": "12h", "layers": 6},
        {"series": 10, "tags": ["v1.{n}.0"], "newest": "1d", "step": "12h", "layers": 6},
    ]
    registry = {
        "id": "crp1",
        "folder_id": FOLDER,
        "name": "main",
        "repositories": [{"name": f"team/app{number}", "images": series} for number in range(repositories)],
    }
    with tempfile.TemporaryDirectory() as scratch, emulator() as cloud:
        config = Path(scratch) / "janitor.toml"
        config.write_text(toml() + "\n[guards]\nindex_children = false\nreferrers = false\n")
        cloud.seed({"service_accounts": [account], "registries": [registry]})
        environment = {
            "YC_API_ENDPOINT": cloud.url,
            "YC_REGISTRY_ENDPOINT": cloud.url,
            "YC_CLOUD_REGISTRY_ENDPOINT": f"{cloud.url}/cloud-registry-v2",
            "FOLDER_ID": FOLDER,
            "SA_KEY": json.dumps(key),
            "JANITOR_CONFIG": str(config),
            "MAX_DELETIONS": "1000000",
        }
        told = measured("clean_up", environment, bundle=str(unpacked(Path(scratch))))
        calls = sum(cloud.call_counts().values())
    totals = told["result"]["totals"]
    return {
        "repositories": repositories,
        "images": totals["images"],
        "candidates": totals["candidates"],
        "status": told["result"]["status"],
        "seconds": round(told["seconds"], 1),
        "calls": calls,
        "peak_mb": round(told["peak_mb"], 1),
    }


def toml() -> str:
    return "".join(
        "[[rules]]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in rule.items())
        for rule in RULES
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.bench_rules", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the images, once")
    quick = parser.parse_args().quick
    sizes, repeats, repositories = (
        ((20, 200), 1, (20, 200)) if quick else ((20, 200, 2000), 5, (20, 200, 2000))
    )
    decided = [deciding(count, repeats) for count in sizes]
    document = {
        "rules": len(RULES),
        "deciding": decided,
        "speed_of_the_largest_beside_the_smallest": ratio(
            decided[-1]["images_per_second"], decided[0]["images_per_second"]
        ),
        "dry_run": [dry_run(count) for count in repositories],
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
