"""Changes that somebody else makes while a client is at work: a push, a retag, a delete.

{"add_tag": {"image_id": "..", "tag": ".."}}          {"delete_image": {"image_id": ".."}}
{"remove_tag": {"image_id": "..", "tag": ".."}}
{"add_image": {"registry_id": "..", "repository": "team-a/app", "image": {..as in the seed..}}}
"""

import itertools
from collections.abc import Callable
from typing import Any

from tests.emulator.documents import DocumentError, checked
from tests.emulator.seed_images import images_of
from tests.emulator.state import State

_push_numbers = itertools.count(1)


def apply_change(state: State, change: dict[str, Any]) -> None:
    check_change(change)
    for verb, arguments in change.items():
        _CHANGES[verb][1](state, arguments)


def check_change(change: dict[str, Any]) -> None:
    checked(change, "change", optional=" ".join(_CHANGES))
    for verb, arguments in change.items():
        checked(arguments, verb, required=_CHANGES[verb][0])


def _image_id(state: State, arguments: dict[str, Any]) -> str:
    image_id: str = arguments["image_id"]
    if image_id not in state.images:
        raise DocumentError(f"no image {image_id}")
    return image_id


def _add_tag(state: State, arguments: dict[str, Any]) -> None:
    state.add_tag(_image_id(state, arguments), arguments["tag"])


def _remove_tag(state: State, arguments: dict[str, Any]) -> None:
    state.remove_tag(_image_id(state, arguments), arguments["tag"])


def _delete_image(state: State, arguments: dict[str, Any]) -> None:
    state.remove_image(_image_id(state, arguments))


def _add_image(state: State, arguments: dict[str, Any]) -> None:
    name = f"{arguments['registry_id']}/{arguments['repository']}"
    if name not in state.repositories_by_name:
        raise DocumentError(f"no repository {name}")
    where = f"pushed image {next(_push_numbers)}"
    for image in images_of(state, arguments["image"], where, state.repositories_by_name[name]):
        state.put_image(image)


_CHANGES: dict[str, tuple[str, Callable[[State, dict[str, Any]], None]]] = {
    "add_tag": ("image_id tag", _add_tag),
    "remove_tag": ("image_id tag", _remove_tag),
    "delete_image": ("image_id", _delete_image),
    "add_image": ("registry_id repository image", _add_image),
}
