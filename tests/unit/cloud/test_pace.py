"""The pace: how many requests may be in flight, how long everybody waits, how often is tried again."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cloud.pace import BUDGET, LONGEST_PAUSE, REFILL, STEADY, Pace, backoff
from shared.errors import OutOfTime

MOST = 16
TICK = 0.0001


class Clock:
    """Goes on by a tick whenever it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += TICK
        return self.now


def pace_of(most: int = MOST) -> Pace:
    return Pace(most, clock=Clock())


def room(pace: Pace) -> int:
    """How many requests the pace lets be in flight now."""
    pace.ends_at = pace.clock() + TICK * (MOST + 3)
    entered = 0
    try:
        while True:
            pace.enter()
            entered += 1
    except OutOfTime:
        return entered
    finally:
        for _ in range(entered):
            pace.leave()
        pace.ends_at = float("inf")


def told_to_slow_down(pace: Pace) -> None:
    pace.slow_down(pace.clock(), retry_after=0)


def well(pace: Pace, times: int) -> None:
    for _ in range(times):
        pace.succeeded()


def test_every_request_may_be_in_flight_at_first() -> None:
    assert room(pace_of()) == MOST


def test_a_sign_to_slow_down_halves_the_requests_in_flight_but_leaves_one() -> None:
    pace = pace_of()
    widths = []
    for _ in range(6):
        told_to_slow_down(pace)
        widths.append(room(pace))

    assert widths == [8, 4, 2, 1, 1, 1]


def test_requests_that_were_sent_before_the_sign_are_the_same_sign() -> None:
    pace = pace_of()
    sent_at = pace.clock()

    for _ in range(10):
        pace.slow_down(sent_at, retry_after=0)

    assert room(pace) == MOST // 2


def test_a_steady_time_lets_one_more_be_in_flight_until_all_are() -> None:
    pace = pace_of()
    told_to_slow_down(pace)
    widths = []
    for _ in range(10):
        well(pace, STEADY - 1)
        before = room(pace)
        well(pace, 1)
        widths.append((before, room(pace)))

    assert widths == [(8 + n, 9 + n) for n in range(8)] + [(MOST, MOST)] * 2


def test_a_sign_to_slow_down_begins_the_steady_time_anew() -> None:
    pace = pace_of()
    told_to_slow_down(pace)
    well(pace, STEADY - 1)
    told_to_slow_down(pace)
    well(pace, STEADY - 1)

    assert room(pace) == 4


@given(st.lists(st.sampled_from(["slow", "old", "well", "steady"]), max_size=40))
def test_the_width_stays_between_one_and_all_and_comes_back_in_the_end(events: list[str]) -> None:
    pace = pace_of()
    for event in events:
        if event == "slow":
            told_to_slow_down(pace)
        elif event == "old":
            pace.slow_down(0, retry_after=0)
        else:
            well(pace, 1 if event == "well" else STEADY)
    assert 1 <= room(pace) <= MOST

    well(pace, STEADY * MOST)

    assert room(pace) == MOST


def test_nobody_enters_before_the_time_that_the_cloud_asked_for() -> None:
    pace = Pace(MOST)
    started_at = time.monotonic()
    pace.slow_down(started_at, retry_after=0.2)

    assert pace.enter() >= started_at + 0.2


def test_a_later_answer_does_not_shorten_the_wait() -> None:
    pace = Pace(MOST)
    started_at = time.monotonic()
    pace.slow_down(started_at, retry_after=0.2)
    pace.slow_down(started_at, retry_after=0)

    assert pace.enter() >= started_at + 0.2


def test_a_wait_beyond_the_end_is_not_begun() -> None:
    pace = Pace(MOST, ends_at=time.monotonic() + 10)
    pace.slow_down(time.monotonic(), retry_after=3600)

    with pytest.raises(OutOfTime):
        pace.enter()


def test_the_budget_of_retries_is_used_up_and_refilled_by_successes() -> None:
    pace = pace_of()

    granted = sum(pace.may_retry() for _ in range(1000))
    well(pace, 20)
    again = sum(pace.may_retry() for _ in range(1000))
    well(pace, 10_000)
    full = sum(pace.may_retry() for _ in range(1000))

    assert (granted, again, full) == (BUDGET, 20 * REFILL, BUDGET)
    assert pace.retries == granted + again + full


@pytest.mark.parametrize(
    ("times", "longest"), [(1, 0.1), (2, 0.2), (3, 0.4), (7, 6.4), (8, LONGEST_PAUSE), (5000, LONGEST_PAUSE)]
)
def test_a_pause_doubles_up_to_a_limit_and_differs_each_time(times: int, longest: float) -> None:
    pauses = [backoff(times) for _ in range(50)]

    assert all(longest / 2 <= pause <= longest for pause in pauses)
    assert len(set(pauses)) > 1
