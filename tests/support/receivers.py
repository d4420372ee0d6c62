"""Where notifications go in tests: an HTTP server and a mail server that do as they are told, and one that
says nothing.
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.emulator.certificates import cluster_certificates, server_context

HOST = "127.0.0.1"
AUTHORITY = "receivers"


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class HttpReceiver:
    """``answers`` maps a path to the very bytes that are answered there; elsewhere it is ``ok``."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    answers: dict[str, Callable[[str], bytes]] = field(default_factory=dict)

    def to(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def answer(self, path: str, status: str, body: str = "", **headers: str) -> str:
        """From now on ``path`` is answered so, ``{path}`` in the body being the path. Returns its URL."""
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())

        def raw(asked: str) -> bytes:
            text = body.replace("{path}", asked)
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(text.encode())}\r\nConnection: close\r\n{lines}\r\n"
            return (head + text).encode()

        self.answers[path] = raw
        return self.url + path


@contextlib.contextmanager
def http_receiver() -> Iterator[HttpReceiver]:
    receiver = HttpReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.append(
                Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            )
            answer = receiver.answers.get(self.path)
            raw = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
            self.wfile.write(answer(self.path) if answer else raw)
            self.close_connection = True

        do_GET = do_POST  # noqa: N815 - the same, were a redirect followed

        def log_message(self, *arguments: Any) -> None:
            pass

    with served(ThreadingHTTPServer((HOST, 0), Handler)) as port:
        receiver.url = f"http://{HOST}:{port}"
        yield receiver


@dataclass
class MailReceiver:
    """``replies`` maps a command's first word (``CONNECT`` and ``DATA-END`` among them) to another reply than
    usual.
    """

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    replies: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def mail_receiver(security: str = "plain", **replies: str) -> Iterator[MailReceiver]:
    """A mail server; ``security`` as in the settings.

    Any user and password are right unless ``AUTH`` replies otherwise.
    """
    receiver = MailReceiver(replies={name.replace("_", "-"): reply for name, reply in replies.items()})

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if security == "ssl":
                self.request = server_context(AUTHORITY).wrap_socket(self.request, server_side=True)
            self.file = self.request.makefile("rb")
            self.reply("CONNECT", "220 ready")
            while line := self.file.readline().decode().strip():
                receiver.commands.append(line)
                if not self.obey(line.split()[0].upper()):
                    break
            self.request.close()

        def obey(self, word: str) -> bool:
            if word == "EHLO":
                offers = ["8BITMIME", "AUTH PLAIN LOGIN"] + ["STARTTLS"] * (security == "starttls")
                lines = [f"250-{offer}\r\n" for offer in offers]
                self.reply(word, "250-mail\r\n" + "".join(lines) + "250 SIZE")
            elif word == "STARTTLS":
                self.reply(word, "220 go ahead")
                self.request = server_context(AUTHORITY).wrap_socket(self.request, server_side=True)
                self.file = self.request.makefile("rb")
            elif word == "DATA":
                self.reply(word, "354 go ahead")
                self.take_mail()
            else:
                self.reply(word, {"AUTH": "235 welcome", "QUIT": "221 bye"}.get(word, "250 ok"))
            return word != "QUIT"

        def take_mail(self) -> None:
            lines = iter(self.file.readline, b".\r\n")
            parsed = message_from_bytes(b"".join(lines), policy=default)
            assert isinstance(parsed, EmailMessage)
            receiver.mails.append(parsed)
            receiver.encrypted.append(isinstance(self.request, ssl.SSLSocket))
            self.reply("DATA-END", "250 accepted")

        def reply(self, word: str, usual: str) -> None:
            self.request.sendall(f"{receiver.replies.get(word, usual)}\r\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, *arguments: Any) -> None:
            pass  # the client went away

    with served(Server((HOST, 0), Handler)) as port:
        receiver.port = port
        yield receiver


@contextlib.contextmanager
def dripping_receiver(drip: bytes = b"") -> Iterator[int]:
    """The port of a server that accepts, and then sends ``drip`` ten times a second and never ends."""
    over = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                while not over.wait(0.1):
                    self.request.sendall(drip)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    try:
        with served(Server((HOST, 0), Handler)) as port:
            yield port
    finally:
        over.set()


@contextlib.contextmanager
def served(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.create_server((HOST, 0)) as server:
        return int(server.getsockname()[1])


def trust(directory: Path) -> dict[str, str]:
    """The environment in which the mail servers' certificates are trusted."""
    file = directory / "authority.pem"
    file.write_text(cluster_certificates(AUTHORITY).authority)
    return {"SSL_CERT_FILE": str(file)}
