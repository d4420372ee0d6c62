"""Deciding what goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.retention.policies import SMALL_REPOSITORY, applies, changed, over_share, union
from shared.retention.records import Candidate, Image, Policy


def image(image_id: str, *tags: str) -> Image:
    return Image(image_id, f"sha256:{image_id}", tags, "2026-01-01T00:00:00Z", 1, b"")


ACTIVE = Policy("pol1", "nightly", "repo1", "ACTIVE")
DISABLED = Policy("pol2", "drafts", "repo1", "DISABLED")
NAMELESS = Policy("pol3", "", "repo1", "DISABLED")

APPLIES: dict[str, tuple[Policy, str | list[str], bool]] = {
    "an ACTIVE one by default": (ACTIVE, "active", True),
    "a DISABLED one by default": (DISABLED, "active", False),
    "an ACTIVE one beside names": (ACTIVE, ["active", "drafts"], True),
    "a DISABLED one by name": (DISABLED, ["active", "drafts"], True),
    "a DISABLED one by id": (DISABLED, ["pol2"], True),
    "an ACTIVE one that is not named": (ACTIVE, ["drafts"], False),
    "an ACTIVE one of an empty list": (ACTIVE, [], False),
    "one without a name": (NAMELESS, ["drafts"], False),
    "one without a name by id": (NAMELESS, ["pol3"], True),
    "one by a part of its name": (DISABLED, ["draft"], False),
    "one by its name in capitals": (DISABLED, ["DRAFTS"], False),
    "a DISABLED one whose name is active": (Policy("pol4", "active", "repo1", "DISABLED"), "active", False),
    "a DISABLED one whose name is active, in a list": (
        Policy("pol4", "active", "repo1", "DISABLED"),
        ["active", "drafts"],
        False,
    ),
    "one whose status is new to us": (Policy("pol5", "x", "repo1", "PAUSED"), "active", False),
}


@pytest.mark.parametrize(("policy", "apply", "expected"), APPLIES.values(), ids=APPLIES)
def test_a_policy_applies(policy: Policy, apply: str | list[str], expected: bool) -> None:
    assert applies(policy, apply) is expected  # type: ignore[arg-type]


OVER_SHARE = {
    "nothing of nothing": (0, 0, 0.9, False),
    "all of a small repository": (9, 9, 0.0, False),
    "all of the smallest that counts": (10, 10, 0.9, True),
    "exactly the share of ten": (9, 10, 0.9, False),
    "exactly the share of thirty, which is no exact fraction": (27, 30, 0.9, False),
    "one more": (28, 30, 0.9, True),
    "a share of nothing": (1, 10, 0.0, True),
    "nothing goes": (0, 10, 0.0, False),
    "a share of everything": (10_000, 10_000, 1.0, False),
    "seven tenths": (70, 100, 0.7, False),
}


@pytest.mark.parametrize(("going", "images", "share", "expected"), OVER_SHARE.values(), ids=OVER_SHARE)
def test_over_share(going: int, images: int, share: float, expected: bool) -> None:
    assert over_share(going, images, share) is expected


@given(st.integers(SMALL_REPOSITORY, 10_000), st.integers(0, 10_000), st.integers(0, 100))
def test_over_share_agrees_with_whole_numbers(images: int, going: int, percent: int) -> None:
    assert over_share(going, images, percent / 100) == (going * 100 > percent * images)


IMAGE_IDS = st.sets(st.sampled_from("abcdefgh"))
TAKEN = st.dictionaries(st.sampled_from(["p1", "p2", "p3", "p4"]), IMAGE_IDS)


def union_of(taken: list[tuple[str, set[str]]]) -> dict[str, Candidate]:
    return union((reason, [image(image_id) for image_id in sorted(ids)]) for reason, ids in taken)


@given(TAKEN, st.randoms(use_true_random=False))
def test_a_union_has_each_image_once_with_all_who_take_it_in_any_order(
    taken: dict[str, set[str]], dice: object
) -> None:
    shuffled = list(taken.items())
    dice.shuffle(shuffled)  # type: ignore[attr-defined]

    candidates = union_of(list(taken.items()))

    assert set(candidates) == set().union(*taken.values())
    for image_id, candidate in candidates.items():
        assert candidate.image.image_id == image_id
        assert sorted(candidate.reasons) == sorted(name for name, ids in taken.items() if image_id in ids)
    assert {image_id: set(candidate.reasons) for image_id, candidate in union_of(shuffled).items()} == {
        image_id: set(candidate.reasons) for image_id, candidate in candidates.items()
    }


CHANGED: dict[str, tuple[list[str], list[str] | None, str | None]] = {
    "nothing changed": (["a"], ["a"], None),
    "still untagged": ([], [], None),
    "it is gone": (["a"], None, "gone"),
    "it gained its first tag": ([], ["a"], "gained a tag"),
    "it gained one more": (["a"], ["a", "b"], "gained a tag"),
    "its tag is another": (["a"], ["b"], "gained a tag"),
    "it lost a tag": (["a", "b"], ["a"], None),
    "its tags come in another order": (["a", "b"], ["b", "a"], None),
}


@pytest.mark.parametrize(("then", "now", "expected"), CHANGED.values(), ids=CHANGED)
def test_what_happened_to_a_candidate(then: list[str], now: list[str] | None, expected: str | None) -> None:
    candidate = Candidate(image("img1", *then), ("policy old",))
    listed = {} if now is None else {"img1": image("img1", *now)}

    assert changed(candidate, {"img2": image("img2"), **listed}) == expected
