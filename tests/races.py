"""Sixteen processes race for a lease, a plan's decision and a webhook id, round by round: one gets each.

    python -m tests.races [ROUNDS [directory | bucket]]

A third of the answers to writes to the bucket are lost after the write was carried out, and all the time one
of the processes, which may be in the midst of it, stands still for a moment.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import BUCKET
from tests.emulator.client import PROJECT_ROOT, RunningEmulator, emulator
from tests.support.object_storage import TOKEN, seed_bucket
from tests.support.racer import AT_ONCE, PRIZES

PROCESSES = 16
LOST = {"match": f"PUT /s3/{BUCKET}/*", "cut": "after", "share": 1 / 3}

Racers = list[subprocess.Popen[str]]


def races(environment: dict[str, str], rounds: int, at_random: random.Random) -> Counter[str]:
    """How many rounds had exactly one winner, for each prize. Whoever lost a lease knows to whom."""
    fair: Counter[str] = Counter()
    racers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.racer", f"run{number}"],
            cwd=PROJECT_ROOT,
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    try:
        with standing_still(racers, at_random):
            for first in range(0, rounds, AT_ONCE):
                for results in _rounds(racers, range(first, min(first + AT_ONCE, rounds))):
                    winners = Counter(name for result in results for name in result["won"])
                    fair.update(name for name in PRIZES if winners[name] == 1)
                    (holder,) = {one["run_id"] for one in results if "lease" in one["won"]} or {"none"}
                    assert {result["holder"] for result in results} == {None, holder}, results
    finally:
        for racer in racers:
            racer.kill()
            racer.communicate()
    return fair


def _rounds(racers: Racers, numbers: range) -> list[list[dict[str, Any]]]:
    """What each of the racers got in each of the rounds, which are begun together."""
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("".join(f"{number}\n" for number in numbers))
        racer.stdin.flush()
    told = [json.loads(racer.stdout.readline()) for racer in racers for _ in numbers if racer.stdout]
    assert not [result for result in told if "error" in result], told
    return [[result for result in told if result["number"] == number] for number in numbers]


@contextmanager
def standing_still(racers: Racers, at_random: random.Random) -> Iterator[None]:
    """All the while one of the racers after another is stopped, and goes on a moment later."""
    over = threading.Event()

    def stop_and_go() -> None:
        while not over.wait(at_random.uniform(0, 0.05)):
            racer = at_random.choice(racers)
            os.kill(racer.pid, signal.SIGSTOP)
            over.wait(at_random.uniform(0, 0.2))
            os.kill(racer.pid, signal.SIGCONT)

    thread = threading.Thread(target=stop_and_go)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def in_bucket(running: RunningEmulator) -> dict[str, str]:
    seed_bucket(running)
    running.behaviour(faults=[LOST])
    return {
        "YC_API_ENDPOINT": running.url,
        "YC_STORAGE_ENDPOINT": f"{running.url}/s3",
        "IAM_TOKEN": TOKEN,
        "STATE_BUCKET": BUCKET,
        "FOLDER_ID": "b1gfolder",
    }


def in_directory(path: Path) -> dict[str, str]:
    return {"STATE_DIR": str(path), "FOLDER_ID": "b1gfolder"}


def main(rounds: int, kind: str) -> int:
    seed, began_at = random.randrange(2**32), time.monotonic()
    with emulator() as running, tempfile.TemporaryDirectory() as directory:
        environment = in_bucket(running) if kind == "bucket" else in_directory(Path(directory))
        fair = races(environment, rounds, random.Random(seed))
    print(
        f"{rounds} rounds in a {kind}, seed {seed}, {time.monotonic() - began_at:.0f} s: one winner in {fair}"
    )
    return 0 if all(fair[name] == rounds for name in PRIZES) else 1


if __name__ == "__main__":
    sys.exit(main(int((sys.argv[1:] or ["200"])[0]), (sys.argv[2:] or ["bucket"])[0]))
