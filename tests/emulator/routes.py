"""The REST routes of the services that the emulator knows, from their `google.api.http` options.

A template such as `/container-registry/v1/images/{image_id}:lastScanResult` is a list of segments, some of
them parameters, and a verb. A parameter is one segment of the path: a repository name's slashes are escaped.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass


@dataclass(frozen=True)
class Route:
    http_method: str
    template: str
    segments: tuple[str, ...]
    verb: str
    full_name: str
    request_class: type[Message]
    has_body: bool

    def path_values(self, segments: list[str]) -> dict[str, str] | None:
        """The parameters of a path cut into segments, or None when it isn't of this route."""
        values = {}
        for expected, given in zip(self.segments, segments, strict=True):
            if expected.startswith("{"):
                if not given:
                    return None
                values[expected[1:-1]] = unquote(given)
            elif expected != given:
                return None
        return values


class Routes:
    def __init__(self, services: Iterable[ServiceDescriptor]) -> None:
        self._by_shape: dict[tuple[str, int, str], list[Route]] = {}
        for service in services:
            for method in service.methods:
                for route in _routes_of(method):
                    shape = (route.http_method, len(route.segments), route.verb)
                    self._by_shape.setdefault(shape, []).append(route)

    def find(self, http_method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route of a raw (still escaped) path and its parameters."""
        *leading, last = path.split("/")
        last, _, verb = last.partition(":")
        segments = [*leading, last]
        for route in self._by_shape.get((http_method, len(segments), verb), ()):
            values = route.path_values(segments)
            if values is not None:
                return route, values
        return None


def _routes_of(method: MethodDescriptor) -> list[Route]:
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    routes = []
    for binding in (rule, *rule.additional_bindings):
        kind = binding.WhichOneof("pattern")
        if kind is None or kind == "custom":
            continue
        template = getattr(binding, kind)
        path, _, verb = template.partition(":")
        routes.append(
            Route(
                http_method=kind.upper(),
                template=template,
                segments=tuple(path.split("/")),
                verb=verb,
                full_name=f"{method.containing_service.full_name}/{method.name}",
                request_class=GetMessageClass(method.input_type),
                has_body=bool(binding.body),
            )
        )
    return routes
