"""How a test runs a command of ``python -m functions``."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.conftest import Cloud
from tests.emulator.client import PROJECT_ROOT
from tests.support.measuring import measured


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "functions", *arguments]


def environment(cloud: Cloud, **settings: str) -> dict[str, str]:
    path = {"PATH": os.environ["PATH"], "PYTHONIOENCODING": "utf-8"}
    return {
        **measured(),
        **path,
        **{name: value for name, value in (cloud.environment | settings).items() if value},
    }


def run(cloud: Cloud, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        command(*arguments),
        cwd=PROJECT_ROOT,
        env=environment(cloud, **settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in ended.stdout + ended.stderr
    return ended
