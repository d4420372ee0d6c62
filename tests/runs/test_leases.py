"""One run works on a registry at a time, whatever the clocks say and however long a run was frozen."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.errors import LeaseLost, StateError
from shared.state.directory import StateDir
from shared.state.leases import DEAD_AFTER, LOST_AFTER, Leases
from tests.conftest import BUCKET, FOLDER, Cloud, assert_adds_up, images, outcomes, policy
from tests.support.commands import (
    KEPT,
    Commands,
    builds,
    codes,
    gone_by,
    slow_deletes,
    wait_for_deletes,
    wait_until,
)
from tests.support.function_server import Instance
from tests.support.racer import twice

TOKEN = "t1.lease-test"  # whose holder's clock nobody asks


class Running:
    """An instance of the packaged ``cleanup.handler`` that carries a call out."""

    def __init__(self, instance: Instance, pool: ThreadPoolExecutor) -> None:
        self._instance = instance
        self._answer: Future[dict[str, Any]] = pool.submit(instance.call, {})

    def freeze(self) -> None:
        os.kill(self._instance.pid, signal.SIGSTOP)

    def wake(self) -> None:
        os.kill(self._instance.pid, signal.SIGCONT)

    def report(self) -> dict[str, Any]:
        result: dict[str, Any] = self._answer.result(120)["result"]
        return result


@contextmanager
def running(cloud: Cloud, place: dict[str, str]) -> Iterator[Running]:
    settings = {"CLEANUP_MODE": "apply", "CONCURRENCY": "4", "LOG_LEVEL": "INFO"}
    instance = Instance(cloud.bundle, "cleanup.handler", cloud.environment | settings | place)
    with ThreadPoolExecutor(1) as pool:
        run = Running(instance, pool)
        try:
            yield run
        finally:
            run.wake()
            instance.close()


def deletes(cloud: Cloud) -> list[str]:
    calls = [call for call in cloud.emulator.calls() if call["method"] == "DELETE"]
    return [call["path"] for call in calls if not call["path"].startswith("/s3/")]


LOST_ANSWERS = {"match": f"PUT /s3/{BUCKET}/*", "cut": "after", "share": 1 / 3}


@pytest.mark.slow
@pytest.mark.parametrize("in_bucket", [False, True], ids=["directory", "bucket"])
def test_a_run_that_wakes_up_after_another_took_its_registry_over_deletes_nothing_more(
    cloud: Cloud, tmp_path: Path, in_bucket: bool
) -> None:
    cloud.seed(*(builds(KEPT + 20, f"app{number}") for number in range(12)))
    slow = {"match": "DELETE /container-registry/*", "delay_ms": 40}
    cloud.emulator.behaviour(faults=[slow, LOST_ANSWERS])
    cloud.emulator.clear_calls()
    place = {"STATE_BUCKET": BUCKET} if in_bucket else {"STATE_DIR": str(tmp_path)}
    with running(cloud, place) as first:
        wait_until(lambda: len(deletes(cloud)) > 10, "the first run deletes")
        time.sleep(0.02)  # so that it waits for answers, and is not just about to send
        first.freeze()
        with running(cloud, place) as second:
            frozen_at = len(deletes(cloud))
            wait_until(lambda: len(deletes(cloud)) > frozen_at + 10, "the second run deletes")
            first.wake()
            lost, taken = first.report(), second.report()

    assert Counter(deletes(cloud)).most_common(1)[0][1] == 1
    assert (lost["status"], codes(lost)) == ("held-back", {"lease-lost"})
    assert (taken["status"], codes(taken)) == ("ok", {"run-cut-off"})
    assert set(outcomes(taken).values()) == {"deleted"}
    assert len(cloud.left()) == 12 * KEPT
    assert len(deletes(cloud)) == 12 * 20
    assert_adds_up(lost)
    assert_adds_up(taken)


SHIFTED = """
import datetime, os, time

shift, real = float(os.environ["SHIFT"]), time.time
time.time = lambda: real() + shift


class Shifted(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=shift)


datetime.datetime = Shifted
"""


@pytest.fixture
def skewed(cloud: Cloud, tmp_path: Path) -> Commands:
    """Commands that can be told by how many seconds their clock is wrong: ``SHIFT``."""
    state, python = tmp_path / "state", tmp_path / "python"
    state.mkdir()
    python.mkdir()
    (python / "sitecustomize.py").write_text(SHIFTED)
    commands = Commands(cloud, state)
    commands.environment |= {"SA_KEY": "", "IAM_TOKEN": TOKEN, "PYTHONPATH": str(python), "SHIFT": "0"}
    return commands


@pytest.mark.parametrize("shift", [18_000, -18_000], ids=["five hours ahead", "five hours behind"])
def test_a_run_whose_clock_is_wrong_leaves_a_run_that_lives_alone(
    cloud: Cloud, skewed: Commands, shift: int
) -> None:
    cloud.seed(builds(500), tokens=[{"token": TOKEN, "service_account_id": cloud.account["id"]}])
    slow_deletes(cloud, 40)
    before = cloud.left()
    first = skewed.start("cleanup")
    wait_for_deletes(cloud, before)

    second = skewed.told("cleanup", SHIFT=str(shift))
    assert first.poll() is None
    cloud.emulator.behaviour()
    out, _ = first.communicate(timeout=60)

    assert codes(second) == {"another-run"}
    assert (json.loads(out)["status"], codes(json.loads(out))) == ("ok", set())
    assert len(cloud.left()) == KEPT


@pytest.mark.slow
def test_registries_whose_runs_are_dead_are_taken_over_at_once_even_if_their_clocks_were_ahead(
    cloud: Cloud, skewed: Commands
) -> None:
    registries = [f"crp{number}" for number in range(3)]
    cloud.seed(
        registries=[
            {"id": one, "folder_id": FOLDER, "repositories": [builds(KEPT + 60, one)]} for one in registries
        ],
        tokens=[{"token": TOKEN, "service_account_id": cloud.account["id"]}],
    )
    slow_deletes(cloud, 60)
    before = cloud.left()
    started = [skewed.start("cleanup", REGISTRY_IDS=one, FOLDER_ID="", SHIFT="18000") for one in registries]
    for one in registries:
        wait_until(lambda one=one: len(cloud.left(one)) < KEPT + 60, "a delete in each")  # type: ignore[misc]
    for process in started:
        skewed.kill(process)
    cloud.emulator.behaviour()

    started_at = time.monotonic()
    last = skewed.told("cleanup")

    assert time.monotonic() - started_at < len(registries) * DEAD_AFTER
    assert (last["status"], codes(last)) == ("ok", {"run-cut-off"})
    assert len(cloud.left()) == len(registries) * KEPT
    assert gone_by(*skewed.reports()) == before - cloud.left()


def test_a_run_without_the_time_to_watch_leaves_the_registry_alone(cloud: Cloud, tmp_path: Path) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})
    assert Leases(StateDir(str(tmp_path)), "dead").claim("crp1") is None
    (lease,) = (tmp_path / "leases").iterdir()
    before = lease.read_bytes()

    started_at = time.monotonic()
    report = cloud.clean(timeout=8, STATE_DIR=str(tmp_path))

    assert time.monotonic() - started_at < 8
    assert codes(report) == {"another-run"}
    assert cloud.left() == {"new", "old"}
    assert lease.read_bytes() == before


def test_a_run_that_begins_while_another_ends_gets_the_registry(cloud: Cloud, tmp_path: Path) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})
    first = Leases(StateDir(str(tmp_path)), "first")
    assert first.claim("crp1") is None
    cloud.emulator.clear_calls()

    with running(cloud, {"STATE_DIR": str(tmp_path)}) as second:
        wait_until(lambda: bool(cloud.emulator.calls()), "the second run begins")
        time.sleep(1)
        first.release()
        report = second.report()

    assert (report["status"], codes(report), cloud.left()) == ("ok", set(), {"new"})


class Clock:
    """Goes on only as somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def held(tmp_path: Path) -> tuple[Leases, StateDir, Clock]:
    """The leases of a run that holds a registry and has renewed its lease there; its directory and its
    clock.
    """
    state, clock = StateDir(str(tmp_path)), Clock()
    first = Leases(state, "first", clock)
    assert first.claim("crp1", clock.sleep) is None
    clock.sleep(3)
    first.renew("crp1")
    return first, state, clock


def test_a_run_whose_clock_stood_still_with_it_learns_at_the_next_renewal_that_it_is_lost(
    held: tuple[Leases, StateDir, Clock],
) -> None:
    first, state, _ = held
    others = Clock()
    second = Leases(state, "second", others)
    assert second.claim("crp1", others.sleep) is None
    assert (others.now >= DEAD_AFTER, second.superseded) == (True, {"first"})

    first.renew("crp1")

    for _ in range(2):
        with pytest.raises(LeaseLost, match="the lease on the registry crp1 was taken over by another run"):
            first.check()
    second.renew("crp1")
    second.check()


@pytest.mark.parametrize(
    "text", [None, b"", b"{}", b'{"run_id": 7}'], ids=["deleted", "empty", "no lease", "odd"]
)
def test_a_lease_that_is_not_as_it_was_written_is_lost(
    held: tuple[Leases, StateDir, Clock], tmp_path: Path, text: bytes | None
) -> None:
    first, _, _ = held
    file = tmp_path / "leases" / "crp1.json"
    if text is None:
        file.unlink()
    else:
        file.write_bytes(text)
    first.renew("crp1")

    with pytest.raises(LeaseLost):
        first.check()


def test_a_lease_that_cannot_be_read_is_taken_over_as_that_of_a_dead_run(tmp_path: Path) -> None:
    (tmp_path / "leases").mkdir()
    (tmp_path / "leases" / "crp1.json").write_bytes(b"{")
    clock = Clock()
    leases = Leases(StateDir(str(tmp_path)), "first", clock)

    assert leases.claim("crp1", clock.sleep) is None
    assert clock.now >= DEAD_AFTER


def test_a_renewal_that_had_no_answer_but_was_written_loses_nothing(
    held: tuple[Leases, StateDir, Clock],
) -> None:
    first, state, clock = held

    class Unheard(StateDir):
        def replace(self, name: str, chunks: Iterable[bytes], version: str) -> str | None:
            super().replace(name, chunks, version)
            raise StateError(f"{self.where}: no answer.")

    first._state = Unheard(str(state._root))
    with pytest.raises(StateError):
        first.renew("crp1")
    first._state = state
    clock.sleep(3)
    first.renew("crp1")

    clock.sleep(LOST_AFTER)
    first.check()


def test_a_run_that_was_frozen_is_lost_for_ever_even_if_nobody_took_its_registry(
    held: tuple[Leases, StateDir, Clock],
) -> None:
    first, _, clock = held
    clock.sleep(LOST_AFTER)
    first.check()
    clock.sleep(0.1)

    with pytest.raises(LeaseLost, match=r"STATE_DIR \(.*\): the lease could not be renewed for 10 s"):
        first.check()
    first.renew("crp1")
    with pytest.raises(LeaseLost):
        first.check()


def test_one_lease_that_is_late_ends_the_run_in_all_its_registries(
    held: tuple[Leases, StateDir, Clock],
) -> None:
    first, _, clock = held
    assert first.claim("crp2", clock.sleep) is None
    clock.sleep(LOST_AFTER + 0.1)
    first.renew("crp1")

    with pytest.raises(LeaseLost):
        first.check()


def test_a_released_lease_is_taken_at_once_and_by_no_two(held: tuple[Leases, StateDir, Clock]) -> None:
    first, state, _ = held
    first.release()
    others = [Leases(state, f"other{number}") for number in range(4)]
    with ThreadPoolExecutor(len(others)) as pool:
        holders = list(pool.map(lambda leases: leases.claim("crp1", twice(0.1)), others))

    assert holders.count(None) == 1
    assert set(holders) - {None} == {f"other{holders.index(None)}"}


def test_a_run_that_has_lost_its_lease_leaves_it_to_the_next_when_it_ends(
    held: tuple[Leases, StateDir, Clock],
) -> None:
    first, state, _ = held
    others = Clock()
    second = Leases(state, "second", others)
    assert second.claim("crp1", others.sleep) is None

    first.release()

    second.renew("crp1")
    second.check()
