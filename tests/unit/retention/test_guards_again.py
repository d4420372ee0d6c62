"""What the guards say of the images that are left once some of those that they let go are gone: the same."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from shared.retention.guards import Guarded, Guarding, guarded, newly_signed
from shared.retention.records import Image, Manifest
from shared.retention.references import Usage
from tests.support.lettered_images import about, candidates, digest, image, tag_of

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NAMES = [f"i{place}" for place in range(9)]


def shelf(dice: random.Random) -> tuple[list[Image], dict[str, Manifest]]:
    """Images of which any may hold or be about any other, listed or not."""
    images, manifests = [], {}
    for name in NAMES:
        tags = [f"tag-{name}"] if dice.random() < 0.3 else []
        kind = dice.choice(["plain", "index", "subject", "signature"])
        others = dice.sample(NAMES, 2)
        if kind == "index":
            manifests[digest(name)] = Manifest(tuple(map(digest, others)))
        elif kind == "subject":
            manifests[digest(name)] = about(others[0])
        elif kind == "signature":
            tags.append(tag_of(others[0], ".sig"))
        if dice.random() < 0.8:
            images.append(image(name, *tags))
    return images, manifests


@given(st.integers(0, 2**32), st.booleans())
def test_guards_say_the_same_of_what_is_left(seed: int, referrers: bool) -> None:
    dice = random.Random(seed)
    images, manifests = shelf(dice)
    names = [one.image_id for one in images]
    kept = {name: "rule keep" for name in names if dice.random() < 0.2}
    guarding = Guarding("crp1/app", Usage(), NOW, kept, referrers=referrers)
    taken = " ".join(name for name in names if dice.random() < 0.8)
    said = guarded(images, candidates(images, taken), manifests, guarding)
    going = {name: one for name, one in said.candidates.items() if name not in said.kept}
    gone = {name for name in going if dice.random() < 0.5}

    left = [one for one in images if one.image_id not in gone]
    going = {name: one for name, one in going.items() if name not in gone}
    assert guarded(left, going, manifests, guarding) == Guarded(going, {})
    assert newly_signed(left, going, manifests, guarding) == set()
