"""The benchmark says what it promises to say."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.bench import quota
from tests.bench.cost import Prices
from tests.emulator.client import PROJECT_ROOT

BUSY = """
import os, sys, time
open(sys.argv[1], "w").write(str(os.getpid()))
used, started = time.process_time(), time.perf_counter()
while time.process_time() < used + 0.2: pass
print(time.perf_counter() - started)
"""


def quick() -> tuple[dict[str, Any], str]:
    """The document of a quick benchmark, with prices of ours, and what it prints for people."""
    prices = ["--gb-hour", "36", "--free-gb-hours", "1", "--currency", "EUR"]
    ended = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick", *prices],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout), ended.stderr


@pytest.mark.slow
def test_the_quick_benchmark_says_what_it_promises(subtests: pytest.Subtests) -> None:
    document, printed = quick()
    with subtests.test("all clients are measured side by side"):
        clients_are_measured_side_by_side(document)
    with subtests.test("shares of a core are measured, or it says why not"):
        shares_of_a_core_are_measured(document)
    with subtests.test("it prints the same as tables, with the costs at the prices given"):
        tables_say_the_same(document, printed)


def clients_are_measured_side_by_side(document: dict[str, Any]) -> None:
    first = document["speed"][0]
    assert list(first["clients"]) == [
        "unguarded",
        "first_night",
        "second_night",
        "grpc_script",
        "curl",
        "bare_loop",
    ]
    for load in document["speed"]:
        clients, deleted = load["clients"], load["images"] - load["kept"] * load["repositories"]
        assert all(row["images_per_second"] > 0 < row["cpu_ms_per_image"] for row in clients.values())
        assert clients["first_night"]["manifest_calls"] >= load["images"]
        assert clients["second_night"]["manifest_calls"] == 0
        assert clients["second_night"]["state_calls"] > 0 < clients["second_night"]["state_kb"]
        if "grpc_script" in clients:
            assert clients["grpc_script"]["calls_per_image"] > 2
            assert clients["grpc_script"]["state_calls"] == 0
        if "bare_loop" in clients:
            assert clients["bare_loop"]["calls_per_image"] == 1
            assert clients["unguarded"]["manifest_calls"] == 0
            assert clients["unguarded"]["calls_per_image"] * deleted < deleted + 20
    assert document["nightly"]["second_night"]["manifest_calls"] == 0
    assert document["large"]["first_night"]["peak_mb"] > 0


def shares_of_a_core_are_measured(document: dict[str, Any]) -> None:
    shares = {load["core"] for load in document["speed"]}
    if document["share_of_a_core"].startswith("not measured: "):
        assert shares == {1}
    else:
        assert shares == {1, 0.25, 0.125}
        assert len(document["foretold"]) == 6


def tables_say_the_same(document: dict[str, Any], printed: str) -> None:
    assert [row["memory_mb"] for row in document["cost"][:5]] == [128, 256, 512, 1024, 2048]
    assert document["cost"][1]["month"] == 36 * (30 * 0.25 / 6 - 1)
    assert document["cost"][1]["month_nothing_free"] == pytest.approx(36 * 30 * 0.25 / 6, abs=0.001)
    assert "| EUR a month |" in printed
    assert "| first | 16 | 256 | 0.125 |" in printed
    assert all(f"| {promise['what']} |" in printed for promise in document["promises"])


def test_prices_count_what_is_not_free() -> None:
    assert Prices().month(10, 1_000_000) == 0
    assert Prices().month(12, 2_000_000) == pytest.approx(2 * 0.04376 + 0.128)


def test_a_process_gets_no_more_than_its_share_of_a_core() -> None:
    try:
        with quota.share_of_a_core(0.1) as entry:
            command = [sys.executable, "-c", BUSY, str(entry)]
            ended = subprocess.run(command, capture_output=True, text=True, check=True)
    except quota.Unlimited as error:
        pytest.skip(str(error))
    assert float(ended.stdout) > 0.8
