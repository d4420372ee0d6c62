"""What tests are told of the resources that a client can make, and of the calls of functions."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from tests.emulator.clock import rfc3339
from tests.emulator.serverless import Invocation
from tests.emulator.state import State


def resources_document(state: State) -> dict[str, Any]:
    """Everything by kind and id, in the API's own words; objects of buckets and entries of secrets as
    texts.
    """
    serverless = state.serverless
    return {
        "service_accounts": _by_id(state.accounts.service_accounts.values()),
        "access_bindings": {
            resource_id: [[role, f"{kind}:{subject}"] for role, kind, subject in bindings]
            for resource_id, bindings in state.access.all_bindings().items()
        },
        "functions": _by_id(serverless.functions.values()),
        "versions": _by_id(serverless.versions.values()),
        "triggers": _by_id(serverless.triggers.values()),
        "buckets": _by_id(state.buckets.values()),
        "objects": {name: _objects(state, name) for name in state.buckets},
        "secrets": _by_id(secret.message for secret in state.secrets.values()),
        "payloads": {
            secret_id: {key: entry.text_value for key, entry in version.entries.items()}
            for secret_id, secret in state.secrets.items()
            if (version := secret.version(""))
        },
        "registries": {
            registry.id: {"name": registry.name, "folderId": registry.folder_id, "labels": registry.labels}
            for registry in state.registries.values()
        },
    }


def _by_id(messages: Iterable[Message]) -> dict[str, Any]:
    documents = [json_format.MessageToDict(message) for message in messages]
    return {document["id"]: document for document in documents}


def _objects(state: State, bucket: str) -> dict[str, str]:
    directory = state.disk.bucket(bucket)
    return {
        file.relative_to(directory).as_posix(): file.read_text(errors="replace")
        for file in state.disk.objects(bucket)
    }


def calls_document(state: State, first: int = 0) -> dict[str, Any]:
    """The calls of functions from that one on, oldest first."""
    return {
        "now": rfc3339(state.clock.now()),
        "invocations": [_invocation(call) for call in state.serverless.invocations[first:]],
        "dead_letters": state.serverless.dead_letters,
        "waiting_events": len(state.serverless.registry_events),
    }


def _invocation(call: Invocation) -> dict[str, Any]:
    times = {"started_at": rfc3339(call.started_at), "ended_at": rfc3339(call.ended_at)}
    return {**dataclasses.asdict(call), **times}
