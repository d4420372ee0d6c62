"""The Kubernetes API of one cluster: lists of objects over all namespaces, in pages.

    GET /api/v1/pods?limit=500&continue=TOKEN
    {"kind": "PodList", "apiVersion": "v1",
     "metadata": {"resourceVersion": "1", "continue": TOKEN, "remainingItemCount": 4500},
     "items": [{"metadata": {..}, "spec": {..}, "status": {..}}]}

Without `limit` a list is whole. The items bear neither kind nor apiVersion. A continue token is good for five
minutes (by the emulator's clock), then the answer is 410, reason Expired. Errors are `Status` objects.
Callers sign in with an IAM token as bearer. (kubernetes.io: API concepts, "Retrieving large results sets in
chunks".)
"""

import base64
import json
from bisect import bisect_right
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import CIMultiDictProxy
from yandex.cloud.iam.v1.service_account_pb2 import ServiceAccount

from tests.emulator.behaviour import Fault
from tests.emulator.calls import Call
from tests.emulator.errors import HTTP_STATUS, ApiError
from tests.emulator.kubernetes_objects import KIND_OF_PATH, KINDS, sort_key
from tests.emulator.responses import json_response
from tests.emulator.state import State
from tests.emulator.workloads import Cluster

VIEWER = "k8s.cluster-api.viewer"
CONTINUE_SECONDS = 300
PASSED_OVER = ("pretty", "resourceVersion", "resourceVersionMatch", "timeoutSeconds")

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class Refusal(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class KubernetesApi:
    has_rate_limit = False

    def __init__(self, state: State, cluster: Cluster) -> None:
        self._state = state
        self._cluster = cluster
        self.prefix = f"k8s:{cluster.id}"

    def route_of(self, call: Call) -> str:
        path = call.path.removeprefix(self.prefix)
        return call.path if path in KIND_OF_PATH or path.startswith("/apis") else ""

    async def answer(
        self, call: Call, headers: CIMultiDictProxy[str], body: bytes, fault: Fault | None
    ) -> web.Response:
        try:
            account = self._signed_in(headers.get("Authorization", ""))
            if call.method != "GET":
                raise Refusal(405, "the emulator has nothing but GET here")
            path = call.path.removeprefix(self.prefix)
            document = self._discovery(path)
            if document is None:
                document = self._listed(path, call.query, account)
            return json_response(200, json.dumps(document))
        except Refusal as refusal:
            return _status_response(refusal.status, str(refusal))

    def error(self, code: int, message: str, status: int | None = None) -> web.Response:
        return _status_response(status or HTTP_STATUS[code], message)

    def _signed_in(self, authorization: str) -> ServiceAccount | None:
        if not self._cluster.bearer_needed:
            return None
        try:
            return self._state.accounts.signed_in(authorization)
        except ApiError:
            raise Refusal(401, "Unauthorized") from None

    def _discovery(self, path: str) -> dict[str, Any] | None:
        """What everybody who has signed in may know: the groups, and the kinds of each."""
        versions = {kind.group_version for kind in self._cluster.custom} | {"apps/v1", "batch/v1"}
        if path == "/apis":
            return {
                "kind": "APIGroupList",
                "apiVersion": "v1",
                "groups": [_group(version) for version in sorted(versions)],
            }
        version = path.removeprefix("/apis/")
        if not path.startswith("/apis/") or version not in versions:
            return None
        resources = [
            {"name": kind.resource, "kind": kind.kind, "namespaced": True, "verbs": ["get", "list"]}
            for kind in self._cluster.custom
            if kind.group_version == version
        ]
        status = [
            {**resource, "name": f"{resource['name']}/status", "verbs": ["get"]} for resource in resources
        ]
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": version,
            "resources": resources + status,
        }

    def _listed(self, path: str, query: str, account: ServiceAccount | None) -> dict[str, Any]:
        custom = {kind.path: kind for kind in self._cluster.custom}.get(path)
        kind = KIND_OF_PATH.get(path)
        if kind is None and custom is None:
            raise Refusal(404, "the server could not find the requested resource")
        place = (self._cluster.folder_id,)
        allowed = not account or self._state.access.allows(account.id, VIEWER, place)
        if not allowed or (custom and not custom.listable):
            resource = path.rpartition("/")[2]
            user = account.id if account else ""
            message = f'{resource} is forbidden: User "{user}" cannot list resource "{resource}"'
            raise Refusal(403, f"{message} at the cluster scope")
        if custom:
            return self._list(path, query, custom.kind, custom.group_version)
        assert kind
        return self._list(kind, query, kind, KINDS[kind][0].removeprefix("/apis/").removeprefix("/api/"))

    def _list(self, kind: str, query: str, named: str, version: str) -> dict[str, Any]:
        """A page of the cluster's objects of a kind, which the list calls by another name."""
        limit, token = _paging(query)
        objects = self._cluster.objects.get(kind, [])
        start = bisect_right(objects, self._place(kind, token), key=sort_key) if token else 0
        stop = min(start + limit, len(objects)) if limit else len(objects)
        metadata: dict[str, Any] = {"resourceVersion": "1"}
        if stop < len(objects):
            metadata["continue"] = self._continue_token(kind, objects[stop - 1])
            metadata["remainingItemCount"] = len(objects) - stop
        return {
            "kind": f"{named}List",
            "apiVersion": version,
            "metadata": metadata,
            "items": objects[start:stop],
        }

    def _continue_token(self, kind: str, last: dict[str, Any]) -> str:
        contents = json.dumps([kind, self._state.clock.now(), *sort_key(last)])
        return base64.urlsafe_b64encode(contents.encode()).decode().rstrip("=")

    def _place(self, kind: str, token: str) -> tuple[str, str]:
        try:
            contents = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            issued_for, issued_at, namespace, name = json.loads(contents)
        except ValueError:
            raise Refusal(400, "continue key is not valid") from None
        if issued_for != kind:
            raise Refusal(400, "continue key is not valid")
        if issued_at + CONTINUE_SECONDS <= self._state.clock.now():
            raise Refusal(
                410, "The provided continue parameter is too old to display a consistent list result."
            )
        return namespace, name


def _group(version: str) -> dict[str, Any]:
    preferred = {"groupVersion": version, "version": version.partition("/")[2]}
    return {"name": version.partition("/")[0], "versions": [preferred], "preferredVersion": preferred}


def _paging(query: str) -> tuple[int, str]:
    """`limit` (0: none) and `continue`."""
    given = dict(parse_qsl(query))
    limit, token = given.pop("limit", "0"), given.pop("continue", "")
    for name in given:
        if name not in PASSED_OVER:
            raise Refusal(400, f"{name}: not supported by the emulator")
    if not limit.isdigit():
        raise Refusal(400, f"limit: invalid value {limit!r}")
    return int(limit), token


def _status_response(status: int, message: str) -> web.Response:
    document = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": _REASONS.get(status, ""),
        "code": status,
    }
    return json_response(status, json.dumps(document))
