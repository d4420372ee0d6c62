"""Decoders of answers, each made once."""

from __future__ import annotations

import threading
from typing import Any, Protocol, TypeVar

import msgspec

Answer = TypeVar("Answer")
Decoded = TypeVar("Decoded", covariant=True)


class Decoder(Protocol[Decoded]):
    """Reads an answer's body in its own way. Raises msgspec.DecodeError."""

    def decode(self, body: bytes, /) -> Decoded: ...


_decoders: dict[Any, Any] = {}
_decoders_lock = threading.Lock()


def decoder(answer: type[Answer] | Decoder[Answer]) -> Decoder[Answer]:
    """What decodes proto3 JSON into the type; a decoder is its own."""
    if not isinstance(answer, type):
        return answer
    made = _decoders.get(answer)
    if made is None:
        with _decoders_lock:
            made = _decoders.setdefault(answer, msgspec.json.Decoder(answer, strict=False))
    return made  # type: ignore[no-any-return]
