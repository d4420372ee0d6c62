"""One run works on a registry at a time, whatever the clocks say and however long a run was frozen."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.commands import KEPT, builds, codes, slow_deletes, wait_until
from tests.conftest import Cloud, assert_adds_up, outcomes
from tests.function_server import Instance


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
def running(cloud: Cloud, state: Path) -> Iterator[Running]:
    settings = {"CLEANUP_MODE": "apply", "CONCURRENCY": "1", "LOG_LEVEL": "INFO", "STATE_DIR": str(state)}
    instance = Instance(cloud.bundle, "cleanup.handler", cloud.environment | settings)
    with ThreadPoolExecutor(1) as pool:
        run = Running(instance, pool)
        try:
            yield run
        finally:
            run.wake()
            instance.close()


def deletes(cloud: Cloud) -> list[str]:
    return [call["path"] for call in cloud.emulator.calls() if call["method"] == "DELETE"]


@pytest.mark.slow
def test_a_run_that_wakes_up_after_another_took_its_registry_over_deletes_nothing_more(
    cloud: Cloud, tmp_path: Path
) -> None:
    cloud.seed(*(builds(KEPT + 20, f"app{number}") for number in range(12)))
    slow_deletes(cloud, 40)
    cloud.emulator.clear_calls()
    with running(cloud, tmp_path) as first:
        wait_until(lambda: len(deletes(cloud)) > 10, "the first run deletes")
        first.freeze()
        with running(cloud, tmp_path) as second:
            frozen_at = len(deletes(cloud))
            wait_until(lambda: len(deletes(cloud)) > frozen_at + 10, "the second run deletes")
            first.wake()
            lost, taken = first.report(), second.report()

    assert Counter(deletes(cloud)).most_common(1)[0][1] == 1
    assert (lost["status"], codes(lost)) == ("refused", {"lease-lost"})
    assert (taken["status"], codes(taken)) == ("ok", {"run-cut-off"})
    assert set(outcomes(taken).values()) == {"deleted"}
    assert len(cloud.left()) == 12 * KEPT
    assert len(deletes(cloud)) == 12 * 20
    assert_adds_up(lost)
    assert_adds_up(taken)
