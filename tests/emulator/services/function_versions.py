"""Cloud Functions: versions, which hold the code and how it is run, and their tags.

A version is made from an archive that is sent, that lies in a bucket, or that another version of the function
has. Its requirements are installed before the operation ends; an operation fails when they cannot be, or when
the service account cannot read a secret or reach a bucket that the version names.
"""

import asyncio
import hashlib
import itertools
from typing import Any

from google.protobuf import empty_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from yandex.cloud.operation.operation_pb2 import Operation
from yandex.cloud.serverless.functions.v1 import function_service_pb2 as service
from yandex.cloud.serverless.functions.v1.function_pb2 import Version

from tests.emulator import requirements
from tests.emulator.access import Place
from tests.emulator.archives import MOST_BUCKET_BYTES, MOST_DIRECT_BYTES, check_archive, requirements_in
from tests.emulator.clock import timestamp
from tests.emulator.errors import FAILED_PRECONDITION, PERMISSION_DENIED, ApiError, invalid, not_found
from tests.emulator.images import cloud_id
from tests.emulator.listing import check_folder, in_folder, page_of
from tests.emulator.methods import method
from tests.emulator.serverless import LATEST
from tests.emulator.services.buckets import bucket_by_name, place_of_bucket
from tests.emulator.services.functions import API, EDITOR, VIEWER, function_by_id, place_of_function
from tests.emulator.services.lockbox import PAYLOAD_VIEWER, place_of_secret
from tests.emulator.services.service_accounts import check_usable
from tests.emulator.state import State
from tests.emulator.version_checks import RUNTIMES, check_version, mounted_buckets

SERVICES = ()  # functions.py names the service

DEFAULT_TIMEOUT = Duration(seconds=3)
STORAGE_READER, STORAGE_WRITER = "storage.viewer", "storage.uploader"

_numbers = itertools.count(1)


def place_of(state: State, request: Any) -> Place:
    """Where the version's function is, or the function or folder that a request names."""
    if version := state.serverless.versions.get(getattr(request, "function_version_id", "")):
        return place_of_function(state, version.function_id)
    if function_id := getattr(request, "function_id", ""):
        return place_of_function(state, function_id)
    folder_id = getattr(request, "folder_id", "")
    return (folder_id,) if folder_id else ()


def version_by_id(state: State, version_id: str) -> Version:
    if version_id not in state.serverless.versions:
        raise not_found("Version", version_id)
    return state.serverless.versions[version_id]


@method(f"{API}/GetVersion", role=VIEWER, place_of=place_of)
def get_version(state: State, request: service.GetFunctionVersionRequest) -> Version:
    return version_by_id(state, request.function_version_id)


@method(f"{API}/GetVersionByTag", role=VIEWER, place_of=place_of)
def get_version_by_tag(state: State, request: service.GetFunctionVersionByTagRequest) -> Version:
    function_by_id(state, request.function_id)
    version = state.serverless.tagged(request.function_id, request.tag)
    if version is None:
        raise not_found("Version", f"{request.tag or LATEST} of function {request.function_id}")
    return version


@method(f"{API}/ListVersions", role=VIEWER, place_of=place_of)
def list_versions(
    state: State, request: service.ListFunctionsVersionsRequest
) -> service.ListFunctionsVersionsResponse:
    if request.function_id:
        functions = [function_by_id(state, request.function_id)]
    else:
        functions = in_folder(state, request.folder_id, state.serverless.functions.values())
    versions = [version for function in functions for version in state.serverless.versions_of(function.id)]
    page, next_token = page_of(state, request, versions, ("status", "runtime"))
    return service.ListFunctionsVersionsResponse(versions=page, next_page_token=next_token)


@method(f"{API}/ListRuntimes")
def list_runtimes(state: State, request: service.ListRuntimesRequest) -> service.ListRuntimesResponse:
    return service.ListRuntimesResponse(runtimes=RUNTIMES)


@method(f"{API}/CreateVersion", role=EDITOR, place_of=place_of)
async def create_version(state: State, request: service.CreateFunctionVersionRequest) -> Operation:
    function_by_id(state, request.function_id)
    check_version(state, request)
    check_usable(state, request.service_account_id)
    if request.log_options.folder_id:
        check_folder(state, request.log_options.folder_id)
    archive = _archive(state, request)
    version = _version(state, request, archive)
    build_error = await asyncio.to_thread(_build, version.runtime, archive)

    def effect() -> Message:
        function_by_id(state, version.function_id)
        if build_error:
            raise ApiError(FAILED_PRECONDITION, build_error)
        check_reach(state, version)
        state.serverless.add_version(version, archive, state.clock.now())
        return version

    metadata = service.CreateFunctionVersionMetadata(function_version_id=version.id)
    return state.operations.start("Create function version", metadata, effect, version.function_id)


def _archive(state: State, request: service.CreateFunctionVersionRequest) -> bytes:
    if request.WhichOneof("package_source") == "content":
        check_archive(request.content, MOST_DIRECT_BYTES)
        return bytes(request.content)
    if request.version_id:
        source = version_by_id(state, request.version_id)
        if source.function_id != request.function_id:
            raise invalid("version_id: is of another function")
        return state.serverless.archives[source.id]
    package = request.package
    bucket_by_name(state, package.bucket_name)
    file = state.disk.bucket(package.bucket_name) / package.object_name
    if file not in state.disk.objects(package.bucket_name):
        raise not_found("Object", f"{package.object_name} of bucket {package.bucket_name}")
    content = file.read_bytes()
    if package.sha256 not in ("", hashlib.sha256(content).hexdigest()):
        raise invalid("package.sha256: is not that of the object")
    check_archive(content, MOST_BUCKET_BYTES)
    return content


def _version(state: State, request: service.CreateFunctionVersionRequest, archive: bytes) -> Version:
    timeout = request.execution_timeout if request.HasField("execution_timeout") else DEFAULT_TIMEOUT
    return Version(
        id=cloud_id("d4e", f"version {next(_numbers)} of {request.function_id}"),
        function_id=request.function_id,
        description=request.description,
        created_at=timestamp(state.clock.now()),
        runtime=request.runtime,
        entrypoint=request.entrypoint,
        resources=request.resources,
        execution_timeout=timeout,
        service_account_id=request.service_account_id,
        image_size=len(archive),
        status=Version.Status.ACTIVE,
        tags=dict.fromkeys(request.tag),
        environment=request.environment,
        named_service_accounts=request.named_service_accounts,
        concurrency=request.concurrency,
        connectivity=request.connectivity if request.HasField("connectivity") else None,
        secrets=request.secrets,
        log_options=request.log_options if request.HasField("log_options") else None,
        storage_mounts=request.storage_mounts,
        async_invocation_config=request.async_invocation_config
        if request.HasField("async_invocation_config")
        else None,
        tmpfs_size=request.tmpfs_size,
        mounts=request.mounts,
        metadata_options=request.metadata_options if request.HasField("metadata_options") else None,
    )


def _build(runtime: str, archive: bytes) -> str:
    """Installs what the version requires; what went wrong, in words."""
    if not runtime.startswith("python"):
        return ""
    try:
        requirements.directory_for(requirements_in(archive))
    except requirements.BuildError as error:
        return str(error)
    return ""


def check_reach(state: State, version: Version) -> None:
    """Refuse secrets and buckets that are out of reach of the version's service account."""
    account_id = version.service_account_id
    needed = [(secret.id, PAYLOAD_VIEWER, place_of_secret(state, secret.id)) for secret in version.secrets]
    for bucket, is_written in mounted_buckets(version):
        role = STORAGE_WRITER if is_written else STORAGE_READER
        needed.append((bucket, role, place_of_bucket(state, bucket)))
    for resource_id, role, place in needed:
        if not account_id:
            raise ApiError(FAILED_PRECONDITION, f"{resource_id}: the version has no service account")
        if not place or not state.access.allows(account_id, role, place):
            message = f"ServiceAccount {account_id} needs {role} on {resource_id}"
            raise ApiError(PERMISSION_DENIED, message)


@method(f"{API}/DeleteVersion", role=EDITOR, place_of=place_of)
def delete_version(state: State, request: service.DeleteFunctionVersionRequest) -> Operation:
    found = version_by_id(state, request.function_version_id)
    version_id, function_id = found.id, found.function_id
    _check_deletable(state, version_id, request.force)

    def effect() -> Message:
        version_by_id(state, version_id)
        _check_deletable(state, version_id, request.force)
        state.serverless.remove_version(version_id, state.clock.now())
        return empty_pb2.Empty()

    metadata = service.DeleteFunctionVersionMetadata(function_version_id=version_id)
    return state.operations.start("Delete function version", metadata, effect, function_id)


def _check_deletable(state: State, version_id: str, force: bool) -> None:
    tags = state.serverless.versions[version_id].tags
    if LATEST in tags or (tags and not force):
        raise ApiError(FAILED_PRECONDITION, f"Version {version_id} has tags: {', '.join(tags)}")


@method(f"{API}/SetTag", role=EDITOR, place_of=place_of)
def set_tag(state: State, request: service.SetFunctionTagRequest) -> Operation:
    function_id = version_by_id(state, request.function_version_id).function_id
    if not request.tag:
        raise invalid("tag: is required")

    def effect() -> Message:
        version = version_by_id(state, request.function_version_id)
        state.serverless.set_tag(version, request.tag, state.clock.now())
        return version

    metadata = service.SetFunctionTagMetadata(function_version_id=request.function_version_id)
    return state.operations.start("Set tag", metadata, effect, function_id)


@method(f"{API}/RemoveTag", role=EDITOR, place_of=place_of)
def remove_tag(state: State, request: service.RemoveFunctionTagRequest) -> Operation:
    function_id = _tagged_version(state, request).function_id

    def effect() -> Message:
        version = _tagged_version(state, request)
        state.serverless.remove_tag(version, request.tag, state.clock.now())
        return version

    metadata = service.RemoveFunctionTagMetadata(function_version_id=request.function_version_id)
    return state.operations.start("Remove tag", metadata, effect, function_id)


def _tagged_version(state: State, request: service.RemoveFunctionTagRequest) -> Version:
    version = version_by_id(state, request.function_version_id)
    if request.tag not in version.tags:
        raise not_found("Tag", f"{request.tag} of version {version.id}")
    return version


@method(f"{API}/ListTagHistory", role=VIEWER, place_of=place_of)
def list_tag_history(
    state: State, request: service.ListFunctionTagHistoryRequest
) -> service.ListFunctionTagHistoryResponse:
    function_by_id(state, request.function_id)
    records = [
        record
        for record in state.serverless.tag_history
        if record.function_id == request.function_id and request.tag in ("", record.tag)
    ]
    return service.ListFunctionTagHistoryResponse(function_tag_history_record=records)
