"""What is packed in a text is searched as the text is; what unpacks to too much is not."""

from __future__ import annotations

import base64
import gzip
import json
import random
import textwrap
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cloud.workloads.unpacking import Unreadable
from tests.support.references import named


def test_packed_rubbish_is_searched_in_a_moment() -> None:
    blob = random.Random(1).randbytes(750_000)
    begun = time.process_time()
    for packed in (base64.b64encode(blob), base64.encodebytes(blob)):
        assert named(f"{packed.decode()}\ncr.yandex/crp1/app:v1") == {"crp1/app:v1"}
    assert time.process_time() - begun < 10


@pytest.mark.parametrize("bomb", ["gzip", "nested"])
def test_what_unpacks_to_too_much_is_not_searched(bomb: str) -> None:
    text = "cr.yandex/crp1/app:v1 " * 3
    for _ in range(10 if bomb == "nested" else 0):
        text = base64.b64encode(text.encode()).decode()
    if bomb == "gzip":
        text = base64.b64encode(gzip.compress(b" " * (64 << 20))).decode()
    with pytest.raises(Unreadable):
        named(text)


_WRAPPINGS: dict[str, Callable[[str], str]] = {
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "url-safe base64": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "wrapped base64": lambda text: base64.encodebytes(text.encode()).decode(),
    "indented base64": lambda text: (
        "content: |\n" + textwrap.indent(base64.encodebytes(text.encode()).decode(), "  ")
    ),
    "gzip": lambda text: base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode(),
    "json": json.dumps,
    "escaped json": lambda text: json.dumps(text).replace("/", r"\u002f"),
    "url": lambda text: quote(text, safe=""),
}


@given(st.lists(st.sampled_from(sorted(_WRAPPINGS)), max_size=3))
def test_whatever_the_wrappings_a_reference_is_found(wrappings: list[str]) -> None:
    text = "#!/bin/sh\n# Запускает приложение\ndocker run -d cr.yandex/crp1/team-a/app:v1\n"
    for wrapping in wrappings:
        text = _WRAPPINGS[wrapping](text)
    assert "crp1/team-a/app:v1" in named(text)
