"""The benchmark says what it promises to say."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.emulator.client import PROJECT_ROOT


@pytest.mark.slow
def test_the_quick_benchmark_prints_one_document_with_both_clients_side_by_side() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)

    assert [(row["latency_ms"], row["concurrency"]) for row in document["speed"]] == [
        (0, 16),
        (0, 32),
        (20, 16),
        (20, 32),
    ]
    for row in document["speed"]:
        assert row["handler"]["calls_per_image"] <= 1.05
        assert row["grpc_script"]["calls_per_image"] >= 2
        assert row["handler"]["images_per_second"] > 0
    assert document["growth"][-1]["handler"]["peak_mb"] < 128
    assert {promise["what"] for promise in document["promises"]} >= {"calls per deleted image"}
