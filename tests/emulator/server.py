"""The front: one call from the socket to the socket, whichever of the emulator's APIs it is for.

A call passes the rate limit, may meet a fault, and is answered by its API; changes that wait for it follow;
the answer leaves when the latency is over. Paths that begin with `/_` are the tests' own (`control.py`),
`/v2` those of the Docker Registry API of Container Registry, `/cloud-registry-v2` those of Cloud Registry's,
a function's id alone calls that function, `/s3` is Object Storage, and all others are the cloud's. The
Kubernetes API of each cluster has a server of its own.
"""

import asyncio
import json
from typing import Any

from aiohttp import web

from tests.emulator.behaviour import Behaviour, Fault, behaviour_from
from tests.emulator.calls import Call, Calls
from tests.emulator.changes import apply_change
from tests.emulator.cloud_api import CloudApi
from tests.emulator.control import answer_control
from tests.emulator.documents import DocumentError
from tests.emulator.errors import NOT_FOUND, RESOURCE_EXHAUSTED
from tests.emulator.kubernetes_servers import KubernetesServers
from tests.emulator.responses import Api, json_response
from tests.emulator.routes import Routes
from tests.emulator.services import known_services
from tests.emulator.services.docker_hosts import host_of
from tests.emulator.services.docker_registry import DockerRegistryApi
from tests.emulator.services.function_calls import FunctionCallsApi
from tests.emulator.services.kubernetes_api import KubernetesApi
from tests.emulator.services.object_storage import ObjectStorageApi
from tests.emulator.state import State
from tests.emulator.workloads import Cluster

HANGING_LOOK_SECONDS = 0.1

_HTML_PAGE = "<html><head><title>{0}</title></head><body><h1>{0} from a proxy</h1></body></html>"


class Emulator:
    """A cloud, its behaviour, and the calls made to it.

    `registry_upstream` is for seeds that name none. The clusters are served from `start` to `stop`. `url` is
    where deployed functions find the cloud.
    """

    url = ""

    def __init__(
        self, state: State, default_behaviour: dict[str, float] | None = None, registry_upstream: str = ""
    ) -> None:
        self.registry_upstream = registry_upstream
        self._default_behaviour = default_behaviour or {}
        self._routes = Routes(known_services())
        self._kubernetes = KubernetesServers()
        self._hold(state)

    async def start(self) -> None:
        await self._kubernetes.start(self.state.workloads.clusters.values(), self.handle_kubernetes)

    async def stop(self) -> None:
        await self._kubernetes.stop()
        await self._clear()

    async def replace_state(self, state: State) -> None:
        await self._clear()
        self._hold(state)
        await self.start()

    async def _clear(self) -> None:
        """Ends what runs in the background, and removes the cloud's files."""
        tasks = self.state.serverless.tasks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.state.disk.wipe()

    def _hold(self, state: State) -> None:
        self.state = state
        self.calls = Calls()
        self.behave({})

    def behave(self, document: dict[str, Any]) -> None:
        self.behaviour: Behaviour = behaviour_from(document, self._default_behaviour)
        self.state.cloud_registries.switches = self.behaviour.cloud_registry
        self.state.container_registry = self.behaviour.container_registry
        self.state.clock.offset = self.behaviour.clock_offset_seconds
        self.state.accounts.token_seconds = self.behaviour.token_seconds
        self.state.operations.duration_ms = self.behaviour.operation_ms

    def make_changes(self, call: Call, *, before: bool = False) -> None:
        """Makes the changes that wait for this call, or for its number if it is ``before`` its answer."""
        for change in self.behaviour.take_changes(call, before=before):
            try:
                apply_change(self.state, change)
            except DocumentError as error:
                self.state.history.add("refused", do=change, why=str(error))

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        self.state.operations.settle()
        if path.startswith("/_"):
            body = await request.read() if request.can_read_body else b""
            status, document = await answer_control(self, request.method, path, query, body)
            return json_response(status, json.dumps(document))
        if docker_host := host_of(path):
            url = f"{request.scheme}://{request.host}"
            docker = DockerRegistryApi(self.state, self.behaviour.v2_auth, url, docker_host)
            return await self._serve(request, docker, path, query)
        if ObjectStorageApi.is_for(path):
            return await self._serve(request, ObjectStorageApi(self.state), path, query)
        if FunctionCallsApi.is_for(path):
            return await self._serve(request, FunctionCallsApi(self.state, self.url), path, query)
        return await self._serve(request, CloudApi(self.state, self._routes), path, query)

    async def handle_kubernetes(self, cluster: Cluster, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        api = KubernetesApi(self.state, cluster)
        return await self._serve(request, api, api.prefix + path, query)

    async def _serve(self, request: web.BaseRequest, api: Api, path: str, query: str) -> web.StreamResponse:
        body = await request.read() if request.can_read_body else b""
        arrived_at = asyncio.get_running_loop().time()
        calls, call = self.calls, Call(request.method, path, query, self.state.clock.now())
        call.route = api.route_of(call)
        calls.begin(call)
        history = self.state.history
        history.add("call", number=call.number, method=call.method, path=path, query=query)
        self.make_changes(call, before=True)
        try:
            response = await self._answer(request, api, call, body)
            call.status = 0 if _is_cut(request) else response.status
            call.bytes = len(body) + len(response.body or b"")  # type: ignore[arg-type]
            await self.behaviour.late_enough(arrived_at)
            return response
        finally:
            calls.end(call)
            history.add("answer", number=call.number, status=call.status, fault=call.fault)

    async def _answer(self, request: web.BaseRequest, api: Api, call: Call, body: bytes) -> web.Response:
        limit = self.behaviour.rate_limit if api.has_rate_limit and call.route else None
        if limit and not limit.admits(self.state.clock.monotonic()):
            return _told_to_wait(api.error(RESOURCE_EXHAUSTED, "Too many requests"), limit.retry_after)
        fault = self.behaviour.fault_for(call)
        if fault is not None:
            call.fault = fault.text
            stand_in = await self._stand_in(request, api, fault)
            if stand_in is not None:
                return stand_in
        closed = self.behaviour.container_registry.closed
        if closed is not None and _is_for_container_registry(api, call):
            if closed == "no-answer":
                _cut(request)
            return api.error(NOT_FOUND, "Container Registry is closed", 404 if closed == 404 else 410)
        response = await api.answer(call, request.headers, body, fault)
        self.make_changes(call)
        if fault is not None and fault.omit:
            response = _without(response, fault.omit)
        if fault is not None and fault.cut:
            _cut(request, response if fault.cut == "body" else None)
        return response

    async def _stand_in(self, request: web.BaseRequest, api: Api, fault: Fault) -> web.Response | None:
        """What a fault answers in the API's place, if it does."""
        if fault.delay_ms:
            await asyncio.sleep(fault.delay_ms / 1000)
        if fault.expire_tokens:
            self.state.accounts.expire_tokens()
        while fault.hang and not _is_cut(request):
            await asyncio.sleep(HANGING_LOOK_SECONDS)
        if fault.cut == "before":
            _cut(request)
        if fault.cut == "before" or fault.hang:
            return web.Response(status=500)
        if fault.html:
            return web.Response(
                status=fault.html, text=_HTML_PAGE.format(fault.html), content_type="text/html"
            )
        if fault.body is not None:
            return json_response(fault.status or 200, fault.body)
        if fault.status:
            return _told_to_wait(api.error(fault.code, fault.message, fault.status), fault.retry_after)
        return None


def _is_for_container_registry(api: Api, call: Call) -> bool:
    if isinstance(api, DockerRegistryApi):
        return api.is_for_container_registry(call)
    return call.path.startswith("/container-registry/")


def _without(response: web.Response, ids: list[str]) -> web.Response:
    """The answer without those items of its lists that have one of the ids."""
    if response.status != 200:
        return response
    document = json.loads(response.body)  # type: ignore[arg-type]
    for name, value in document.items():
        if isinstance(value, list):
            document[name] = [item for item in value if item.get("id") not in ids]
    return json_response(200, json.dumps(document))


def _told_to_wait(response: web.Response, retry_after: int | None) -> web.Response:
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def _is_cut(request: web.BaseRequest) -> bool:
    return request.transport is None or request.transport.is_closing()


def _cut(request: web.BaseRequest, half_of: web.Response | None = None) -> None:
    """Close the connection without an answer, or after half of one."""
    if request.transport is None:
        return
    if half_of is None:
        request.transport.abort()
        return
    body = bytes(half_of.body)  # type: ignore[arg-type]
    head = (
        f"HTTP/1.1 {half_of.status} {half_of.reason}\r\n"
        f"Content-Type: {half_of.headers['Content-Type']}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    request.transport.write(head.encode() + body[: len(body) // 2])
    request.transport.close()
