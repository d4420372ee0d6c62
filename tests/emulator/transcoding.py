"""From an HTTP request to a request message, and from an answer to JSON.

Path parameters, and either the query (GET, DELETE) or the JSON body (`body: "*"`), together make the request
message. Names may be camelCase or as in the proto; a name or an enum value that the message lacks is refused.
Answers are proto3 JSON: camelCase, 64-bit numbers as strings, fields with default values left out.
"""

import json
from typing import Any
from urllib.parse import parse_qsl

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from tests.emulator.errors import invalid
from tests.emulator.methods import Answer
from tests.emulator.routes import Route


def read_request(route: Route, path_values: dict[str, str], query: str, body: bytes) -> Message:
    request = route.request_class()
    if route.has_body:
        if query:
            raise invalid(f"query parameters are not accepted here: {query.split('=')[0]}")
        fields = _body_fields(body)
    elif body:
        raise invalid("a request body is not accepted here")
    else:
        fields = _query_fields(request.DESCRIPTOR, query) if query else {}
    _refuse_path_fields(request.DESCRIPTOR, path_values, fields)
    try:
        if fields:
            json_format.ParseDict(fields, request)
    except json_format.ParseError as error:
        raise invalid(str(error)) from None
    for name, text in path_values.items():
        setattr(request, name, text)
    return request


def answer_json(answer: Answer) -> str:
    if isinstance(answer, Message):
        return json.dumps(json_format.MessageToDict(answer), separators=(",", ":"))
    return str(answer.json_text())


def _body_fields(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body) if body else {}
    except ValueError as error:
        raise invalid(f"body is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise invalid("body must be a JSON object")
    return fields


def _refuse_path_fields(descriptor: Descriptor, path_values: dict[str, str], fields: dict[str, Any]) -> None:
    for name in path_values:
        for spelling in {name, descriptor.fields_by_name[name].json_name} & fields.keys():
            if fields.pop(spelling) != path_values[name]:
                raise invalid(f"{spelling}: differs from the path")


def _query_fields(descriptor: Descriptor, query: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for dotted_name, text in parse_qsl(query, keep_blank_values=True):
        *parents, last = dotted_name.split(".")
        owner, holder = descriptor, fields
        for name in parents:
            owner = _field(owner, name, dotted_name).message_type
            holder = holder.setdefault(name, {})
        field = _field(owner, last, dotted_name)
        if field.is_repeated:
            holder.setdefault(last, []).append(_scalar(field, text, dotted_name))
        elif last in holder:
            raise invalid(f"{dotted_name}: given more than once")
        else:
            holder[last] = _scalar(field, text, dotted_name)
    return fields


def _field(owner: Descriptor | None, name: str, dotted_name: str) -> FieldDescriptor:
    if owner is not None:
        field = owner.fields_by_camelcase_name.get(name) or owner.fields_by_name.get(name)
        if field is not None:
            return field
    raise invalid(f"{dotted_name}: no such parameter")


def _scalar(field: FieldDescriptor, text: str, dotted_name: str) -> Any:
    """A query text as the JSON value that stands for it."""
    if field.type == FieldDescriptor.TYPE_BOOL:
        if text not in ("true", "false"):
            raise invalid(f"{dotted_name}: must be true or false")
        return text == "true"
    if field.type == FieldDescriptor.TYPE_ENUM and text.lstrip("-").isdigit():
        return int(text)
    return text
