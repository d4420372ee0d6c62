"""A file with many rows is one JSON object, with a row a line."""

from __future__ import annotations

import json

import pytest

from shared.state.json_file import chunks


@pytest.mark.parametrize("count", [0, 1, 3])
def test_it_is_one_object_with_an_item_a_line(count: int) -> None:
    text = b"".join(chunks('{"a": 1}', "rows", [b'{"b": %d}' % number for number in range(count)]))
    assert json.loads(text) == {"a": 1, "rows": [{"b": number} for number in range(count)]}
    assert text.count(b"\n") == count + 2
