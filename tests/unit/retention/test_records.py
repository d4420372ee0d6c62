"""What the plain records work out of their fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.retention.records import Policy, Repository, blob_key

KEYS = {
    "the first 16 digits": ("sha256:00000000000000ff" + "a" * 48, 0xFF),
    "all 64 bits": ("sha256:" + "f" * 64, 0xFFFFFFFFFFFFFFFF),
    "another algorithm": ("sha512:0123456789abcdef" + "0" * 112, 0x0123456789ABCDEF),
    "without an algorithm": ("10", 16),
}


@pytest.mark.parametrize(("digest", "key"), KEYS.values(), ids=KEYS)
def test_a_blob_has_the_first_64_bits_of_its_digest_as_its_key(digest: str, key: int) -> None:
    assert blob_key(digest) == key


@given(st.text())
def test_any_text_has_a_key_of_64_bits(digest: str) -> None:
    assert 0 <= blob_key(f"sha256:z{digest}") < 2**64


def test_texts_that_are_no_digests_have_keys_of_their_own() -> None:
    assert blob_key("sha256:zebra") != blob_key("sha256:zebu")
    assert blob_key("sha256:zebra") == blob_key("sha256:zebra")


NAMES = {
    "plain": ("crp1/app", "app"),
    "nested": ("crp1/team/app", "team/app"),
    "the id twice": ("crp1/crp1/app", "crp1/app"),
    "of another registry": ("crp2/app", "crp2/app"),
    "a longer id": ("crp10/app", "crp10/app"),
}


@pytest.mark.parametrize(("full_name", "name"), NAMES.values(), ids=NAMES)
def test_a_repository_is_named_without_its_registry(full_name: str, name: str) -> None:
    assert Repository("id", "crp1", full_name).name == name


@pytest.mark.parametrize(("name", "label"), [("nightly", "nightly"), ("", "policy-id")])
def test_a_policy_without_a_name_goes_by_its_id(name: str, label: str) -> None:
    assert Policy("policy-id", name, "repository", "ACTIVE").label == label
