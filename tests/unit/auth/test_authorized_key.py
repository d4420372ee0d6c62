"""An authorized key is read in each form in which it may arrive; of a broken one an error names the fault."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.auth.authorized_key import is_key, read_key
from shared.errors import SettingsError
from tests.emulator.keys import authorized_key, key_pair
from tests.support.key_forms import BROKEN_KEYS, KEY_FORMS, pem_of


@pytest.mark.parametrize("form", KEY_FORMS.values(), ids=KEY_FORMS)
def test_a_key_is_read_in_each_of_its_forms(form: Callable[[dict[str, str]], str]) -> None:
    pair = key_pair()
    text = form(authorized_key("ajekey", "ajeaccount", "2026-11-01T00:00:00Z", pair))

    key = read_key(text, "SA_KEY")

    assert (key.key_id, key.service_account_id) == ("ajekey", "ajeaccount")
    assert pem_of(key.private_key) == pair.private_key


@pytest.mark.parametrize("form", KEY_FORMS.values(), ids=KEY_FORMS)
def test_each_form_is_meant_to_be_a_key(form: Callable[[dict[str, str]], str]) -> None:
    assert is_key(form(authorized_key("ajekey", "ajeaccount", "", key_pair())))


@pytest.mark.parametrize("text", ["", "e6qsecret", "/path/to/key.json", "{}", "aGVsbG8="])
def test_another_text_is_not_meant_to_be_a_key(text: str) -> None:
    assert not is_key(text)


READABLE = {name: row for name, row in BROKEN_KEYS.items() if name != "not UTF-8"}


@pytest.mark.parametrize(("broken", "named"), READABLE.values(), ids=READABLE)
def test_the_fault_of_a_broken_key_is_named_and_nothing_of_the_key(
    broken: Callable[[dict[str, str]], str | bytes], named: list[str]
) -> None:
    pair = key_pair()
    text = broken(authorized_key("ajekey", "ajeaccount", "2026-11-01T00:00:00Z", pair))
    assert isinstance(text, str)
    with pytest.raises(SettingsError) as caught:
        read_key(text, "SA_KEY_FILE")
    assert [word for word in ("SA_KEY_FILE", *named) if word not in str(caught.value)] == []
    assert not [line for line in pair.private_key.splitlines()[1:-1] if line[:20] in str(caught.value)]


@given(st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_any_other_text_is_a_fault_of_the_settings(text: str) -> None:
    with pytest.raises(SettingsError, match="SA_KEY"):
        read_key(text, "SA_KEY")
