"""The limits that the API's own definitions set on request fields (`yandex/cloud/validation.proto`).

    required   a value must be there               exactly_one   one field of a oneof must be set
    value      bounds of a number or a duration    length        bounds of a text's or map value's length
    size       bounds of the number of elements    pattern       a text or map value matches, whole
    unique     no element twice                    map_key       pattern and length of a map's keys

Bounds are written `<=1000`, `>=24h`, `>0`, `1-63`, or `20`; several may be joined by `;` or `,`.
A string, number or message that isn't set is checked for nothing but `required`; a timestamp's `value`, which
only ever names the years that a timestamp can hold, isn't checked at all.
"""

import re
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from yandex.cloud import validation_pb2 as options

from tests.emulator.clock import span_seconds
from tests.emulator.errors import invalid

Check = Callable[[Message, str], None]

_NUMBER = r"-?\d+(?:\.\d+)?(?:ms|s|m|h|d)?"
_COMPARISON = re.compile(rf"(<=|>=|<|>)\s*({_NUMBER})")
_RANGE = re.compile(rf"({_NUMBER})-({_NUMBER})")

_checks: dict[str, list[Check]] = {}


def validate(message: Message, path: str = "") -> None:
    """Raise INVALID_ARGUMENT, naming the field, for what the API's definitions forbid."""
    for check in checks_of(message.DESCRIPTOR):
        check(message, path)


def checks_of(descriptor: Descriptor) -> list[Check]:
    checks = _checks.get(descriptor.full_name)
    if checks is None:
        checks = _checks[descriptor.full_name] = []
        for oneof in descriptor.oneofs:
            if oneof.GetOptions().Extensions[options.exactly_one]:
                checks.append(_exactly_one(oneof.name, [field.name for field in oneof.fields]))
        for field in descriptor.fields:
            checks += _field_checks(field)
    return checks


def _exactly_one(oneof_name: str, field_names: list[str]) -> Check:
    def check(message: Message, path: str) -> None:
        if message.WhichOneof(oneof_name) is None:
            raise invalid(f"{path}{oneof_name}: exactly one of {', '.join(field_names)} must be set")

    return check


def _field_checks(field: FieldDescriptor) -> list[Check]:
    extensions = field.GetOptions().Extensions
    checks = []
    if extensions[options.required]:
        checks.append(_required(field))
    if extensions[options.size]:
        checks.append(_size(field, extensions[options.size]))
    if extensions[options.unique]:
        checks.append(_unique(field))
    if _is_map(field):
        checks += _map_checks(field)
    else:
        checks += [_each(field, test) for test in _value_tests(extensions, field)]
        if field.message_type is not None and not field.message_type.full_name.startswith("google.protobuf."):
            checks.append(_nested(field))
    return checks


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _is_set(message: Message, field: FieldDescriptor) -> bool:
    return bool(message.HasField(field.name)) if field.has_presence else bool(getattr(message, field.name))


def _required(field: FieldDescriptor) -> Check:
    def check(message: Message, path: str) -> None:
        if not _is_set(message, field) and field.type != FieldDescriptor.TYPE_BOOL:
            raise invalid(f"{path}{field.name}: is required")

    return check


def _size(field: FieldDescriptor, bounds: str) -> Check:
    within = within_bounds(bounds)

    def check(message: Message, path: str) -> None:
        if not within(len(getattr(message, field.name))):
            raise invalid(f"{path}{field.name}: the number of elements must be {bounds}")

    return check


def _unique(field: FieldDescriptor) -> Check:
    def check(message: Message, path: str) -> None:
        elements = [str(element) for element in getattr(message, field.name)]
        if len(set(elements)) < len(elements):
            raise invalid(f"{path}{field.name}: elements must be unique")

    return check


def _nested(field: FieldDescriptor) -> Check:
    def check(message: Message, path: str) -> None:
        if field.is_repeated:
            for index, element in enumerate(getattr(message, field.name)):
                validate(element, f"{path}{field.name}[{index}].")
        elif message.HasField(field.name):
            validate(getattr(message, field.name), f"{path}{field.name}.")

    return check


Test = tuple[Callable[[Any], bool], str]


def _each(field: FieldDescriptor, test: Test) -> Check:
    holds, rule = test

    def check(message: Message, path: str) -> None:
        if _is_set(message, field):
            value = getattr(message, field.name)
            for element in value if field.is_repeated else (value,):
                if not holds(element):
                    raise invalid(f"{path}{field.name}: {rule}")

    return check


def _map_checks(field: FieldDescriptor) -> list[Check]:
    extensions = field.GetOptions().Extensions
    key_rule = extensions[options.map_key]
    key_tests = _text_tests(key_rule.pattern, key_rule.length)
    value_tests = _text_tests(extensions[options.pattern], extensions[options.length])

    def check(message: Message, path: str) -> None:
        for key, value in getattr(message, field.name).items():
            for holds, rule in key_tests:
                if not holds(key):
                    raise invalid(f"{path}{field.name}: key {key!r}: {rule}")
            for holds, rule in value_tests:
                if not holds(value):
                    raise invalid(f"{path}{field.name}[{key}]: {rule}")

    return [check]


def _text_tests(pattern: str, length: str) -> list[Test]:
    tests: list[Test] = []
    if length:
        within = within_bounds(length)
        tests.append((lambda text: within(len(text)), f"length must be {length}"))
    if pattern:
        whole = re.compile(pattern).fullmatch
        tests.append((lambda text: whole(text) is not None, f"must match {pattern}"))
    return tests


def _value_tests(extensions: Any, field: FieldDescriptor) -> list[Test]:
    tests = _text_tests(extensions[options.pattern], extensions[options.length])
    bounds = extensions[options.value]
    if bounds and field.type != FieldDescriptor.TYPE_STRING and not _is_timestamp(field):
        within = within_bounds(bounds)
        tests.append((lambda value: within(_number(value)), f"must be {bounds}"))
    return tests


def _is_timestamp(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.full_name == "google.protobuf.Timestamp"


def _number(value: Any) -> float:
    if isinstance(value, Message):
        value = value.ToNanoseconds() / 10**9 if isinstance(value, Duration) else value.value
    return float(value)


def within_bounds(bounds: str) -> Callable[[float], bool]:
    """A test of a number against bounds as the API's definitions write them."""
    parts = [_one_bound(part.strip()) for part in re.split(r"[;,]", bounds)]
    return lambda number: any(holds(number) for holds in parts)


def _one_bound(text: str) -> Callable[[float], bool]:
    if match := _COMPARISON.fullmatch(text):
        limit = _limit(match[2])
        return {
            "<=": lambda number: number <= limit,
            ">=": lambda number: number >= limit,
            "<": lambda number: number < limit,
            ">": lambda number: number > limit,
        }[match[1]]
    if match := _RANGE.fullmatch(text):
        low, high = _limit(match[1]), _limit(match[2])
        return lambda number: low <= number <= high
    exactly = _limit(text)
    return lambda number: number == exactly


def _limit(text: str) -> float:
    return span_seconds(text) if text[-1].isalpha() else float(text)
