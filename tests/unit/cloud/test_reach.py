"""What is known of a server that answers, that never did, and that has fallen silent."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from shared.cloud.log import logger
from shared.cloud.reach import (
    LONG_PATIENCE,
    PATIENCE,
    PROBE_EVERY,
    SHORT_PATIENCE,
    WARN_AFTER,
    Reach,
    Server,
)
from shared.errors import UNAVAILABLE, CallError
from tests.support.json_server import Clock

BASE = "https://registry.example"
FOREVER = float("inf")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Server:
    return Server(BASE, PATIENCE, clock)


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    """The messages of the log, whatever its level and its handlers are by now."""
    messages: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)


def silent(server: Server, clock: Clock, seconds: float) -> None:
    """It falls silent now, and still is so many seconds later."""
    server.is_silent("no route")
    clock.now += seconds
    server.is_silent("no route")


SILENCES = {
    "never answered, within patience": (False, PATIENCE - 0.1, False),
    "never answered, patience over": (False, PATIENCE, True),
    "answered before, within the long patience": (True, LONG_PATIENCE - 0.1, False),
    "answered before, the long patience over": (True, LONG_PATIENCE, True),
}


@pytest.mark.parametrize(("answered", "seconds", "down"), SILENCES.values(), ids=SILENCES)
def test_a_silent_server_is_down_when_patience_is_over(
    server: Server, clock: Clock, answered: bool, seconds: float, down: bool
) -> None:
    if answered:
        server.answers()
    silent(server, clock, seconds)
    assert server.down is down


def test_an_answer_ends_a_silence(server: Server, clock: Clock) -> None:
    server.answers()
    silent(server, clock, LONG_PATIENCE - 1)
    server.answers()
    silent(server, clock, LONG_PATIENCE - 1)
    assert not server.down


def test_a_server_that_never_answered_stays_down(server: Server, clock: Clock) -> None:
    silent(server, clock, PATIENCE)
    clock.now += 100 * PROBE_EVERY
    assert not server.may_be_asked()


def test_a_server_that_answered_before_is_probed_by_one_call_at_a_time(server: Server, clock: Clock) -> None:
    server.answers()
    silent(server, clock, LONG_PATIENCE)

    assert [server.may_be_asked() for _ in range(3)] == [True, False, False]
    clock.now += PROBE_EVERY - 0.1
    assert not server.may_be_asked()
    clock.now += 0.1
    assert [server.may_be_asked() for _ in range(2)] == [True, False]

    server.answers()
    assert not server.down
    assert [server.may_be_asked() for _ in range(3)] == [True, True, True]


@pytest.mark.parametrize(
    ("after", "patience"), [(0, PATIENCE), (5, PATIENCE - 5), (PATIENCE, 0.2), (2 * PATIENCE, 0.2)]
)
def test_the_first_calls_share_one_patience(
    server: Server, clock: Clock, after: float, patience: float
) -> None:
    assert server.patience() == FOREVER
    server.is_silent("no route")
    clock.now += after
    assert server.patience() == patience


def test_a_call_that_is_sent_begins_the_silence(server: Server, clock: Clock) -> None:
    assert server.may_be_asked()
    clock.now += PATIENCE
    server.is_silent("no route")
    assert server.down


def test_a_server_that_answered_is_not_hurried(server: Server) -> None:
    server.answers()
    server.is_silent("no route")
    assert server.patience() == FOREVER


def test_a_silence_is_warned_of_once_and_again_after_an_answer(
    server: Server, clock: Clock, warnings: list[str]
) -> None:
    silent(server, clock, WARN_AFTER - 0.1)
    assert warnings == []
    silent(server, clock, 0.1)
    silent(server, clock, 1)
    assert warnings == [f"{BASE} has given no answer for 5 s: no route."]
    server.answers()
    silent(server, clock, WARN_AFTER)
    assert len(warnings) == 2


FAILURES = {
    "never sent": (None, "no route", False),
    "lost before it was sent": (False, "refused", False),
    "lost after it was sent": (True, "refused", True),
}


@pytest.mark.parametrize(("lost", "reason", "ambiguous"), FAILURES.values(), ids=FAILURES)
def test_the_error_says_what_to_look_at_and_whether_the_call_may_have_arrived(
    server: Server, lost: bool | None, reason: str, ambiguous: bool
) -> None:
    server.is_silent("no route")
    failure = None
    if lost is not None:
        failure = CallError("refused", service="s", call="GET /x", code=UNAVAILABLE, ambiguous=lost)
    error = server.unreachable("s", "GET /x", "YC_API_ENDPOINT", failure)

    assert [word for word in (BASE, reason, "YC_API_ENDPOINT", "HTTPS_PROXY") if word not in str(error)] == []
    assert (error.code, error.retryable, error.ambiguous) == (UNAVAILABLE, True, ambiguous)


def test_a_new_server_gets_less_patience_when_all_others_are_down(clock: Clock) -> None:
    reach = Reach(clock)
    first = reach.of("https://first.example")
    assert reach.of("https://first.example") is first
    silent(first, clock, PATIENCE)
    second = reach.of("https://second.example")
    silent(second, clock, SHORT_PATIENCE)
    assert (first.down, second.down) == (True, True)


def test_a_new_server_gets_its_whole_patience_while_another_is_up(clock: Clock) -> None:
    reach = Reach(clock)
    silent(reach.of("https://first.example"), clock, PATIENCE)
    second = reach.of("https://second.example")
    second.answers()
    third = reach.of("https://third.example")
    silent(third, clock, SHORT_PATIENCE)
    assert not third.down
