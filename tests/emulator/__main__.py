"""`python -m tests.emulator`: print one line of JSON, `{"url": ...}`, and serve until told to stop.

With `--grpc` the line has `"grpc": "127.0.0.1:PORT"` too, and with `--tls` both again as `tls_url` and
`tls_grpc`, and the `authority` that signed their certificate, in PEM.
"""

import argparse
import asyncio
import gc
import json
import os
import selectors
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import yaml

from tests.emulator.accounts import AuthorizedKey
from tests.emulator.certificates import cluster_certificates, server_context
from tests.emulator.clock import rfc3339
from tests.emulator.documents import DocumentError
from tests.emulator.images import cloud_id
from tests.emulator.keys import authorized_key, key_pair
from tests.emulator.listening import listen
from tests.emulator.seed import state_from
from tests.emulator.server import Emulator
from tests.emulator.state import State

ITSELF = "emulator"  # as which it has certificates
ALLOCATIONS_BETWEEN_COLLECTIONS = 200_000  # the default of 700 spends a third of a large seed on collecting


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.emulator", description="A stand-in for Yandex Cloud."
    )
    parser.add_argument(
        "--seed", type=Path, help="what the cloud holds: YAML or JSON, see tests/emulator/seed.py"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 (the default): any free one")
    parser.add_argument(
        "--write-key", type=Path, metavar="FILE", help="make a key for the first service account"
    )
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--operation-ms", type=float, default=0)
    parser.add_argument(
        "--registry-upstream", default="", metavar="URL", help="a registry that answers V2 calls"
    )
    parser.add_argument("--grpc", action="store_true", help="serve the same methods over gRPC too")
    parser.add_argument("--tls", action="store_true", help="serve over TLS too")
    parser.add_argument("--until-stdin-closes", action="store_true", help="stop when standard input ends")
    return parser.parse_args(arguments)


def load_seed(path: Path | None, registry_upstream: str) -> State:
    document: Any = {}
    if path is not None:
        text = path.read_text()
        document = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    return state_from(document, registry_upstream)


def write_key(state: State, path: Path) -> None:
    """Give the first service account a new key, and write its private part where the caller wants it."""
    if not state.accounts.service_accounts:
        raise DocumentError("--write-key needs a seed with a service account")
    account = next(iter(state.accounts.service_accounts.values()))
    pair = key_pair()
    key_id = cloud_id("aje", f"key written for {account.id}")
    state.accounts.keys[key_id] = AuthorizedKey(key_id, account.id, pair.public_key)
    document = authorized_key(key_id, account.id, rfc3339(state.clock.now() // 1), pair)
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(document, file, indent=2)


def stop_when_stdin_closes(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=watch, daemon=True).start()


def punctual_loop() -> asyncio.AbstractEventLoop:
    """`select` wakes to the microsecond, so that a latency is what it says; `epoll` rounds up to
    milliseconds.
    """
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


async def serve(arguments: argparse.Namespace, state: State) -> None:
    behaviour = {"latency_ms": arguments.latency_ms, "operation_ms": arguments.operation_ms}
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    if arguments.until_stdin_closes:
        stop_when_stdin_closes(loop, stop)
    emulator = Emulator(state, behaviour, arguments.registry_upstream)
    await emulator.start()
    runner, port = await listen(emulator.handle, arguments.host, arguments.port)
    emulator.url = f"http://{arguments.host}:{port}"
    addresses = {"url": emulator.url}
    certificates, tls_runner = None, None
    if arguments.tls:
        certificates = cluster_certificates(ITSELF)
        tls_runner, port = await listen(emulator.handle, arguments.host, 0, server_context(ITSELF))
        addresses |= {"tls_url": f"https://{arguments.host}:{port}", "authority": certificates.authority}
    grpc_server = None
    if arguments.grpc:
        from tests.emulator import grpc_front  # loading gRPC takes longer than the rest of the start

        grpc_server, grpc_port, tls_port = await grpc_front.listen(emulator, arguments.host, certificates)
        addresses["grpc"] = f"{arguments.host}:{grpc_port}"
        if tls_port:
            addresses["tls_grpc"] = f"{arguments.host}:{tls_port}"
    print(json.dumps(addresses), flush=True)
    await stop.wait()
    if grpc_server:
        await grpc_server.stop(None)
    for each in filter(None, (runner, tls_runner)):
        await each.cleanup()
    await emulator.stop()


def main() -> None:
    arguments = parse_arguments()
    gc.set_threshold(ALLOCATIONS_BETWEEN_COLLECTIONS)
    try:
        state = load_seed(arguments.seed, arguments.registry_upstream)
        if arguments.write_key:
            write_key(state, arguments.write_key)
    except (DocumentError, ValueError, OSError) as error:
        sys.exit(f"emulator: {error}")
    with asyncio.Runner(loop_factory=punctual_loop) as runner:
        runner.run(serve(arguments, state))


if __name__ == "__main__":
    main()
