"""The tests' own endpoints, without authorization and without latency or faults.

GET    /_state              registries, repositories, policies and images, and what is in Cloud Registry
                            (`cloud_registry_state.py`); `?images=ids`: ids alone
GET    /_metrics            the metrics that were written to Monitoring
POST   /_seed               replace everything by the seed in the body; behaviour and calls start anew
POST   /_behaviour          replace the behaviour
POST   /_change             make one change now
GET    /_history            what happened since the seed, in order (`history.py`)
GET    /_calls              the calls so far; `?count=route`: counts, bytes by route, peak in flight
DELETE /_calls              forget them
GET    /_resources          all that a client can make: accounts, bindings, functions, versions, triggers, ..
GET    /_invocations        the calls of functions so far, and the messages in dead-letter queues
POST   /_wind               wind the clock `{"to": RFC 3339}`, `{"by": "12h"}`, or `{}`, to the next time that
                            a timer fires; fires what is due, and answers with the calls that were made
POST   /_deliver            give the registry events so far to the triggers, and answer likewise
"""

import json
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

from tests.emulator.changes import apply_change
from tests.emulator.clock import moment, rfc3339, span_seconds
from tests.emulator.cloud_registry_state import cloud_registries_document
from tests.emulator.documents import DocumentError, checked
from tests.emulator.errors import ApiError
from tests.emulator.firing import deliver, wind
from tests.emulator.images import Image
from tests.emulator.resources import calls_document, resources_document
from tests.emulator.seed import state_from
from tests.emulator.state import Repository, State

if TYPE_CHECKING:
    from tests.emulator.server import Emulator


async def answer_control(
    emulator: "Emulator", http_method: str, path: str, query: str, body: bytes
) -> tuple[int, Any]:
    """HTTP status and the JSON document of the answer."""
    try:
        match (http_method, path, query):
            case ("GET", _, _) if (document := _document(emulator, path, query)) is not None:
                return 200, document
            case ("POST", "/_wind", ""):
                return 200, await _fire(emulator, json.loads(body or b"{}"))
            case ("POST", "/_deliver", ""):
                return 200, await _fire(emulator, None)
            case ("DELETE", "/_calls", ""):
                emulator.calls.clear()
            case ("POST", "/_seed", ""):
                await emulator.replace_state(state_from(json.loads(body), emulator.registry_upstream))
            case ("POST", "/_behaviour", ""):
                emulator.behave(json.loads(body or b"{}"))
            case ("POST", "/_change", ""):
                apply_change(emulator.state, json.loads(body))
            case _:
                return 404, {"message": f"no such control: {http_method} {path}?{query}"}
    except (DocumentError, ApiError, ValueError, TypeError) as error:
        return 400, {"message": str(error)}
    return 200, {}


def _document(emulator: "Emulator", path: str, query: str) -> Any:
    match (path, query):
        case ("/_state", "" | "images=ids"):
            return _state_document(emulator.state, ids_only=query != "")
        case ("/_metrics", ""):
            return emulator.state.metrics
        case ("/_history", ""):
            return emulator.state.history.document()
        case ("/_calls", ""):
            return [call.document() for call in emulator.calls.kept]
        case ("/_calls", "count=route"):
            return emulator.calls.counts()
        case ("/_resources", ""):
            return resources_document(emulator.state)
        case ("/_invocations", ""):
            return calls_document(emulator.state)
    return None


async def _fire(emulator: "Emulator", winding: dict[str, str] | None) -> dict[str, Any]:
    """Winds the clock, or delivers the registry's events; the calls that it led to."""
    state = emulator.state
    made_before = len(state.serverless.invocations)
    if winding is None:
        await deliver(state, emulator.url)
    else:
        checked(winding, "wind", optional="to by")
        until = moment(winding["to"]) if "to" in winding else None
        if "by" in winding:
            until = state.clock.now() + span_seconds(winding["by"])
        await wind(state, emulator.url, until)
    return calls_document(state, made_before)


def _state_document(state: State, ids_only: bool) -> dict[str, Any]:
    counts = {
        "registries": len(state.registries),
        "repositories": len(state.repositories),
        "images": len(state.images),
        "policies": len(state.policies),
        "operations": len(state.operations),
        "dry_runs": len(state.dry_runs),
        "cloud_registries": len(state.cloud_registries.by_id),
    }
    registries = {
        registry.id: {
            "folder_id": registry.folder_id,
            "name": registry.name,
            "repositories": {
                repository.short_name: _repository_document(repository, ids_only)
                for repository in registry.repositories.values()
            },
        }
        for registry in state.registries.values()
    }
    return {
        "now": rfc3339(state.clock.now()),
        "counts": counts,
        "registries": registries,
        "cloud_registries": cloud_registries_document(state.cloud_registries, ids_only),
    }


def _repository_document(repository: Repository, ids_only: bool) -> dict[str, Any]:
    if ids_only:
        return {"id": repository.id, "images": repository.images.ids()}
    policies = [
        json_format.MessageToDict(policy, preserving_proto_field_name=True)
        for policy in repository.policies.values()
    ]
    images = [_image_document(image) for image in repository.images.all()]
    return {"id": repository.id, "policies": policies, "images": images}


def _image_document(image: Image) -> dict[str, Any]:
    return {
        "id": image.id,
        "digest": image.digest,
        "tags": image.tags,
        "created_at": rfc3339(image.created_at),
        "compressed_size": image.compressed_size,
    }
