"""The same methods over gRPC, on a port of its own, and with certificates on one for TLS.

The services and their messages come from the descriptors, as those of the REST API do. The token is the
metadata `authorization: Bearer ...`. Latency, rate limit, faults and changes are the front's (`server.py`); a
fault matches `GRPC /yandex.cloud.containerregistry.v1.ImageService/Delete`, which is also the call's path and
its route. A status is told as its gRPC code, and what only HTTP can express (a connection that is cut, a page
of HTML, a text) as UNAVAILABLE.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from tests.emulator.behaviour import Fault
from tests.emulator.calls import Call
from tests.emulator.certificates import Certificates
from tests.emulator.errors import HTTP_STATUS, RESOURCE_EXHAUSTED, UNAVAILABLE, ApiError
from tests.emulator.methods import invoke, wish_of
from tests.emulator.server import Emulator
from tests.emulator.services import known_services

HTTP_METHOD = "GRPC"

_STATUS = {status.value[0]: status for status in grpc.StatusCode}

Behaviour = Callable[[bytes, Any], Awaitable[bytes]]


async def listen(
    emulator: Emulator, host: str, certificates: Certificates | None = None
) -> tuple[Any, int, int]:
    """Serve on any free port, and on the second one over TLS if there are certificates; the server ends
    it.
    """
    server = grpc.aio.server()
    for service in known_services():
        methods = {
            method.name: grpc.unary_unary_rpc_method_handler(_behaviour(emulator, method))
            for method in service.methods
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, methods),))
    port = server.add_insecure_port(f"{host}:0")
    tls_port = 0
    if certificates:
        pem = certificates.server.encode()
        tls_port = server.add_secure_port(f"{host}:0", grpc.ssl_server_credentials([(pem, pem)]))
    await server.start()
    return server, port, tls_port


def _behaviour(emulator: Emulator, method: MethodDescriptor) -> Behaviour:
    full_name = f"{method.containing_service.full_name}/{method.name}"
    request_class = GetMessageClass(method.input_type)

    async def serve(request: bytes, context: Any) -> bytes:
        arrived_at = asyncio.get_running_loop().time()
        calls, call = emulator.calls, Call(HTTP_METHOD, f"/{full_name}", "", emulator.state.clock.now())
        call.route = call.path
        calls.begin(call)
        try:
            authorization = dict(context.invocation_metadata()).get("authorization", "")
            message = await _answer(emulator, call, authorization, lambda: request_class.FromString(request))
            call.status = 200
            await emulator.behaviour.late_enough(arrived_at)
            return bytes(message.SerializeToString())
        except ApiError as error:
            call.status = HTTP_STATUS[error.code]
            await emulator.behaviour.late_enough(arrived_at)
            await context.abort(_STATUS[error.code], error.message)
            raise
        finally:
            calls.end(call)

    return serve


async def _answer(
    emulator: Emulator, call: Call, authorization: str, read_request: Callable[[], Message]
) -> Message:
    behaviour, state = emulator.behaviour, emulator.state
    if behaviour.rate_limit and not behaviour.rate_limit.admits(state.clock.monotonic()):
        raise ApiError(RESOURCE_EXHAUSTED, "Too many requests")
    fault = behaviour.fault_for(call)
    if fault is not None:
        await _meet(emulator, fault)
    state.operations.settle()
    answer = await invoke(state, call.path[1:], authorization, read_request, wish_of(fault))
    emulator.make_changes(call)
    if fault is not None and fault.cut:
        raise ApiError(UNAVAILABLE, "the connection is cut")
    return answer if isinstance(answer, Message) else answer.message()


async def _meet(emulator: Emulator, fault: Fault) -> None:
    """What a fault does before the call reaches its method, if anything."""
    if fault.delay_ms:
        await asyncio.sleep(fault.delay_ms / 1000)
    if fault.expire_tokens:
        emulator.state.accounts.expire_tokens()
    if fault.hang:
        await asyncio.Event().wait()  # until the caller gives up
    if fault.cut == "before" or fault.html or fault.body is not None:
        raise ApiError(UNAVAILABLE, fault.message)
    if fault.status:
        raise ApiError(fault.code, fault.message)
