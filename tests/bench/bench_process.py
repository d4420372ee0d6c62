"""What the benchmark measures, in a fresh process: `python -I tests/bench/bench_process.py`.

Standard input is `{"what": NAME, "with": {...}}`, standard output one line of JSON: the `seconds` of the work
without what it imports first, the processor seconds of the whole process, its peak of resident memory, and
what came of it.
"""

import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter
from typing import Any

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


def grpc_script(address: str, token: str, repository: str, keep: int, concurrency: int) -> Work:
    """A script on the official stubs: list, delete all but the newest in a thread pool, wait for each
    operation.
    """
    import grpc
    from yandex.cloud.containerregistry.v1 import image_service_pb2 as service
    from yandex.cloud.containerregistry.v1.image_service_pb2_grpc import ImageServiceStub
    from yandex.cloud.operation.operation_service_pb2 import GetOperationRequest
    from yandex.cloud.operation.operation_service_pb2_grpc import OperationServiceStub

    metadata = (("authorization", f"Bearer {token}"),)
    channel = grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)])
    images, operations = ImageServiceStub(channel), OperationServiceStub(channel)

    def listed() -> list[Any]:
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
        newest_first = sorted(listed(), key=attrgetter("created_at.seconds"), reverse=True)
        with ThreadPoolExecutor(concurrency) as pool:
            list(pool.map(delete, newest_first[keep:]))

    return work


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
    work.__name__: work for work in (clean_up, grpc_script, import_handler, import_script, import_libraries)
}


def peak_kb() -> int:
    """Of this program alone: what `getrusage` tells includes the process that started it."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def main() -> None:
    call = json.load(sys.stdin)
    work = WORK[call["what"]](**call["with"])
    started = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    told = {"seconds": seconds, "cpu_seconds": used.ru_utime + used.ru_stime, "peak_mb": peak_kb() / 1024}
    print(json.dumps({**told, "result": result}))


if __name__ == "__main__":
    main()
