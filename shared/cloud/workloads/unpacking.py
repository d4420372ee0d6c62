"""What a text says once its wrappings are off: Base64, gzip, quoted-printable, and the escapes of JSON, URLs
and shells. Pure.

cloud-init takes user-data whole in Base64 or as a MIME message, gzipped too, and its ``write_files`` have an
``encoding`` of their own (cloud-init's documentation: explanation/format, reference/modules, write_files).
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re
import zlib
from collections.abc import Iterator

DEEPEST = 6
LARGEST = 4 * 1024 * 1024
ROUNDS = 4
SHORTEST = 12
GZIP = b"\x1f\x8b"

_ESCAPE = re.compile(
    r"\\u(?P<unicode>[0-9a-fA-F]{4})|\\x(?P<hex>[0-9a-fA-F]{2})|\\(?P<octal>[01][0-7]{2})|\\(?P<blank>[nrt])"
    r"|\\(?P<mark>[^\w\s])|%(?P<url>[2-7][0-9a-fA-F]|0[9aAdD])"
)
_WORD = re.compile(rf"[A-Za-z0-9+/_-]{{{SHORTEST},}}={{0,2}}")
_LINE = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_URL_SAFE = str.maketrans("-_", "+/")
_CONTROLS = re.compile("[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")


class Unreadable(ValueError):
    """The text is packed too deeply, or unpacks to too much."""


def readable(text: str) -> list[str]:
    """The text without its escapes, and all that is packed in it. Raises Unreadable."""
    plain: list[str] = []
    waiting, size = [(text, 0)], 0
    while waiting:
        packed, depth = waiting.pop()
        size += len(packed) if depth else 0
        if depth > DEEPEST or size > LARGEST:
            raise Unreadable(
                f"is packed more than {DEEPEST} times or unpacks to more than {LARGEST >> 20} MB"
            )
        plain.append(_unescaped(packed))
        waiting.extend((inner, depth + 1) for inner in _packed_in(plain[-1]))
    return plain


def _unescaped(text: str) -> str:
    for _ in range(ROUNDS):
        if "\\" not in text and "%" not in text:
            break
        before, text = text, _ESCAPE.sub(_character, text)
        if before == text:
            break
    return text


def _character(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if kind == "blank":
        return "\n"
    if kind == "mark":
        return match["mark"]
    return chr(int(match[match.lastindex or 0], 8 if kind == "octal" else 16))


def _packed_in(text: str) -> Iterator[str]:
    if "quoted-printable" in text.lower():
        rest = text[text.lower().index("quoted-printable") + len("quoted-printable") :]
        yield quopri.decodestring(rest.encode()).decode("utf-8", "replace")
    for block in _blocks(text):
        yield from _decoded(block)
    for word in _WORD.finditer(text):
        yield from _decoded(word[0])


def _blocks(text: str) -> Iterator[str]:
    """Base64 that is wrapped: lines of one length, of which the last may be shorter."""
    block: list[str] = []
    for line in text.splitlines():
        core = line.strip(" \t\"',")
        fits = bool(_LINE.fullmatch(core)) and len(core) >= (1 if block else SHORTEST)
        if block and not (fits and len(core) <= len(block[0])):
            yield from _joined(block)
            block, fits = [], fits and len(core) >= SHORTEST
        if fits:
            block.append(core)
        if block and len(core) < len(block[0]):
            yield from _joined(block)
            block = []
    yield from _joined(block)


def _joined(block: list[str]) -> Iterator[str]:
    if len(block) > 1:
        yield "".join(block)


def _decoded(word: str) -> Iterator[str]:
    """The text that a Base64 word stands for, if it stands for one."""
    letters = word.rstrip("=").translate(_URL_SAFE)
    letters = letters[: len(letters) - 1] if len(letters) % 4 == 1 else letters
    try:
        raw = base64.b64decode(letters + "=" * (-len(letters) % 4))
    except binascii.Error:
        return
    if raw.startswith(GZIP):
        raw = _gunzipped(raw)
    elif raw.count(0) * 3 > len(raw):  # UTF-16, as PowerShell wants it
        raw = raw.replace(b"\0", b"")
    text = raw.replace(b"\0", b" ").decode("utf-8", "replace")
    if text.startswith("\ufeff"):
        text = text[1:]
    if len(_CONTROLS.findall(text)) * 10 <= len(text):
        yield text


def _gunzipped(raw: bytes) -> bytes:
    """What could be unpacked. Raises Unreadable when that is too much."""
    unpacked = b""
    while raw.startswith(GZIP):
        member = zlib.decompressobj(31)
        try:
            unpacked += member.decompress(raw, LARGEST + 1 - len(unpacked))
        except zlib.error:
            break
        if len(unpacked) > LARGEST:
            raise Unreadable(f"unpacks to more than {LARGEST >> 20} MB")
        raw = member.unused_data
    return unpacked
