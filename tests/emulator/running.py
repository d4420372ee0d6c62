"""Calls of deployed functions: the version's code in a fresh process, as Cloud Functions calls it.

The process has the version's environment, its Lockbox secrets, and beside them the addresses of the emulated
cloud. Its working directory is the code. What the cloud has at `/function/code` and
`/function/storage/<mount>` lies elsewhere here, so paths that begin so are rewritten, in the environment and
in TOML files of the archive. A process that takes longer than the version's timeout is killed with its
children. What it prints is kept, line by line. A mount that is only to be read isn't protected, and memory is
measured but not limited.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import uuid
from pathlib import Path
from typing import Any

from yandex.cloud.serverless.functions.v1.function_pb2 import LogOptions, Version

from tests.emulator import requirements
from tests.emulator.archives import requirements_in
from tests.emulator.clock import rfc3339
from tests.emulator.errors import ApiError, invalid
from tests.emulator.serverless import Invocation
from tests.emulator.services.function_versions import check_reach
from tests.emulator.state import State
from tests.emulator.version_checks import secret_values

RUNTIME = Path(__file__).with_name("runtime.py")
CODE, STORAGE = "/function/code", "/function/storage/"
LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
MOST_CALLS_AT_ONCE = 10


async def call_version(
    state: State, url: str, version: Version, event: Any, trigger_id: str = ""
) -> Invocation:
    """One call, kept in the state; `url` is where the emulated cloud is."""
    call = Invocation(
        version.function_id, version.id, str(uuid.uuid4()), event, state.clock.now(), trigger_id
    )
    state.serverless.invocations.append(call)
    try:
        if not version.runtime.startswith("python"):
            raise invalid(f"the emulator runs Python alone, not {version.runtime}")
        check_reach(state, version)
        told, printed = await _in_process(state, url, version, call)
    except (ApiError, requirements.BuildError) as error:
        told, printed = {"error": {"errorMessage": str(error), "errorType": "StartError"}}, b""
    call.ended_at = state.clock.now()
    call.log = _kept_lines(version, printed, call.ended_at)
    call.peak_kb = told.get("peak_kb", 0)
    call.status = "timeout" if told.get("timeout") else "error" if "error" in told else "ok"
    call.result, call.error = told.get("result"), told.get("error", {})
    return call


async def _in_process(
    state: State, url: str, version: Version, call: Invocation
) -> tuple[dict[str, Any], bytes]:
    """What the runtime told, and what was printed."""
    archive = state.serverless.archives[version.id]
    scratch = state.disk.scratch(call.request_id)
    code = state.disk.code(version.id, archive)
    places = _local_places(state, version, code)
    for file in code.rglob("*.toml"):
        file.write_text(_rewritten(file.read_text(), places))
    answer = scratch / "answer.json"
    libraries = await asyncio.to_thread(requirements.directory_for, requirements_in(archive))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-B", "-u", str(RUNTIME)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=_environment(state, url, version, places, scratch),
        cwd=code,
        start_new_session=True,
    )
    given = _given(state, version, call, str(code), str(libraries), str(answer))
    reading = asyncio.ensure_future(process.communicate(json.dumps(given).encode() + b"\n"))
    try:
        await asyncio.wait({reading}, timeout=given["seconds"])
        is_late = not reading.done()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    printed, _ = await reading
    if is_late:
        message = f"Timed out after {given['seconds']:g} s"
        return {"timeout": True, "error": {"errorMessage": message, "errorType": "Timeout"}}, printed
    if not answer.exists():
        message = f"The process exited with {process.returncode} before completing the request"
        return {"error": {"errorMessage": message, "errorType": "ProcessExited"}}, printed
    return dict(json.loads(answer.read_text())), printed


def _given(
    state: State, version: Version, call: Invocation, code: str, libraries: str, answer: str
) -> dict[str, Any]:
    """What `runtime.py` reads."""
    return {
        "code": code,
        "libraries": libraries,
        "entry_point": version.entrypoint,
        "event": call.event,
        "request_id": call.request_id,
        "function_id": version.function_id,
        "version_id": version.id,
        "memory_mb": version.resources.memory // 1024**2,
        "seconds": version.execution_timeout.ToTimedelta().total_seconds(),
        "token": _token(state, version.service_account_id),
        "answer": answer,
    }


def _token(state: State, account_id: str) -> dict[str, Any] | None:
    if not account_id:
        return None
    token, expires_at = state.accounts.issue_token(account_id)
    expires_in = int(expires_at - state.clock.unwound())
    return {"access_token": token, "expires_in": expires_in, "token_type": "Bearer"}


def _local_places(state: State, version: Version, code: Path) -> dict[str, str]:
    """Where the directories of the cloud are here; longer names come first."""
    places = {CODE: str(code)}
    for mount in version.storage_mounts:
        places[STORAGE + mount.mount_point_name] = str(state.disk.bucket(mount.bucket_id) / mount.prefix)
    for mount in version.mounts:
        if mount.HasField("object_storage"):
            bucket = state.disk.bucket(mount.object_storage.bucket_id)
            places[STORAGE + mount.name] = str(bucket / mount.object_storage.prefix)
        else:
            places[STORAGE + mount.name] = str(state.disk.scratch(f"{version.id}-{uuid.uuid4()}"))
    for place in places.values():
        Path(place).mkdir(parents=True, exist_ok=True)
    return dict(sorted(places.items(), key=lambda pair: -len(pair[0])))


def _rewritten(text: str, places: dict[str, str]) -> str:
    for cloud_place, place in places.items():
        text = text.replace(cloud_place, place)
    return text


def _environment(
    state: State, url: str, version: Version, places: dict[str, str], scratch: Path
) -> dict[str, str]:
    own = {name: _rewritten(text, places) for name, text in version.environment.items()}
    return {
        "PATH": os.defpath,
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "_HANDLER": version.entrypoint,
        "YC_API_ENDPOINT": url,
        "YC_FUNCTIONS_ENDPOINT": url,
        "YC_REGISTRY_ENDPOINT": url,
        "YC_CLOUD_REGISTRY_ENDPOINT": f"{url}/cloud-registry-v2",
        "YC_STORAGE_ENDPOINT": f"{url}/s3",
        "YC_METADATA_ADDR": url.removeprefix("http://"),
        **own,
        **secret_values(state, version),
    }


def _kept_lines(version: Version, printed: bytes, at: float) -> list[dict[str, Any]]:
    """The lines as Cloud Logging would keep them: JSON by its fields, the rest as messages without a
    level.
    """
    if version.log_options.disabled:
        return []
    least = LogOptions.DESCRIPTOR.fields_by_name["min_level"].enum_type.values_by_number[
        version.log_options.min_level
    ]
    first_kept = LEVELS.index(least.name) if least.name in LEVELS else 0
    lines = [_line(text) for text in printed.decode(errors="replace").splitlines() if text]
    return [
        {"at": rfc3339(at), **line}
        for line in lines
        if line["level"] not in LEVELS or LEVELS.index(line["level"]) >= first_kept
    ]


def _line(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        return {"level": "", "message": text}
    message = fields.pop("message", None) or fields.pop("msg", "")
    return {"level": str(fields.pop("level", "")).upper(), "message": message, "fields": fields}
