"""A server that reads requests from its connections and answers each with whatever bytes a test likes."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Answer = Callable[[socket.socket, bytes], bool]


@dataclass
class Scripted:
    """``requests`` are the heads as they came; ``connections`` counts those that were made."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def first_lines(self) -> list[str]:
        return [request.split(b"\r\n")[0].decode() for request in self.requests]


def says(*answers: bytes, kept: bool = True) -> Answer:
    """Answers with these in turn, the last of which is repeated; the connection stays open if ``kept``."""
    left = list(answers)

    def answer(connection: socket.socket, request: bytes) -> bool:
        connection.sendall(left.pop(0) if len(left) > 1 else left[0])
        return kept

    return answer


def ok(body: bytes = b"{}", *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([*lines, b"", body])


@contextlib.contextmanager
def scripted_server(answer: Answer, context: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    """``answer`` gets a connection and the head of a request, and returns whether another may follow."""
    listening = socket.create_server(("127.0.0.1", 0))
    server, made = Scripted(listening.getsockname()[1]), list[socket.socket]()

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), connection:  # closed at the end of the test
            if context:
                connection = context.wrap_socket(connection, server_side=True)
            with connection:
                while request := head(connection):
                    server.requests.append(request)
                    if not answer(connection, request):
                        break

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                server.connections += 1
                made.append(connection)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server
    finally:
        for open_ in (listening, *made):
            with contextlib.suppress(OSError):
                open_.shutdown(socket.SHUT_RDWR)
            open_.close()


def head(connection: socket.socket) -> bytes:
    """The head of the next request, nothing at the end of the connection. Its body is read, too."""
    read = b""
    while not read.endswith(b"\r\n\r\n"):
        more = connection.recv(1)
        if not more:
            return b""
        read += more
    length = re.search(rb"\r\nContent-Length: ([0-9]+)", read)
    if length and int(length[1]):
        connection.recv(int(length[1]), socket.MSG_WAITALL)
    return read


def tunnel(connection: socket.socket, port: int) -> None:
    """Carries bytes both ways between ``connection`` and a port of this machine."""
    with socket.create_connection(("127.0.0.1", port)) as other:
        across = {connection: other, other: connection}
        while True:
            pending = isinstance(connection, ssl.SSLSocket) and connection.pending()
            for source in [connection] if pending else select.select([*across], [], [], 20)[0]:
                data = source.recv(65536)
                if not data:
                    return
                across[source].sendall(data)
