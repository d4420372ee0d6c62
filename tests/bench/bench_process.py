"""What the benchmark measures, in a fresh process: `python -I tests/bench/bench_process.py`.

Standard input is `{"what": NAME, "with": {...}}`, standard output one line of JSON: the `seconds` and the
processor's `cpu_seconds` of the work, with its child processes, `start_seconds` and `start_cpu_seconds` of
what it imports before, the peak of its resident memory, and what came of it.
"""

import importlib
import json
import resource
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter
from typing import Any
from urllib.parse import urlsplit

STARTED = time.perf_counter()
IMAGES = "/container-registry/v1/images/"

Work = Callable[[], Any]


class Context:
    """A function's context with an hour to go."""

    def get_remaining_time_in_millis(self) -> int:
        return 3_600_000


def clean_up(bundle: str) -> Work:
    """The packaged handler."""
    sys.path.insert(0, bundle)
    handler = importlib.import_module("cleanup").handler
    return lambda: _without_rows(handler({}, Context()))


def _without_rows(report: dict[str, Any]) -> dict[str, Any]:
    return {name: report[name] for name in ("status", "totals", "warnings", "errors")}


def grpc_script(
    address: str, authority: str, token: str, repositories: list[str], keep: int, concurrency: int
) -> Work:
    """A script on the official stubs: for each repository list, delete all but the newest in a thread pool,
    wait for each operation. It looks at nothing else.
    """
    import grpc
    from yandex.cloud.containerregistry.v1 import image_service_pb2 as service
    from yandex.cloud.containerregistry.v1.image_service_pb2_grpc import ImageServiceStub
    from yandex.cloud.operation.operation_service_pb2 import GetOperationRequest
    from yandex.cloud.operation.operation_service_pb2_grpc import OperationServiceStub

    metadata = (("authorization", f"Bearer {token}"),)
    options = [("grpc.max_receive_message_length", -1)]
    if authority:
        with open(authority, "rb") as pem:
            channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(pem.read()), options)
    else:
        channel = grpc.insecure_channel(address, options)
    images, operations = ImageServiceStub(channel), OperationServiceStub(channel)

    def listed(repository: str) -> list[Any]:
        found: list[Any] = []
        request = service.ListImagesRequest(repository_name=repository, page_size=1000)
        while True:
            page = images.List(request, metadata=metadata)
            found += page.images
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return found

    def delete(image: Any) -> None:
        operation = images.Delete(service.DeleteImageRequest(image_id=image.id), metadata=metadata)
        while True:  # the SDK's own waiter asks first and looks then, too
            operation = operations.Get(GetOperationRequest(operation_id=operation.id), metadata=metadata)
            if operation.done:
                return
            time.sleep(1)

    def work() -> None:
        with ThreadPoolExecutor(concurrency) as pool:
            for repository in repositories:
                newest_first = sorted(listed(repository), key=attrgetter("created_at.seconds"), reverse=True)
                list(pool.map(delete, newest_first[keep:]))

    return work


def curl(url: str, authority: str, token: str, image_ids: list[str], concurrency: int) -> Work:
    """`xargs -P`, and for each of these images a `curl` that deletes it; nothing is listed or waited for."""
    trusted = ["--cacert", authority] if authority else []
    command = ["xargs", "-P", str(concurrency), "-I{}", "curl", "-sSf", "-o", "/dev/null", "-X", "DELETE"]
    command += [*trusted, "-H", f"Authorization: Bearer {token}", f"{url}{IMAGES}{{}}"]
    lines = "".join(f"{image_id}\n" for image_id in image_ids)
    return lambda: subprocess.run(command, input=lines, text=True, check=True) and None


def bare_loop(url: str, authority: str, token: str, image_ids: list[str], concurrency: int) -> Work:
    """The limit: the deletes of these images as ready bytes, over so many connections in turn. One thread
    sends one on each, then reads each answer and sends the next.
    """
    place = urlsplit(url)
    context = ssl.create_default_context(cafile=authority) if authority else None

    def connected() -> socket.socket:
        plain = socket.create_connection((place.hostname, place.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return context.wrap_socket(plain, server_hostname=place.hostname) if context else plain

    def request(image_id: str) -> bytes:
        head = f"DELETE {IMAGES}{image_id} HTTP/1.1\r\nHost: {place.netloc}\r\n"
        return f"{head}Authorization: Bearer {token}\r\n\r\n".encode()

    def work() -> None:
        connections = [connected() for _ in range(min(concurrency, len(image_ids)))]
        for number, image_id in enumerate(image_ids):
            connection = connections[number % len(connections)]
            if number >= len(connections):
                _read_answer(connection)
            connection.sendall(request(image_id))
        for connection in connections:
            _read_answer(connection)

    return work


def _read_answer(connection: socket.socket) -> None:
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += _received(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise AssertionError(head.decode())
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    missing = length - len(body)
    while missing > 0:
        missing -= len(_received(connection))


def _received(connection: socket.socket) -> bytes:
    piece = connection.recv(65536)
    if not piece:
        raise AssertionError("the connection was closed before the answer's end")
    return piece


def import_handler(bundle: str) -> Work:
    sys.path.insert(0, bundle)
    return _imports("cleanup")


def import_script() -> Work:
    """What `grpc_script` needs."""
    stubs = ("containerregistry.v1.image_service", "operation.operation_service")
    return _imports("grpc", *(f"yandex.cloud.{stub}_pb2_grpc" for stub in stubs))


def import_libraries() -> Work:
    """What any handler needs that signs in with an authorized key over requests."""
    return _imports("requests", "jwt", "cryptography.hazmat.primitives.asymmetric.rsa")


def _imports(*names: str) -> Work:
    return lambda: [importlib.import_module(name) for name in names] and None


WORK = {
    work.__name__: work
    for work in (clean_up, grpc_script, curl, bare_loop, import_handler, import_script, import_libraries)
}


def peak_kb() -> int:
    """Of this program alone: what `getrusage` tells includes the process that started it."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def cpu_seconds() -> float:
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> None:
    call = json.load(sys.stdin)
    work = WORK[call["what"]](**call["with"])
    start_cpu, started = cpu_seconds(), time.perf_counter()
    result = work()
    told = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": cpu_seconds() - start_cpu,
        "start_seconds": started - STARTED,
        "start_cpu_seconds": start_cpu,
        "peak_mb": peak_kb() / 1024,
    }
    print(json.dumps({**told, "result": result}))


if __name__ == "__main__":
    main()
