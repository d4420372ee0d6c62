"""A value that a key does not take: what it is, and what to write instead."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from shared.settings.settings import KEYS
from shared.settings.wrong_values import OF_THE_FILE, wrong_value

CASES: dict[str, tuple[Any, Any, str]] = {
    "a number in quotes": ("5", int, 'is the text "5"; give 5, without quotes'),
    "true in quotes": ("true", bool, 'is the text "true"; give true, without quotes'),
    "a number in quotes where none is taken": ("5", bool, 'is "5"; give this'),
    "no number of JSON": ("007", int, 'is "007"; give this'),
    "a text where a list is taken": ("a b", list[str], 'is the text "a b"; give a list, as in ["a b"]'),
    "a text in a list": (["a"], str, 'is ["a"]; give this'),
    "no text at all": ("", list[int], 'is ""; give this'),
    "a number": (30, str, "is 30; give this"),
    "a fraction": (90.0, str, "is 90; give this"),
    "true": (True, str, "is true; give this"),
    "a long text": ("a" * 100, int, f'is "{"a" * 60}…"; give this'),
}


def test_the_keys_of_the_whole_file_are_known() -> None:
    assert set(OF_THE_FILE) == {key for key in KEYS if "." not in key}


@pytest.mark.parametrize(("value", "kind", "said"), CASES.values(), ids=CASES)
def test_a_wrong_value_is_shown_with_what_to_write_instead(value: Any, kind: Any, said: str) -> None:
    assert wrong_value(value, "this", lambda other: msgspec.convert(other, kind)) == said
