"""One of the processes of `tests.races`, which imports little so that many of them start at once.

For each number in a line of its input it races for a round's prizes, several rounds at a time, and tells in a
line what it got.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from shared.auth.environment import read_access
from shared.errors import OutOfTime, PlanRefused
from shared.settings.settings import load
from shared.state import plans, seen
from shared.state.leases import Leases
from shared.state.plans import CARRIED_OUT, Decision
from shared.state.store import Store
from shared.state.stores import store_of

AT_ONCE = 8
PRIZES = ("lease", "decision", "webhook id")


def race(run_id: str) -> None:
    store, printing = store_of(load(os.environ), read_access(os.environ)), threading.Lock()
    assert store

    def take_part(number: int) -> None:
        try:
            told = result(store, run_id, number)
        except Exception as error:
            told = {"number": number, "error": repr(error)}
        with printing:
            print(json.dumps(told), flush=True)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for line in sys.stdin:
            pool.submit(take_part, int(line))


def result(store: Store, run_id: str, number: int) -> dict[str, Any]:
    """What the process gets of a round."""
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
    return {"number": number, "run_id": f"{run_id}-{number}", "won": won, "holder": holder}


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


if __name__ == "__main__":
    race(sys.argv[1])
