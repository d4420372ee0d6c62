"""What is sent over real sockets, and how often."""

from __future__ import annotations

import gc
import io
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.cloud.client import Cloud
from shared.cloud.connecting import NoAnswer
from shared.cloud.connections import Connections, lost
from shared.cloud.pace import Pace
from shared.cloud.reading import Raw
from shared.errors import CallError, TooLarge
from tests.support.scripted_server import Answer, ok, says, scripted_server

SECRET = "t1.secret"


def send(connections: Connections, path: str = "/x", seconds: float = 10.0, method: str = "GET") -> Raw:
    return connections.send(method, path, None, {"Authorization": f"Bearer {SECRET}"}, seconds, most=1000)


def test_a_connection_is_used_again() -> None:
    with scripted_server(says(ok())) as server:
        connections = Connections(f"{server.url}/below/", 4)
        for _ in range(3):
            assert send(connections).body == b"{}"

    assert server.connections == 1
    assert server.first_lines() == ["GET /below/x HTTP/1.1"] * 3
    assert f"\r\nHost: 127.0.0.1:{server.port}\r\n".encode() in server.requests[0]


def test_what_is_sent_has_its_length() -> None:
    with scripted_server(says(ok())) as server:
        connections = Connections(server.url, 4)
        connections.send("POST", "/x", b"{}", {}, 10, most=10)
        connections.send("POST", "/x", None, {}, 10, most=10)
        connections.send("DELETE", "/x", None, {}, 10, most=10)

    assert [b"Content-Length" in request for request in server.requests] == [True, True, False]
    assert b"Content-Length: 2\r\n" in server.requests[0]


def test_a_file_is_sent_from_its_start_each_time() -> None:
    file = io.BytesIO(b"x" * 200_000)
    with scripted_server(says(ok())) as server:
        connections = Connections(server.url, 4)
        for _ in range(2):
            connections.send("PUT", "/x", file, {"Content-Length": "200000"}, 10, most=10)

    assert server.first_lines() == ["PUT /x HTTP/1.1"] * 2
    assert [request.count(b"Content-Length") for request in server.requests] == [1, 1]


def test_no_more_connections_are_kept_than_shall_be() -> None:
    together = threading.Barrier(4)

    def answer(connection: socket.socket, request: bytes) -> bool:
        if b"/together" in request:
            together.wait(10)
        return says(ok())(connection, request)

    with scripted_server(answer) as server:
        connections = Connections(server.url, 2)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: send(connections, "/together"), range(4)))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: send(connections, "/together"), range(4)))

    assert server.connections == 6


def test_sockets_are_closed_with_their_owner() -> None:
    ended = threading.Event()

    def answer(connection: socket.socket, request: bytes) -> bool:
        says(ok())(connection, request)
        if not connection.recv(1):
            ended.set()
        return False

    with scripted_server(answer) as server:
        connections = Connections(server.url, 2)
        send(connections)
        del connections
        gc.collect()
        assert ended.wait(10)


def test_a_server_that_closes_after_each_answer_gets_each_request_once() -> None:
    with scripted_server(says(ok(), kept=False)) as server:
        connections = Connections(server.url, 4)
        for number in range(20):
            assert send(connections, f"/{number}", method="DELETE").status == 200
            time.sleep(0.01)  # else the end may come together with the next request

    assert server.first_lines() == [f"DELETE /{number} HTTP/1.1" for number in range(20)]


@pytest.mark.parametrize("attempts", [1, 2])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_request_whose_kept_connection_ends_is_not_sent_again_unseen(method: str, attempts: int) -> None:
    """It may have been carried out: who sends it gets to know that, and it is he who sends it again."""
    sent: list[int] = []

    def answer(connection: socket.socket, request: bytes) -> bool:
        return b"/image" not in request and says(ok())(connection, request)

    with scripted_server(answer) as server:
        cloud = Cloud(server.url, Pace(1)).at(server.url, attempts=attempts)
        cloud.call("GET", "registry", "/first", dict)
        with pytest.raises(CallError) as raised:
            cloud.call(method, "registry", "/image", dict, before=lambda: sent.append(len(server.requests)))

    assert (raised.value.ambiguous, raised.value.retryable) == (True, True)
    assert server.first_lines()[1:] == [f"{method} /image HTTP/1.1"] * attempts
    assert sent == [1, 2][:attempts]


def dripping(head: bytes, piece: bytes) -> Answer:
    def answer(connection: socket.socket, request: bytes) -> bool:
        connection.sendall(head)
        for _ in range(200):
            time.sleep(0.05)
            connection.sendall(piece)
        return False

    return answer


DRIPS = {
    "a header": (b"HTTP/1.1 200 OK\r\n", b"x"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "hints": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b"x"),
    "a body without a length": (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "the length of a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    "trailers": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
}


@pytest.mark.parametrize(("head", "piece"), DRIPS.values(), ids=DRIPS.keys())
def test_an_answer_that_drips_ends_in_time(head: bytes, piece: bytes) -> None:
    with scripted_server(dripping(head, piece)) as server:
        begun = time.monotonic()
        with pytest.raises(NoAnswer, match="no answer in time") as raised:
            send(Connections(server.url, 1), seconds=0.5)

    assert raised.value.sent
    assert 0.4 < time.monotonic() - begun < 6


def test_a_server_that_says_nothing_is_left_in_time() -> None:
    with scripted_server(dripping(b"", b"")) as server, pytest.raises(NoAnswer, match="in time"):
        send(Connections(server.url, 1), seconds=0.3)


UNREADABLE = {
    "nothing": (b"", "closed without an answer"),
    "nonsense": (b"nonsense\r\n\r\n", "no HTTP"),
    "a header of 1 MB": (b"HTTP/1.1 200 OK\r\nX: " + SECRET.encode() * 120_000, "more than 65536 bytes"),
    "half a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", "ended before the answer did"),
}


@pytest.mark.parametrize(("sent", "why"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_request_whose_answer_cannot_be_read_may_have_taken_effect(sent: bytes, why: str) -> None:
    with scripted_server(says(sent, kept=False)) as server, pytest.raises(NoAnswer, match=why) as raised:
        send(Connections(server.url, 1))

    error = lost(raised.value, "registry", "GET /x")
    assert (error.ambiguous, error.retryable) == (True, True)
    assert str(error).startswith("registry: GET /x: UNAVAILABLE: the connection broke (")
    assert SECRET not in str(error)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nDigest: x\r\nA: b\r\n\r\n",
    ],
    ids=["HTTP/1.0", "chunks and trailers"],
)
def test_other_forms_of_answers_are_read_again_and_again(answer: bytes) -> None:
    is_new = answer.startswith(b"HTTP/1.1")
    with scripted_server(says(answer, kept=is_new)) as server:
        connections = Connections(server.url, 1)
        assert [send(connections).body for _ in range(3)] == [b"{}"] * 3

    assert server.connections == (1 if is_new else 3)


def test_a_redirect_is_an_answer_like_others() -> None:
    with scripted_server(says(b"HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n")) as server:
        assert send(Connections(server.url, 1)).status == 302

    assert server.first_lines() == ["GET /x HTTP/1.1"]


def test_what_is_too_long_is_broken_off() -> None:
    with scripted_server(says(ok(b"x" * 2000), kept=False)) as server, pytest.raises(TooLarge):
        Cloud(server.url, Pace(1)).send("GET", "registry", "/x", most=1000)


@pytest.mark.parametrize("base", ["ftp://127.0.0.1", "http://user@127.0.0.1", "file:///etc/passwd"])
def test_only_http_is_spoken(base: str) -> None:
    with pytest.raises(CallError, match="no plain http or https URL"):
        Connections(base, 1)


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\n", "\r", "\u0436"])
def test_no_header_is_sent_that_is_more_than_a_line(value: str) -> None:
    with scripted_server(says(ok())) as server, pytest.raises(CallError, match="cannot be sent"):
        Connections(server.url, 1).send("GET", "/", None, {"Authorization": value}, 5, most=9)

    assert server.requests == []


def test_letters_that_no_path_has_are_escaped() -> None:
    with scripted_server(says(ok())) as server:
        send(Connections(server.url, 1), "/a b\r\n\u0436?x=%20&y=1")

    assert server.first_lines() == ["GET /a%20b%0D%0A%D0%B6?x=%20&y=1 HTTP/1.1"]


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NoAnswer, match="no connection can be made") as raised:
        send(Connections(f"http://127.0.0.1:{port}", 1))

    assert not lost(raised.value, "", "").ambiguous
