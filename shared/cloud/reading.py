"""Answers of HTTP/1.0 and 1.1, read from a socket until a moment (RFC 9112).

A parser of mail, as in `http.client`, costs more processor time than all the rest of a call. Whatever has two
readings is no answer here: two lengths, a length that is no number, an encoding that was not asked for.
"""

from __future__ import annotations

import re
import socket
import time
import zlib
from collections.abc import Iterator

import msgspec

CHUNK = 64 * 1024
HEAD = 64 * 1024
ERROR = 64 * 1024
LINE = 4096

_FIRST = re.compile(r"HTTP/1\.([01]) ([1-9][0-9]{2})(?: .*)?\r?")
_FOLDED = re.compile(r"\r?\n[ \t]+")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?\r?\n", re.DOTALL)


class Raw(msgspec.Struct, frozen=True):
    """An answer as it came; ``headers`` are by their names in lower case, and of one that comes several
    times the values are joined by commas. ``cut``: its body is longer than may be read, and only its
    beginning was.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    cut: bool = False


class Broken(Exception):
    """What came is no whole answer."""


class Stream:
    """What comes from a socket, until a monotonic time. Raises TimeoutError after it."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        self.until = until
        self._connection, self._ahead, self._at = connection, b"", 0

    def ended(self) -> bool:
        """Whether nothing has come beyond what was taken."""
        return self._at >= len(self._ahead)

    def rest(self) -> bytes:
        """What has come and was not taken, else what comes next; nothing at the end of the connection."""
        if self.ended():
            return self._more()
        at, self._at = self._at, len(self._ahead)
        return self._ahead[at:]

    def some(self, most: int) -> bytes:
        """The next bytes, ``most`` of them at most and one at least."""
        if self.ended():
            self._add(most, "the body")
        piece = self._ahead[self._at : self._at + most]
        self._at += len(piece)
        return piece

    def line(self, most: int = LINE) -> bytes:
        while (end := self._ahead.find(b"\n", self._at) + 1) == 0:
            self._add(most, "a line")
        at, self._at = self._at, end
        return self._ahead[at:end]

    def head(self) -> bytes:
        """All before the first empty line."""
        searched = self._at
        while (blank := _blank(self._ahead, searched))[1] < 0:
            searched = max(0, len(self._ahead) - self._at - 3)
            self._add(HEAD, "the header")
        at, (end, self._at) = self._at, blank
        return self._ahead[at:end]

    def _add(self, most: int, what: str) -> None:
        """Waits for more, unless more than ``most`` bytes lie there already."""
        waiting = self._ahead[self._at :]
        if len(waiting) > most:
            raise Broken(f"{what} has more than {most} bytes")
        more = self._more()
        if not more:
            nothing = what == "the header" and not waiting
            raise Broken("it was closed without an answer" if nothing else "it ended before the answer did")
        self._ahead, self._at = waiting + more, 0

    def _more(self) -> bytes:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv(CHUNK)


def _blank(data: bytes, searched: int) -> tuple[int, int]:
    """Where the first empty line begins and ends, -1 for nowhere; some servers send no CR."""
    end = data.find(b"\r\n\r\n", searched)
    bare = data.find(b"\n\n", searched, end) if end >= 0 else data.find(b"\n\n", searched)
    if bare >= 0:
        return bare, bare + 2
    return end, end + 4 if end >= 0 else -1


def head(stream: Stream) -> tuple[int, bool, dict[str, str]]:
    """The next answer's status, whether it is of HTTP/1.1, and its headers as in `Raw`."""
    text = stream.head().decode("latin-1")
    if "\n " in text or "\n\t" in text:
        text = _FOLDED.sub(" ", text)
    first, *lines = text.split("\n")
    match = _FIRST.fullmatch(first)
    if match is None:
        raise Broken("what came is no HTTP")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise Broken("a header has no name")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return int(match[2]), match[1] == "1", headers


def answer(connection: socket.socket, until: float, method: str, most: int) -> tuple[Raw, bool]:
    """The answer to a request by ``method``, and whether the connection can be used again.

    ``most`` is how many bytes of the body are read; of an answer that is no success it is ``ERROR`` at
    most. Raises Broken, TimeoutError, or OSError.
    """
    stream = Stream(connection, until)
    status, is_new, headers = head(stream)
    while status < 200:
        if status == 101:
            raise Broken("it changes the protocol")
        status, is_new, headers = head(stream)
    most = most if status == 200 else min(most, ERROR)
    kept = is_new and "close" not in headers.get("connection", "").lower()
    if method == "HEAD" or status in (204, 304):
        body = b""
    elif "transfer-encoding" in headers:
        if headers["transfer-encoding"].lower() != "chunked":
            raise Broken("its transfer encoding is not known")
        kept = kept and "content-length" not in headers
        body = _whole(_chunks(stream), headers, most)
    elif "content-length" in headers:
        body = _whole(_sized(stream, _length(headers["content-length"])), headers, most)
    else:
        kept = False
        body = _whole(iter(stream.rest, b""), headers, most)
    if len(body) > most:
        return Raw(status, headers, body[:most], cut=True), False
    return Raw(status, headers, body), kept and stream.ended()


def _length(text: str) -> int:
    lengths = {length.strip() for length in text.split(",")}
    length = lengths.pop()
    if lengths or not re.fullmatch(r"[0-9]{1,15}", length, re.ASCII):
        raise Broken("its length is none")
    return int(length)


def _sized(stream: Stream, length: int) -> Iterator[bytes]:
    while length:
        piece = stream.some(length)
        length -= len(piece)
        yield piece


def _chunks(stream: Stream) -> Iterator[bytes]:
    while True:
        match = _SIZE.fullmatch(stream.line())
        if match is None:
            raise Broken("the length of a chunk is none")
        size = int(match[1], 16)
        if not size:
            break
        yield from _sized(stream, size)
        if stream.line().strip():
            raise Broken("a chunk is longer than it says")
    left = HEAD
    while (line := stream.line(HEAD)).strip():  # trailers, which nobody needs
        left -= len(line)
        if left < 0:
            raise Broken(f"the trailers have more than {HEAD} bytes")


def _whole(pieces: Iterator[bytes], headers: dict[str, str], most: int) -> bytes:
    """The pieces joined, unpacked; no more of them than make ``most`` bytes and some more."""
    encoding = headers.get("content-encoding", "identity").lower()
    if encoding in ("gzip", "x-gzip"):
        pieces = _unpacked(pieces)
    elif encoding != "identity":
        raise Broken("its encoding was not asked for")
    parts, length = [], 0
    for piece in pieces:
        parts.append(piece)
        length += len(piece)
        if length > most:
            break
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """What gzip has packed, in pieces of ``CHUNK`` bytes at most."""
    member, begun = zlib.decompressobj(31), False
    for packed in pieces:
        while packed or begun:
            try:
                piece = member.decompress(packed, CHUNK)
            except zlib.error:
                raise Broken("what it has packed cannot be unpacked") from None
            yield piece
            packed, begun = member.unconsumed_tail, True
            if member.eof:
                packed = member.unused_data
                member, begun = zlib.decompressobj(31), False
            elif not packed and len(piece) < CHUNK:
                break
    if begun:
        raise Broken("what it has packed is not whole")
