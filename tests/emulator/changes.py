"""Changes that somebody else makes while a client is at work: a push, a retag, a delete, a deployment.

{"add_tag": {"image_id": "..", "tag": ".."}}          {"delete_image": {"image_id": ".."}}
{"remove_tag": {"image_id": "..", "tag": ".."}}       {"delete_policy": {"policy_id": ".."}}
{"add_image": {"registry_id": "..", "repository": "team-a/app", "image": {..as in the seed..}}}
{"put_policy": {"registry_id": "..", "repository": "team-a/app", "policy": {..as in the seed..}}}
{"run": {"containers": [..as in the seed..], "instances": [..], "instance_groups": [..]}}

and those of `cloud_registry_changes.py`. What the cloud would refuse is refused: a tag on an image that is
gone, an index over one, a second ACTIVE policy.
"""

import itertools
from collections.abc import Callable
from typing import Any

from google.protobuf.json_format import ParseError
from yandex.cloud.containerregistry.v1.lifecycle_policy_pb2 import LifecyclePolicy

from tests.emulator.cloud_registry_changes import CHANGES as CLOUD_REGISTRY_CHANGES
from tests.emulator.documents import DocumentError, checked
from tests.emulator.errors import ApiError
from tests.emulator.seed_images import images_of
from tests.emulator.seed_policies import policy_of
from tests.emulator.seed_workloads import add_workloads
from tests.emulator.state import Repository, State

_push_numbers = itertools.count(1)


def apply_change(state: State, change: dict[str, Any]) -> None:
    """Makes the change. Raises DocumentError for one that cannot be made."""
    check_change(change)
    state.history.add("change", do=change)
    for verb, arguments in change.items():
        try:
            _CHANGES[verb][1](state, arguments)
        except (ApiError, ParseError) as error:
            raise DocumentError(f"{verb}: {error}") from None


def check_change(change: dict[str, Any]) -> None:
    checked(change, "change", optional=" ".join(_CHANGES))
    for verb, arguments in change.items():
        required, _, optional = _CHANGES[verb][0].partition("|")
        checked(arguments, verb, optional=optional, required=required)


def _image_id(state: State, arguments: dict[str, Any]) -> str:
    image_id: str = arguments["image_id"]
    if image_id not in state.images:
        raise DocumentError(f"no image {image_id}")
    return image_id


def _repository(state: State, arguments: dict[str, Any]) -> Repository:
    name = f"{arguments['registry_id']}/{arguments['repository']}"
    if name not in state.repositories_by_name:
        raise DocumentError(f"no repository {name}")
    return state.repositories_by_name[name]


def _add_tag(state: State, arguments: dict[str, Any]) -> None:
    state.add_tag(_image_id(state, arguments), arguments["tag"])


def _remove_tag(state: State, arguments: dict[str, Any]) -> None:
    state.remove_tag(_image_id(state, arguments), arguments["tag"])


def _delete_image(state: State, arguments: dict[str, Any]) -> None:
    state.remove_image(_image_id(state, arguments))


def _add_image(state: State, arguments: dict[str, Any]) -> None:
    repository, given = _repository(state, arguments), arguments["image"]
    name = given.get("id") or next(_push_numbers)
    for image in images_of(state, given, f"pushed image {name}", repository):
        known = repository.owner_of_digest.get(image.digest)
        if known is None:
            state.put_image(image)
            continue
        for tag in image.tags:  # the same image is there already
            state.add_tag(known, tag)


def _put_policy(state: State, arguments: dict[str, Any]) -> None:
    repository = _repository(state, arguments)
    policy = policy_of(state, "put_policy", repository, arguments["policy"])
    others = [other for other in repository.policies.values() if other.id != policy.id]
    active = LifecyclePolicy.Status.ACTIVE
    if policy.status == active and any(other.status == active for other in others):
        raise DocumentError(f"{repository.name} has an ACTIVE policy already")
    state.add_policy(policy)


def _delete_policy(state: State, arguments: dict[str, Any]) -> None:
    if arguments["policy_id"] not in state.policies:
        raise DocumentError(f"no policy {arguments['policy_id']}")
    state.remove_policy(arguments["policy_id"])


_CHANGES: dict[str, tuple[str, Callable[[State, dict[str, Any]], None]]] = {
    "add_tag": ("image_id tag", _add_tag),
    "remove_tag": ("image_id tag", _remove_tag),
    "delete_image": ("image_id", _delete_image),
    "add_image": ("registry_id repository image", _add_image),
    "put_policy": ("registry_id repository policy", _put_policy),
    "delete_policy": ("policy_id", _delete_policy),
    "run": ("|containers instances instance_groups", add_workloads),
    **CLOUD_REGISTRY_CHANGES,
}
