"""The same work for many items, several at once."""

from __future__ import annotations

import threading

import pytest

from shared.cloud.parallel import for_each, meanwhile


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


def test_a_work_goes_on_meanwhile() -> None:
    begun = threading.Event()

    def work() -> int:
        begun.set()
        return 7

    with meanwhile(work) as result:
        assert begun.wait(10)
        assert result() == 7


def test_the_failure_of_what_goes_on_meanwhile_comes_out_where_its_result_is_asked_for() -> None:
    def work() -> None:
        raise KeyError

    with meanwhile(work) as result, pytest.raises(KeyError):
        result()


def test_what_goes_on_meanwhile_has_ended_afterwards_also_if_nobody_asks() -> None:
    ended: list[int] = []

    def work() -> None:
        threading.Event().wait(0.05)
        ended.append(1)

    with pytest.raises(KeyError), meanwhile(work):
        raise KeyError
    assert ended == [1]
