"""Sixteen processes race for a lease, a plan's decision and a webhook id, round by round: one gets each.

    python -m tests.races [ROUNDS [directory | bucket]]

A third of the answers to writes to the bucket are lost after the write was carried out, and in each round one
of the processes, which may be in the midst of it, stands still for a while.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.auth.environment import read_access
from shared.errors import OutOfTime, PlanRefused
from shared.settings.settings import load
from shared.state import plans, seen
from shared.state.leases import Leases
from shared.state.plans import CARRIED_OUT, Decision
from shared.state.stores import store_of
from tests.conftest import BUCKET
from tests.emulator.client import PROJECT_ROOT, RunningEmulator, emulator
from tests.support.object_storage import TOKEN, seed_bucket

PROCESSES = 16
LOST = {"match": f"PUT /s3/{BUCKET}/*", "cut": "after", "share": 1 / 3}
PRIZES = ("lease", "decision", "webhook id")


def race(run_id: str) -> None:
    """One of the processes: a round for each line of its input, a line with what it got for each."""
    store = store_of(load(os.environ), read_access(os.environ))
    assert store
    for line in sys.stdin:
        number = int(line)
        leases = Leases(store, f"{run_id}-{number}")
        try:
            holder = leases.claim(f"crp{number}", twice(0.01))
        except OutOfTime:
            holder = "nobody"
        plan_id = f"20261126T000000{number:06}Z-{0:032}"
        try:
            plans.decide(store, plan_id, Decision(CARRIED_OUT, "", run_id))
            decided = True
        except PlanRefused:
            decided = False
        first = seen.first(store, "calls", f"msg-{number}", 1_000_000.0 + number, 600)
        won = [name for name, got in zip(PRIZES, (holder is None, decided, first), strict=True) if got]
        print(json.dumps({"run_id": f"{run_id}-{number}", "won": won, "holder": holder}), flush=True)


def twice(seconds: float) -> Callable[[float], None]:
    """A pause of so many seconds, which ends the time at the third: who was too late to create a lease looks
    whose it is.
    """
    pauses = iter((seconds, seconds))

    def pause(_wanted: float) -> None:
        asleep = next(pauses, None)
        if asleep is None:
            raise OutOfTime("It waits no longer.")
        time.sleep(asleep)

    return pause


def races(environment: dict[str, str], rounds: int, at_random: random.Random) -> Counter[str]:
    """How many rounds had exactly one winner, for each prize. Whoever lost a lease knows to whom."""
    fair: Counter[str] = Counter()
    started = [
        subprocess.Popen(
            [sys.executable, "-c", f"from tests.races import race; race('run{number}')"],
            cwd=PROJECT_ROOT,
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    try:
        for number in range(rounds):
            results = _round(started, number, at_random)
            winners = Counter(name for result in results for name in result["won"])
            fair.update(name for name in PRIZES if winners[name] == 1)
            (holder,) = {result["run_id"] for result in results if "lease" in result["won"]} or {"none"}
            assert {result["holder"] for result in results} == {None, holder}, results
    finally:
        for process in started:
            process.kill()
            process.communicate()
    return fair


def _round(
    started: list[subprocess.Popen[str]], number: int, at_random: random.Random
) -> list[dict[str, Any]]:
    frozen = at_random.choice(started)
    for process in started:
        assert process.stdin
        process.stdin.write(f"{number}\n")
        process.stdin.flush()
    time.sleep(at_random.uniform(0, 0.05))
    os.kill(frozen.pid, signal.SIGSTOP)
    time.sleep(at_random.uniform(0, 0.2))
    os.kill(frozen.pid, signal.SIGCONT)
    return [json.loads(process.stdout.readline()) for process in started if process.stdout]


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
