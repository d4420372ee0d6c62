"""Calls an entry point of the packaged archive as Cloud Functions does: a fresh process, an event, a
context.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.deploy.package import package
from tests.support.measuring import measured

RUNTIME = """
import importlib, json, logging, re, sys, time

logging.basicConfig(level=logging.DEBUG)  # the worst that a runtime may do: whatever a library logs gets out
call = json.loads(sys.stdin.read())
sys.path.insert(0, call["bundle"])
ends_at = time.monotonic() + call["timeout"]


class Context:
    request_id = "00000000-0000-0000-0000-000000000000"
    function_name = "d4e00000000000000000"
    memory_limit_in_mb = 128
    token = call["token"]

    def get_remaining_time_in_millis(self):
        return int((ends_at - time.monotonic()) * 1000)


file, _, function = call["entry_point"].partition(".")
handler = getattr(importlib.import_module(file), function)
results = [handler(event, Context()) for event in call["events"]]
with open(call["result"], "w") as result:
    json.dump(
        {
            "results": results,
            "modules": sorted(sys.modules),
            "peak_kb": int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]),
        },
        result,
    )
"""


@dataclass(frozen=True)
class Invocation:
    """What came of it. ``results`` are one for each event, all in the same process; ``log`` all that was
    printed.

    ``peak_kb`` is the process's own (VmHWM): what getrusage tells may be the parent's, from before the exec.
    """

    results: list[Any]
    log: str
    modules: frozenset[str]
    peak_kb: int


def unpacked(directory: Path) -> Path:
    """The archive that ``./deploy.sh package`` makes, unpacked below ``directory``."""
    archive, bundle = directory / "janitor.zip", directory / "bundle"
    package(archive)
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(bundle)
    return bundle


def invoke(
    bundle: Path,
    entry_point: str,
    *events: Any,
    environment: dict[str, str],
    token: dict[str, Any] | None = None,
    timeout: float = 600,
    kill_after: float | None = None,
) -> Invocation:
    """Calls ``entry_point`` with each event in turn; ``timeout`` is the function's, in seconds."""
    with tempfile.TemporaryDirectory() as scratch:
        result = Path(scratch) / "result.json"
        call = {
            "bundle": str(bundle),
            "entry_point": entry_point,
            "events": events or ({},),
            "token": token,
            "timeout": timeout,
            "result": str(result),
        }
        process = subprocess.run(
            [sys.executable, "-I", "-c", RUNTIME],
            input=json.dumps(call),
            capture_output=True,
            text=True,
            env=measured() | environment,
            cwd=scratch,
            timeout=kill_after,
            check=False,
        )
        log = process.stdout + process.stderr
        if process.returncode != 0:
            raise AssertionError(f"the process ended with {process.returncode}:\n{log}")
        told = json.loads(result.read_text())
    return Invocation(told["results"], log, frozenset(told["modules"]), told["peak_kb"])


def timer(payload: str = "") -> dict[str, Any]:
    """The event of a timer trigger."""
    return {
        "messages": [
            {
                "event_metadata": {
                    "event_id": "a1s00000000000000000",
                    "event_type": "yandex.cloud.events.serverless.triggers.TimerMessage",
                    "created_at": "2026-11-24T03:00:00Z",
                    "cloud_id": "b1gcloud000000000000",
                    "folder_id": "b1gfolder00000000000",
                },
                "details": {"trigger_id": "a1s00000000000000001", "payload": payload},
            }
        ]
    }


def push(*repositories: str, event: str = "CreateImage") -> dict[str, Any]:
    """The event of a Container Registry trigger; repositories by their full names."""
    return {
        "messages": [
            {
                "event_metadata": {
                    "event_id": f"crt{number:017}",
                    "event_type": f"yandex.cloud.events.containerregistry.{event}",
                    "created_at": "2026-11-24T03:00:00Z",
                    "tracing_context": {},
                    "cloud_id": "b1gcloud000000000000",
                    "folder_id": "b1gfolder00000000000",
                },
                "details": {
                    "registry_id": repository.partition("/")[0],
                    "repository_name": repository,
                    "image_id": "crp00000000000000000",
                    "image_digest": "sha256:" + "0" * 64,
                    "tag": "latest",
                },
            }
            for number, repository in enumerate(repositories)
        ]
    }


def http(body: str = "", *, base64_encoded: bool = False, method: str = "POST") -> dict[str, Any]:
    """The event of an HTTP call."""
    return {
        "httpMethod": method,
        "headers": {"Content-Type": "application/json"},
        "multiValueHeaders": {},
        "queryStringParameters": {},
        "multiValueQueryStringParameters": {},
        "requestContext": {"httpMethod": method, "requestId": "r", "identity": {"sourceIp": "203.0.113.1"}},
        "body": body,
        "isBase64Encoded": base64_encoded,
    }
