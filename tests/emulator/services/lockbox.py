"""Lockbox: secrets, their versions, and their payload.

A new version takes over the entries of the version it is based on (the current one unless named); an entry
without a value is taken away. The payload is shown by the payload service alone, and only while the secret is
active.
"""

import itertools
from typing import Any

from google.protobuf.message import Message
from yandex.cloud.lockbox.v1 import payload_pb2, payload_service_pb2
from yandex.cloud.lockbox.v1 import secret_pb2 as messages
from yandex.cloud.lockbox.v1 import secret_service_pb2 as service
from yandex.cloud.operation.operation_pb2 import Operation

from tests.emulator.access import Place
from tests.emulator.clock import timestamp
from tests.emulator.errors import FAILED_PRECONDITION, ApiError, invalid, not_found
from tests.emulator.images import cloud_id
from tests.emulator.listing import check_folder, check_name_in_folder, folder_asked, in_folder, page_of
from tests.emulator.methods import method
from tests.emulator.services.access_bindings import bindable
from tests.emulator.state import Secret, SecretVersion, State
from tests.emulator.updating import replacing, updated, with_status

SERVICES = (
    payload_service_pb2.DESCRIPTOR.services_by_name["PayloadService"],
    service.DESCRIPTOR.services_by_name["SecretService"],
)

API = "yandex.cloud.lockbox.v1.SecretService"
VIEWER = "lockbox.viewer"
EDITOR = "lockbox.editor"
PAYLOAD_VIEWER = "lockbox.payloadViewer"
MOST_ENTRIES = 32

ACTIVE, INACTIVE = messages.Secret.Status.ACTIVE, messages.Secret.Status.INACTIVE

_numbers = itertools.count(1)


def place_of_secret(state: State, secret_id: str) -> Place:
    secret = state.secrets.get(secret_id)
    return secret.place if secret else ()


def place_of(state: State, request: Any) -> Place:
    return place_of_secret(state, request.secret_id)


bindable(API, "Secret", place_of_secret, viewer=VIEWER, admin="lockbox.admin")


def secret_by_id(state: State, secret_id: str) -> Secret:
    if secret_id not in state.secrets:
        raise not_found("Secret", secret_id)
    return state.secrets[secret_id]


def entries_of(state: State, secret_id: str, version_id: str) -> dict[str, payload_pb2.Payload.Entry]:
    """What an active secret holds in that version, by key."""
    secret = secret_by_id(state, secret_id)
    version = secret.version(version_id)
    if version is None:
        raise not_found("Version", version_id or f"of secret {secret_id}")
    if secret.message.status != ACTIVE:
        raise ApiError(FAILED_PRECONDITION, f"Secret {secret_id} is not active")
    return version.entries


@method("yandex.cloud.lockbox.v1.PayloadService/Get", role=PAYLOAD_VIEWER, place_of=place_of)
def get_payload(state: State, request: payload_service_pb2.GetPayloadRequest) -> payload_pb2.Payload:
    entries = entries_of(state, request.secret_id, request.version_id)
    version_id = request.version_id or state.secrets[request.secret_id].message.current_version.id
    return payload_pb2.Payload(version_id=version_id, entries=entries.values())


@method(f"{API}/Get", role=VIEWER, place_of=place_of)
def get_secret(state: State, request: service.GetSecretRequest) -> messages.Secret:
    return secret_by_id(state, request.secret_id).message


@method(f"{API}/List", role=VIEWER, place_of=folder_asked)
def list_secrets(state: State, request: service.ListSecretsRequest) -> service.ListSecretsResponse:
    secrets = in_folder(state, request.folder_id, [secret.message for secret in state.secrets.values()])
    page, next_token = page_of(state, request, secrets, ())
    return service.ListSecretsResponse(secrets=page, next_page_token=next_token)


@method(f"{API}/Create", role=EDITOR, place_of=folder_asked)
def create_secret(state: State, request: service.CreateSecretRequest) -> Operation:
    check_folder(state, request.folder_id)
    if request.HasField("password_payload_specification"):
        raise invalid("password_payload_specification: the emulator makes no passwords")
    entries = _changed({}, request.version_payload_entries)
    number = next(_numbers)
    secret = Secret(
        messages.Secret(
            id=cloud_id("e6q", f"secret {number}"),
            folder_id=request.folder_id,
            created_at=timestamp(state.clock.now()),
            name=request.name,
            description=request.description,
            labels=request.labels,
            kms_key_id=request.kms_key_id,
            status=ACTIVE,
            deletion_protection=request.deletion_protection,
        )
    )
    if request.create_version.value or (entries and not request.HasField("create_version")):
        secret.add_version(_version(state, secret.message.id, request.version_description, entries))
    _check_name(state, secret.message)

    def effect() -> Message:
        _check_name(state, secret.message)
        state.secrets[secret.message.id] = secret
        return secret.message

    metadata = service.CreateSecretMetadata(
        secret_id=secret.message.id, version_id=secret.message.current_version.id
    )
    return state.operations.start("Create secret", metadata, effect)


def _check_name(state: State, secret: messages.Secret) -> None:
    check_name_in_folder("Secret", secret, (other.message for other in state.secrets.values()))


def _version(
    state: State, secret_id: str, description: str, entries: dict[str, payload_pb2.Payload.Entry]
) -> SecretVersion:
    message = messages.Version(
        id=cloud_id("e6q", f"version {next(_numbers)} of {secret_id}"),
        secret_id=secret_id,
        created_at=timestamp(state.clock.now()),
        description=description,
        status=messages.Version.Status.ACTIVE,
        payload_entry_keys=sorted(entries),
    )
    return SecretVersion(message, entries)


def _changed(
    base: dict[str, payload_pb2.Payload.Entry], changes: Any
) -> dict[str, payload_pb2.Payload.Entry]:
    entries = dict(base)
    for change in changes:
        kind = change.WhichOneof("value")
        if kind is None:
            entries.pop(change.key, None)
        else:
            entries[change.key] = payload_pb2.Payload.Entry(key=change.key, **{kind: getattr(change, kind)})
    if len(entries) > MOST_ENTRIES:
        raise invalid(f"a version holds at most {MOST_ENTRIES} entries")
    return entries


@method(f"{API}/Update", role=EDITOR, place_of=place_of)
def update_secret(state: State, request: service.UpdateSecretRequest) -> Operation:
    secret = secret_by_id(state, request.secret_id)
    changed = updated(secret.message, request)
    _check_name(state, changed)
    effect = replacing(lambda: secret_by_id(state, request.secret_id).message, changed)
    metadata = service.UpdateSecretMetadata(secret_id=request.secret_id)
    return state.operations.start("Update secret", metadata, effect)


@method(f"{API}/Delete", role=EDITOR, place_of=place_of)
def delete_secret(state: State, request: service.DeleteSecretRequest) -> Operation:
    if secret_by_id(state, request.secret_id).message.deletion_protection:
        raise ApiError(FAILED_PRECONDITION, f"Secret {request.secret_id} is protected from deletion")

    def effect() -> Message:
        secret = secret_by_id(state, request.secret_id)
        del state.secrets[request.secret_id]
        state.access.forget(request.secret_id)
        return secret.message

    metadata = service.DeleteSecretMetadata(secret_id=request.secret_id)
    return state.operations.start("Delete secret", metadata, effect)


@method(f"{API}/Activate", role=EDITOR, place_of=place_of)
def activate_secret(state: State, request: service.ActivateSecretRequest) -> Operation:
    metadata = service.ActivateSecretMetadata(secret_id=request.secret_id)
    return _set_status(state, request.secret_id, ACTIVE, metadata)


@method(f"{API}/Deactivate", role=EDITOR, place_of=place_of)
def deactivate_secret(state: State, request: service.DeactivateSecretRequest) -> Operation:
    metadata = service.DeactivateSecretMetadata(secret_id=request.secret_id)
    return _set_status(state, request.secret_id, INACTIVE, metadata)


def _set_status(state: State, secret_id: str, status: Any, metadata: Message) -> Operation:
    secret_by_id(state, secret_id)
    effect = with_status(lambda: secret_by_id(state, secret_id).message, status)
    return state.operations.start("Change the status of a secret", metadata, effect)


@method(f"{API}/ListVersions", role=VIEWER, place_of=place_of)
def list_versions(state: State, request: service.ListVersionsRequest) -> service.ListVersionsResponse:
    versions = [version.message for version in secret_by_id(state, request.secret_id).versions.values()]
    page, next_token = page_of(state, request, versions, ())
    return service.ListVersionsResponse(versions=page, next_page_token=next_token)


@method(f"{API}/AddVersion", role=EDITOR, place_of=place_of)
def add_version(state: State, request: service.AddVersionRequest) -> Operation:
    secret = secret_by_id(state, request.secret_id)
    base = secret.version(request.base_version_id)
    if base is None and request.base_version_id:
        raise not_found("Version", request.base_version_id)
    entries = _changed(base.entries if base else {}, request.payload_entries)
    version = _version(state, request.secret_id, request.description, entries)

    def effect() -> Message:
        secret_by_id(state, request.secret_id).add_version(version)
        return version.message

    metadata = service.AddVersionMetadata(secret_id=request.secret_id, version_id=version.message.id)
    return state.operations.start("Add version", metadata, effect)
