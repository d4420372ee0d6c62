"""The same work for many items, several at once."""

from __future__ import annotations

import threading

import pytest

from shared.cloud.parallel import for_each


@pytest.mark.parametrize("width", [1, 3, 50])
def test_every_item_is_worked_on_once(width: int) -> None:
    done: list[int] = []
    for_each(range(20), done.append, width)
    assert sorted(done) == list(range(20))


def test_as_many_are_at_work_as_the_width_says() -> None:
    barrier = threading.Barrier(3, timeout=10)
    for_each(range(3), lambda _: [barrier.wait()].clear(), 3)


def test_nothing_begins_after_a_failure_and_the_failure_comes_out() -> None:
    done: list[int] = []

    def work(item: int) -> None:
        if item == 2:
            raise KeyError(item)
        done.append(item)

    with pytest.raises(KeyError):
        for_each(range(20), work, 1)
    assert done == [0, 1]
