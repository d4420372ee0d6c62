"""How a file with many rows is written: a JSON object whose last member is a list, an item a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def chunks(head: str, name: str, items: Iterable[bytes]) -> Iterator[bytes]:
    """The JSON object ``head`` with the list ``name`` of encoded ``items`` as its last member, without
    holding it all.
    """
    yield head.encode()[:-1] + f', "{name}": ['.encode()
    separator = b"\n"
    for item in items:
        yield separator + item
        separator = b",\n"
    yield b"\n]}\n"
