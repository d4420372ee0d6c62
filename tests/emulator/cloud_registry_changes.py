"""Changes that somebody else makes in Cloud Registry while a client is at work.

{"push_artifact": {"registry_id": "..", "repository": "team-a/app", "image": {..as in the seed..}}}
{"put_tag": {"registry_id": "..", "repository": "team-a/app", "tag": "v1", "digest": "sha256:.."}}    made or
                                                                                                      moved
{"delete_artifact": {"artifact_id": ".."}}            a folder's, too, with all that is in it
{"put_cloud_policy": {"registry_id": "..", "policy": {..as in the seed..}}}
{"delete_cloud_policy": {"policy_id": ".."}}
{"toggle_redirects": {"registry_id": "..", "enabled": false}}
"""

import itertools
from collections.abc import Callable
from typing import Any

from tests.emulator.cloud_policies import forget, store
from tests.emulator.cloud_registries import CloudRegistry
from tests.emulator.documents import DocumentError
from tests.emulator.seed_cloud_registries import cloud_policy_of, push_images
from tests.emulator.state import State

_push_numbers = itertools.count(1)


def _registry(state: State, arguments: dict[str, Any]) -> CloudRegistry:
    return state.cloud_registries.registry(arguments["registry_id"])


def _push(state: State, arguments: dict[str, Any]) -> None:
    registry, given = _registry(state, arguments), arguments["image"]
    repository = state.cloud_registries.upsert_repository(
        registry, arguments["repository"], state.clock.now()
    )
    name = given.get("id") or next(_push_numbers)
    push_images(state, f"pushed artifact {name}", registry, repository, given)


def _put_tag(state: State, arguments: dict[str, Any]) -> None:
    registry = _registry(state, arguments)
    repository = registry.repositories.get(arguments["repository"])
    image = repository.image_of(arguments["digest"]) if repository else None
    if repository is None or image is None:
        raise DocumentError(f"{arguments['repository']} holds no image {arguments['digest']}")
    state.cloud_registries.put_tag(registry, repository, arguments["tag"], image, state.clock.now())


def _delete(state: State, arguments: dict[str, Any]) -> None:
    if arguments["artifact_id"] not in state.cloud_registries.nodes:
        raise DocumentError(f"no artifact {arguments['artifact_id']}")
    state.cloud_registries.remove(arguments["artifact_id"])


def _put_policy(state: State, arguments: dict[str, Any]) -> None:
    registry = _registry(state, arguments)
    store(state, cloud_policy_of(state, "put_cloud_policy", registry, arguments["policy"]))


def _delete_policy(state: State, arguments: dict[str, Any]) -> None:
    forget(state, arguments["policy_id"])


def _toggle_redirects(state: State, arguments: dict[str, Any]) -> None:
    _registry(state, arguments).redirects = arguments["enabled"]


CHANGES: dict[str, tuple[str, Callable[[State, dict[str, Any]], None]]] = {
    "push_artifact": ("registry_id repository image", _push),
    "put_tag": ("registry_id repository tag digest", _put_tag),
    "delete_artifact": ("artifact_id", _delete),
    "put_cloud_policy": ("registry_id policy", _put_policy),
    "delete_cloud_policy": ("policy_id", _delete_policy),
    "toggle_redirects": ("registry_id enabled", _toggle_redirects),
}
