"""Updates by mask: `updateMask` names the fields to take from the request, and none stands for all of
them.
"""

import copy
from collections.abc import Callable
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from tests.emulator.errors import invalid

Resource = TypeVar("Resource", bound=Message)


def replacing(find: Callable[[], Resource], changed: Resource) -> Callable[[], Message]:
    """What an update does once its operation is done: the resource, if it is found still, becomes
    ``changed``.
    """

    def effect() -> Message:
        held = find()
        held.CopyFrom(changed)
        return held

    return effect


def with_status(find: Callable[[], Any], status: Any) -> Callable[[], Message]:
    """The same for a change of the status alone."""

    def effect() -> Message:
        held: Message = find()
        held.status = status
        return held

    return effect


def updated(resource: Resource, request: Any) -> Resource:
    """The resource as the request would have it; fields that both have by the same name may be changed."""
    changeable = set(resource.DESCRIPTOR.fields_by_name) & set(request.DESCRIPTOR.fields_by_name)
    given = json_format.MessageToDict(request, preserving_proto_field_name=True)
    wanted = json_format.ParseDict(
        {name: given[name] for name in changeable & given.keys()}, type(resource)()
    )
    mask = FieldMask(paths=list(request.update_mask.paths) or sorted(changeable))
    for path in mask.paths:
        if path.split(".")[0] not in changeable or not FieldMask(paths=[path]).IsValidForDescriptor(
            resource.DESCRIPTOR
        ):
            raise invalid(f"update_mask: no such field {path!r}")
    changed = copy.deepcopy(resource)
    mask.MergeMessage(wanted, changed, True, True)
    return changed
