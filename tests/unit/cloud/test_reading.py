"""Answers as servers and what stands before them write them."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cloud import reading
from shared.cloud.reading import ERROR, HEAD, Broken, Raw

BODY = b'{"images": []}'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PACKED = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"


def read(sent: bytes, method: str = "GET", most: int = 1000, pieces: int = 0) -> tuple[Raw, bool]:
    """What is read of ``sent``, after which the connection is closed; it comes in pieces of that length."""
    ours, theirs = socket.socketpair()

    def send() -> None:
        with theirs, contextlib.suppress(OSError):  # nobody reads on
            for at in range(0, len(sent), pieces or len(sent) or 1):
                theirs.sendall(sent[at : at + (pieces or len(sent))])

    sending = threading.Thread(target=send, daemon=True)
    with ours:
        sending.start()
        try:
            return reading.answer(ours, time.monotonic() + 10, method, most)
        finally:
            ours.close()
            sending.join(10)


def sized(body: bytes, first: bytes = b"HTTP/1.1 200 OK", *headers: bytes) -> bytes:
    return b"\r\n".join([first, b"Content-Length: %d" % len(body), *headers, b"", body])


WHOLE = {
    "sized": (sized(BODY), True),
    "to be closed": (sized(BODY, b"HTTP/1.1 200 OK", b"Connection: Close"), False),
    "HTTP/1.0": (sized(BODY, b"HTTP/1.0 200 OK"), False),
    "HTTP/1.0 without a length": (b"HTTP/1.0 200 OK\r\n\r\n" + BODY, False),
    "without a length": (b"HTTP/1.1 200 OK\r\n\r\n" + BODY, False),
    "without a reason": (sized(BODY, b"HTTP/1.1 200"), True),
    "without CR": (sized(BODY).replace(b"\r\n", b"\n"), True),
    "after a hint": (b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + sized(BODY), True),
    "the same length twice": (sized(BODY, b"HTTP/1.1 200 OK", b"Content-Length: 14"), True),
    "chunked": (CHUNKED + b"5\r\n" + BODY[:5] + b"\r\n9 ;a=b\r\n" + BODY[5:] + b"\r\n0\r\n\r\n", True),
    "chunked, with trailers": (CHUNKED + b"e\r\n" + BODY + b"\r\n0\r\nA: b\r\nDigest: c\r\n\r\n", True),
    "packed": (PACKED + b"\r\n" + gzip.compress(BODY), False),
    "packed in two members": (PACKED + b"\r\n" + gzip.compress(BODY[:3]) + gzip.compress(BODY[3:]), False),
}


@pytest.mark.parametrize(("sent", "kept"), WHOLE.values(), ids=WHOLE.keys())
@pytest.mark.parametrize("pieces", [0, 1], ids=["at once", "byte by byte"])
def test_an_answer_is_read_whole(sent: bytes, kept: bool, pieces: int) -> None:
    raw, reusable = read(sent, pieces=pieces)

    assert (raw.status, raw.body, raw.cut) == (200, BODY, False)
    assert reusable == kept


def test_a_connection_that_brings_more_than_its_answer_is_not_used_again() -> None:
    raw, kept = read(sized(BODY) + b"HTTP/1.1 200 OK\r\n")

    assert (raw.body, kept) == (BODY, False)


@pytest.mark.parametrize(
    "sent",
    [
        sized(b"", b"HTTP/1.1 200 OK").replace(b": 0", b": 99"),
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n",
    ],
)
def test_an_answer_to_head_and_an_unchanged_page_have_no_body(sent: bytes) -> None:
    raw, kept = read(sent, "HEAD")

    assert (raw.body, kept) == (b"", True)


BROKEN = {
    "nothing": b"",
    "nonsense": b"nonsense\r\n\r\n",
    "another protocol": b"HTTP/2 200\r\n\r\n",
    "an upgrade": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "half a header": b"HTTP/1.1 200 OK\r\nContent-Le",
    "half a body": sized(BODY)[:-1],
    "half a chunk": CHUNKED + b"e\r\n" + BODY[:5],
    "chunks without an end": CHUNKED + b"e\r\n" + BODY + b"\r\n",
    "trailers without an end": CHUNKED + b"0\r\nA: b\r\n",
    "a chunk that is longer": CHUNKED + b"3\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a negative chunk": CHUNKED + b"-3\r\n" + BODY + b"\r\n0\r\n\r\n",
    "an unknown transfer encoding": CHUNKED.replace(b"chunked", b"gzip, chunked"),
    "two lengths": sized(BODY, b"HTTP/1.1 200 OK", b"Content-Length: 3"),
    "a length that is none": sized(BODY).replace(b"14", b"+14"),
    "a negative length": sized(BODY).replace(b"14", b"-14"),
    "a header without a name": sized(BODY, b"HTTP/1.1 200 OK", b"nonsense"),
    "a name with a blank": sized(BODY, b"HTTP/1.1 200 OK", b"Transfer-Encoding : chunked"),
    "an encoding that nobody asked for": sized(BODY, b"HTTP/1.1 200 OK", b"Content-Encoding: br"),
    "packed nonsense": PACKED + b"\r\n" + BODY,
    "half of what was packed": PACKED + b"\r\n" + gzip.compress(BODY)[:-9],
    "a header of 1 MB": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1024**2 + b"\r\n\r\n",
    "headers of 1 MB": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000 + b"\r\n",
    "trailers of 1 MB": CHUNKED + b"0\r\n" + b"X: y\r\n" * 200_000 + b"\r\n",
    "the length of a chunk in 1 MB": CHUNKED + b"1;" + b"x" * 1024**2,
}


@pytest.mark.parametrize("sent", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_whole_answer_is_none(sent: bytes) -> None:
    with pytest.raises((Broken, ConnectionError)):
        read(sent)


def test_headers_are_found_by_their_names_in_lower_case() -> None:
    raw, _ = read(
        sized(b"", b"HTTP/1.1 429 Slow", b"Retry-AFTER:  7 ", b"Link: <a>", b"LINK: <b>", b"A: b\r\n c")
    )

    assert (raw.headers["retry-after"], raw.headers["link"], raw.headers["a"]) == ("7", "<a>, <b>", "b c")


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", CHUNKED, PACKED + b"\r\n"])
def test_no_more_is_read_than_may_be(head: bytes) -> None:
    body = b"x" * 5000
    if head == CHUNKED:
        body = b"1388\r\n" + body + b"\r\n0\r\n\r\n"
    raw, kept = read(head + (gzip.compress(body) if b"gzip" in head else body), most=1000)

    assert (raw.body, raw.cut, kept) == (b"x" * 1000, True, False)


def test_of_an_error_less_is_read() -> None:
    raw, kept = read(sized(b"x" * (ERROR + 1), b"HTTP/1.1 500 Broken"), most=ERROR * 2)

    assert (len(raw.body), raw.cut, kept) == (ERROR, True, False)


def test_a_header_of_the_greatest_length_is_read() -> None:
    raw, _ = read(sized(BODY, b"HTTP/1.1 200 OK", b"X: " + b"x" * (HEAD - 100)))

    assert len(raw.headers["x"]) == HEAD - 100


@given(body=st.binary(max_size=300), cuts=st.lists(st.integers(1, 300), max_size=5), packed=st.booleans())
def test_what_is_sent_in_chunks_is_read(body: bytes, cuts: list[int], packed: bool) -> None:
    sent, places = gzip.compress(body) if packed else body, sorted({0, *cuts})
    pieces = [sent[a:b] for a, b in zip(places, [*places[1:], len(sent) + 300], strict=True)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece)
    raw, kept = read((PACKED + CHUNKED[17:] if packed else CHUNKED) + chunks + b"0\r\n\r\n")

    assert (raw.body, kept) == (body, True)
