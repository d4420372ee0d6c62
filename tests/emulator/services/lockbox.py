"""Lockbox: the payload of a secret."""

from yandex.cloud.lockbox.v1 import payload_pb2, payload_service_pb2

from tests.emulator.errors import not_found
from tests.emulator.images import cloud_id
from tests.emulator.methods import method
from tests.emulator.state import State

SERVICES = (payload_service_pb2.DESCRIPTOR.services_by_name["PayloadService"],)


def folder_of(state: State, request: payload_service_pb2.GetPayloadRequest) -> str | None:
    secret = state.secrets.get(request.secret_id)
    return secret.folder_id or None if secret else None


@method("yandex.cloud.lockbox.v1.PayloadService/Get", role="lockbox.payloadViewer", folder_of=folder_of)
def get_payload(state: State, request: payload_service_pb2.GetPayloadRequest) -> payload_pb2.Payload:
    secret = state.secrets.get(request.secret_id)
    if secret is None:
        raise not_found("Secret", request.secret_id)
    version_id = cloud_id("e6q", f"version of {secret.id}")
    if request.version_id not in ("", version_id):
        raise not_found("Version", request.version_id)
    entries = [payload_pb2.Payload.Entry(key=key, text_value=text) for key, text in secret.entries.items()]
    return payload_pb2.Payload(version_id=version_id, entries=entries)
