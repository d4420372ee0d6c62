"""The bytes that deletions free: a layer counts once, and not while an image that stays has it."""

from __future__ import annotations

from array import array
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.retention.layers import COUNTED_AT_ONCE, LayerCount, layer_keys
from shared.retention.records import Image

SIZES = {1: 100, 2: 20, 3: 5, 4: 0, 5: 2**40}


def image(*keys: int) -> Image:
    layers = array("Q", [part for key in keys for part in (key, SIZES[key])])
    return Image("img", "sha256:0", (), "2026-01-01T00:00:00Z", sum(layers[1::2]), layers.tobytes())


class Case(NamedTuple):
    go: list[Image]
    stay: list[Image]
    freed: int


FREED = {
    "nothing goes": Case([], [image(1)], 0),
    "an image of its own": Case([image(1, 2)], [], 120),
    "a layer that two share that go": Case([image(1, 2), image(1, 3)], [], 125),
    "a layer that one shares that stays": Case([image(1, 2)], [image(1)], 20),
    "all layers stay": Case([image(1, 2), image(2)], [image(1, 2, 3)], 0),
    "a layer twice in one image": Case([image(1, 1)], [], 100),
    "an empty layer": Case([image(4)], [], 0),
    "a terabyte": Case([image(5)], [], 2**40),
    "an image without layers": Case([image()], [image()], 0),
}


@pytest.mark.parametrize("case", FREED.values(), ids=FREED)
def test_freed_bytes(case: Case) -> None:
    count = LayerCount()
    count.stays(layer_keys(case.stay))
    count.goes(case.go)

    assert count.freed_bytes() == case.freed
    assert count.freed_bytes() == case.freed, "asked again, it says the same"


def test_layer_keys_are_the_distinct_layers_and_not_their_sizes() -> None:
    assert sorted(layer_keys([image(1, 2), image(2, 3)])) == [1, 2, 3]


IMAGES = st.lists(
    st.lists(st.sampled_from(sorted(SIZES)), max_size=4).map(lambda keys: image(*keys)), max_size=6
)


@given(IMAGES, IMAGES, st.randoms(use_true_random=False))
def test_freed_bytes_are_the_layers_that_go_less_those_that_stay_in_any_order(
    go: list[Image], stay: list[Image], dice: object
) -> None:
    steps = [("go", one) for one in go] + [("stay", one) for one in stay]
    dice.shuffle(steps)  # type: ignore[attr-defined]
    count = LayerCount()
    for step, one in steps:
        if step == "go":
            count.goes([one])
        else:
            count.stays(layer_keys([one]))

    freed = count.freed_bytes()

    assert freed == sum(SIZES[key] for key in set(layer_keys(go)) - set(layer_keys(stay)))
    assert freed <= sum(one.size_bytes for one in go)


def test_more_layers_than_are_counted_or_noted_at_once_add_up_too() -> None:
    going = [layered(range(number, number + 100)) for number in range(0, 3 * COUNTED_AT_ONCE, 100)]
    staying = set(range(0, 3 * COUNTED_AT_ONCE, 3))
    count = LayerCount()
    count.stays(staying)
    count.goes(going)
    count.goes(going[:50])

    assert count.freed_bytes() == sum(key % 4 for key in range(3 * COUNTED_AT_ONCE) if key % 3)


def layered(keys: range) -> Image:
    """An image with layers of nought to three bytes."""
    layers = array("Q", [part for key in keys for part in (key, key % 4)]).tobytes()
    return Image("img", "sha256:0", (), "2026-01-01T00:00:00Z", len(keys), layers)
