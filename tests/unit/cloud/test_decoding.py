"""What decodes an answer."""

from __future__ import annotations

import msgspec

from shared.cloud.decoding import decoder


class Blob(msgspec.Struct):
    size: int = 0


class Upper:
    def decode(self, body: bytes) -> str:
        return body.decode().upper()


def test_a_number_may_be_a_text_as_proto3_writes_it() -> None:
    assert decoder(Blob).decode(b'{"size": "12"}') == Blob(12)


def test_a_type_has_one_decoder() -> None:
    assert decoder(Blob) is decoder(Blob)


def test_a_decoder_decodes_in_its_own_way() -> None:
    assert decoder(Upper()).decode(b"a") == "A"
