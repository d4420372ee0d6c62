"""Worlds in which clean-ups work, one made from each number, while others change them and much goes wrong.

    .venv/bin/python -m tests.worlds --seed 17              one world, and its story
    .venv/bin/python -m tests.worlds --seed 17 --shrink     with no more changes and faults than it takes
    .venv/bin/python -m tests.worlds --worlds 3000          many; REGISTRY_JANITOR_SEED (or --first) is the
                                                            first; --stories DIRECTORY keeps what went wrong

Each is carried out by the packaged handler in mode apply. Its process is a warm one that cleans many worlds,
with a clock that runs fast, so that a few slow answers make a listing old.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.conftest import FOLDER
from tests.emulator.client import RunningEmulator, emulator, service_account
from tests.support.cloud import unpacked
from tests.support.function_server import Instance
from tests.support.world_making import World, world
from tests.support.world_needs import held_by, subjects_of
from tests.support.world_oracle import Fault, judge
from tests.support.world_replay import Replay

SPEED = 20.0
FIRST_SEED = int(os.environ.get("REGISTRY_JANITOR_SEED", "0"))
PROCESSES = 2
WATCHED = (
    "/container-registry/v1/images",
    "/container-registry/v1/lifecyclePolicies",
    "/container-registry/v1/dry",
    "/cloud-registry/v1/registries/",
    "/cloud-registry/v1/lifecyclePolicies",
)


@dataclass(frozen=True)
class Ending:
    """What came of a world."""

    world: World
    replay: Replay
    report: dict[str, Any]
    faults: list[Fault]

    def kinds(self) -> set[str]:
        return {fault.kind for fault in self.faults}


class Cleaner:
    """The packaged handler in a warm process beside an emulator, which cleans one world after another."""

    def __init__(self, running: RunningEmulator, bundle: Path, directory: Path) -> None:
        self._emulator = running
        self._account, key = service_account(folder_id=FOLDER)
        self._settings = directory / "janitor.toml"
        self._log = (directory / "log").open("w+")
        environment = {
            "YC_API_ENDPOINT": running.url,
            "YC_REGISTRY_ENDPOINT": running.url,
            "YC_CLOUD_REGISTRY_ENDPOINT": f"{running.url}/cloud-registry-v2",
            "SA_KEY": json.dumps(key),
            "JANITOR_CONFIG": str(self._settings),
        }
        self._instance = Instance(bundle, "cleanup.handler", environment, 3600, speed=SPEED, log=self._log)

    def clean(self, made: World) -> Ending:
        self._settings.write_text(toml_of(made.settings))
        self._emulator.seed({"service_accounts": [self._account], **made.cloud})
        self._emulator.behaviour(**made.behaviour)
        answer = self._instance.call({})
        report = answer.get("result")
        if report is None:
            raise AssertionError(f"world {made.seed}: the handler raised {answer['error']}")
        time.sleep(made.behaviour["operation_ms"] / 1000)  # what was begun ends
        replay = Replay(made.cloud, self._emulator.history(), made.behaviour["cloud_registry"])
        faults = judge(replay, made.settings, made.blind, report, SPEED)
        printed = self._log.read()
        if "Traceback" in printed:
            faults.append(Fault("a traceback in the log", printed[-3000:]))
        return Ending(made, replay, report, faults)

    def close(self) -> None:
        self._instance.close()
        self._log.close()


@contextmanager
def cleaner(running: RunningEmulator, bundle: Path) -> Iterator[Cleaner]:
    with tempfile.TemporaryDirectory() as directory:
        made = Cleaner(running, bundle, Path(directory))
        try:
            yield made
        finally:
            made.close()


def toml_of(settings: dict[str, Any]) -> str:
    """The settings as janitor.toml: JSON's texts, numbers, booleans and lists are TOML's too."""
    plain = {
        name: value for name, value in settings.items() if not isinstance(value, dict) and name != "rules"
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in plain.items()]
    tables = [(f"[{name}]", value) for name, value in settings.items() if isinstance(value, dict)]
    for title, table in [*tables, *(("[[rules]]", rule) for rule in settings["rules"])]:
        lines += [title, *(f"{name} = {json.dumps(value)}" for name, value in table.items())]
    return "\n".join(lines) + "\n"


def story(ending: Ending) -> str:
    """The world, what happened in it and what is wrong with that."""
    made, lines = ending.world, [f"World {ending.world.seed}"]
    lines += [
        f"    again: .venv/bin/python -m tests.worlds --seed {made.seed}",
        "Settings:",
        toml_of(made.settings),
    ]
    parts = ending.replay.snapshots[0].parts
    digests = {image.digest: image.id for image in ending.replay.snapshots[0].images.values()}
    lines.append(f"Cloud Registry: {json.dumps(made.behaviour['cloud_registry'])}")
    for registry in made.cloud["registries"] + made.cloud["cloud_registries"]:
        lines.append(f"{registry['id']} policies: {json.dumps(registry.get('policies'))}")
        for repository in registry["repositories"]:
            name = f"{registry['id']}/{repository['name']}"
            lines += [name, f"    policies: {json.dumps(repository.get('policies'))}"]
            for image in ending.replay.snapshots[0].of_repository(name):
                held = [digests.get(digest, digest[:19]) for digest in sorted(held_by(image))]
                refers = [digests.get(digest, digest[:19]) for digest in sorted(subjects_of(image))]
                days = (time.time() - image.created_at) / 86400
                lines.append(
                    f"    {image.id} {parts.get(image.id, '')} {image.digest[7:15]} {days:6.1f}d tags {list(image.tags)}"
                    + (f" holds {held}" if held else "")
                    + (f" refers to {refers}" if refers else "")
                )
    lines += [f"runs: {use}" for use in ending.replay.snapshots[0].uses]
    lines += ["What happened:", *_happened(ending.replay.history)]
    lines += [f"Report: {ending.report['status']} {json.dumps(ending.report['totals'])}"]
    lines += [f"    {row['code']}: {row['message']}" for row in ending.report["warnings"]]
    lines += [f"    error: {row['where']}: {row['message']}" for row in ending.report["errors"]]
    lines += [
        f"    {row['image_id']} {row['outcome']} {row['guard'] or ''} {row.get('kept_by') or ''}"
        f" ({row['reason']})"
        for row in ending.report["images"]
    ]
    lines += ["Wrong:", *(f"    {fault.kind}: {fault.story}" for fault in ending.faults)]
    return "\n".join(lines)


def _happened(history: list[dict[str, Any]]) -> Iterator[str]:
    calls, start = {}, history[0]["at"] if history else 0.0
    for row in history:
        moment = f"    {(row['at'] - start) * SPEED:6.1f}s"
        if row["kind"] == "call":
            calls[row["number"]] = row
        if row["kind"] == "answer":
            call = calls[row["number"]]
            watched = call["method"] == "DELETE" or call["path"].startswith(WATCHED)
            if watched or row["fault"] or "manifests" not in call["path"]:
                text = f"{call['method']} {call['path']} {unquote(call['query'])}"
                since = (call["at"] - start) * SPEED
                fault = f"  FAULT {row['fault']}" if row["fault"] else ""
                yield f"{moment} call {row['number']} (of {since:.1f}s) {text}: {row['status']}{fault}"
        if row["kind"] in ("change", "refused", "removed"):
            rest = {name: value for name, value in row.items() if name not in ("kind", "at")}
            yield f"{moment} {row['kind'].upper()} {json.dumps(rest)}"


def shrunk(running: RunningEmulator, bundle: Path, ending: Ending) -> Ending:
    """The same kinds of fault with fewer changes and faults of the cloud, as far as leaving out one at a time
    leads.

    Each try has a process of its own, for a warm one remembers manifests.
    """
    kinds = ending.kinds()
    for part in ("changes", "faults"):
        for number in reversed(range(len(ending.world.behaviour[part]))):
            behaviour = dict(ending.world.behaviour)
            behaviour[part] = [one for place, one in enumerate(behaviour[part]) if place != number]
            with cleaner(running, bundle) as work:
                tried = work.clean(replace(ending.world, behaviour=behaviour))
            if tried.kinds() >= kinds:
                ending = tried
    return ending


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.worlds", description="Clean-ups in random worlds.")
    parser.add_argument("--seed", type=int, help="this world alone, with its story")
    parser.add_argument("--shrink", action="store_true", help="leave out what the fault does not need")
    parser.add_argument("--worlds", type=int, default=300)
    parser.add_argument(
        "--stories", type=Path, help="a directory for the stories of those where something is wrong"
    )
    parser.add_argument("--first", type=int, default=FIRST_SEED)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        bundle = unpacked(Path(directory))
        if arguments.seed is not None:
            with emulator() as running, cleaner(running, bundle) as work:
                ending = work.clean(world(arguments.seed))
                print(story(shrunk(running, bundle, ending) if arguments.shrink else ending))
                sys.exit(bool(ending.faults))
        seeds = range(arguments.first, arguments.first + arguments.worlds)
        sys.exit(_many(bundle, seeds, arguments.stories))


def _many(bundle: Path, seeds: range, stories: Path | None) -> bool:
    """Cleans the worlds and tells of each kind of fault how often it was seen, and where.

    Whether there were any.
    """

    def part(number: int) -> list[tuple[int, set[str], int]]:
        endings = []
        with emulator() as running, cleaner(running, bundle) as work:
            for seed in seeds[number::PROCESSES]:
                ending = work.clean(world(seed))
                endings.append((seed, ending.kinds(), len(ending.replay.removals)))
                if ending.faults:
                    print(f"world {seed}: {'; '.join(sorted(ending.kinds()))}", flush=True)
                    if stories:
                        stories.mkdir(parents=True, exist_ok=True)
                        (stories / f"{seed}.txt").write_text(story(ending))
        return endings

    with ThreadPoolExecutor(PROCESSES) as pool:
        endings = [ending for endings in pool.map(part, range(PROCESSES)) for ending in endings]
    counts = Counter(kind for _, kinds, _ in endings for kind in kinds)
    for kind, count in counts.most_common():
        print(f"{count:5}  {kind}: {sorted(seed for seed, kinds, _ in endings if kind in kinds)[:12]}")
    removed = sum(count for _, _, count in endings)
    print(
        f"{len(endings)} worlds from {seeds[0]} on, {removed} images deleted,"
        f" {sum(map(bool, counts.values()))} kinds of fault"
    )
    return bool(counts)


if __name__ == "__main__":
    main()
