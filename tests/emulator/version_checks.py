"""The limits on a version that the API's definitions don't state, from Yandex Cloud's documentation.

Runtimes that are no longer supported cannot be used for new versions. An environment, names and Lockbox
secrets included, has at most 4 KB. A timeout of more than ten minutes is for those who asked for it.
(functions/concepts: limits, runtime, function, environment-variables, mounting, long-lived-functions.)
"""

import re
from typing import Any

from yandex.cloud.serverless.functions.v1.function_service_pb2 import CreateFunctionVersionRequest

from tests.emulator.errors import invalid, not_found
from tests.emulator.services.lockbox import entries_of
from tests.emulator.state import State

RUNTIMES = (
    "bash-2204",
    "golang121",
    "golang123",
    "java21",
    "nodejs18",
    "nodejs22",
    "php82",
    "python312",
    "python314",
)
MEMORY_STEP = 128 * 1024**2
MOST_TIMEOUT_SECONDS = 600
MOST_ENVIRONMENT_BYTES = 4096
LEAST_MEMORY_FOR_TMPFS = 1024**3
RESERVED_VARIABLES = re.compile(r"_HANDLER|AWS_LAMBDA_RUNTIME_API|LAMBDA_.*|PATH|LD_LIBRARY_PATH")

_ENTRY_POINT = re.compile(r"[A-Za-z_][\w-]*\.[A-Za-z_]\w*")


def check_version(state: State, request: CreateFunctionVersionRequest) -> None:
    if request.runtime not in RUNTIMES:
        raise invalid(f"runtime: must be one of {', '.join(RUNTIMES)}, not {request.runtime}")
    if request.runtime.startswith("python"):
        _check_python(request)
    if request.resources.memory % MEMORY_STEP:
        raise invalid("resources.memory: must be a multiple of 128 MB")
    if request.execution_timeout.ToTimedelta().total_seconds() > MOST_TIMEOUT_SECONDS:
        raise invalid(f"execution_timeout: must be {MOST_TIMEOUT_SECONDS}s at most")
    if request.tmpfs_size and request.resources.memory < LEAST_MEMORY_FOR_TMPFS:
        raise invalid("tmpfs_size: needs at least 1 GB of memory")
    check_environment(request.environment, secret_values(state, request))
    _check_mounts(state, request)


def _check_python(request: CreateFunctionVersionRequest) -> None:
    if not _ENTRY_POINT.fullmatch(request.entrypoint):
        raise invalid("entrypoint: must be <file name>.<handler name>, the file in the archive's root")
    if request.concurrency > 1:
        raise invalid(f"concurrency: is not available with {request.runtime}")


def check_environment(environment: Any, secrets: dict[str, str]) -> None:
    for name in [*environment, *secrets]:
        if RESERVED_VARIABLES.fullmatch(name):
            raise invalid(f"environment: {name} is reserved")
    if both := environment.keys() & secrets.keys():
        raise invalid(f"environment: {min(both)} is set by a secret too")
    size = sum(len(f"{name}{text}".encode()) for name, text in [*environment.items(), *secrets.items()])
    if size > MOST_ENVIRONMENT_BYTES:
        raise invalid(f"environment: has {size} bytes with its secrets; at most {MOST_ENVIRONMENT_BYTES}")


def secret_values(state: State, version: Any) -> dict[str, str]:
    """The environment variables that come from Lockbox; `version` is a version or the request for one."""
    values: dict[str, str] = {}
    for secret in version.secrets:
        name = secret.environment_variable
        if not re.fullmatch("[a-zA-Z][a-zA-Z0-9_]*", name):
            raise invalid(f"secrets.environment_variable: {name!r} cannot be the name of a variable")
        if name in values:
            raise invalid(f"secrets.environment_variable: {name} is set twice")
        entry = entries_of(state, secret.id, secret.version_id).get(secret.key)
        if entry is None:
            raise not_found("Key", f"{secret.key} of secret {secret.id}")
        values[name] = entry.text_value or entry.binary_value.decode(errors="replace")
    return values


def _check_mounts(state: State, request: CreateFunctionVersionRequest) -> None:
    names = [mount.name for mount in request.mounts]
    names += [mount.mount_point_name for mount in request.storage_mounts]
    if len(set(names)) < len(names):
        raise invalid("mounts: names must be unique")
    for bucket, _ in mounted_buckets(request):
        if bucket not in state.buckets:
            raise not_found("Bucket", bucket)


def mounted_buckets(version: Any) -> list[tuple[str, bool]]:
    """The buckets of a version, or of the request for one, and whether they are written to."""
    buckets = [(mount.bucket_id, not mount.read_only) for mount in version.storage_mounts]
    return buckets + [
        (mount.object_storage.bucket_id, mount.mode != mount.Mode.READ_ONLY)
        for mount in version.mounts
        if mount.HasField("object_storage")
    ]
