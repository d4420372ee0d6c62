"""Messages are sent at the same time; what fails is told, and holds nothing up."""

from __future__ import annotations

import time
from collections.abc import Callable

from shared.report.announce import Delivery, send_all


def delivery(send: Callable[[float], str]) -> Delivery:
    return Delivery("notify", "It was not sent", "try again", send)


def fails(ends_at: float) -> str:
    raise ValueError("a secret")


def sleeps(ends_at: float) -> str:
    time.sleep(1)
    return ""


def test_only_what_failed_is_told_and_no_words_of_a_fault() -> None:
    notices = send_all(
        [delivery(lambda ends_at: ""), delivery(lambda ends_at: "refused"), delivery(fails)],
        time.monotonic() + 5,
    )

    assert [notice.message for notice in notices] == [
        "It was not sent: refused; try again.",
        "It was not sent: the bundle has a fault (ValueError); try again.",
    ]


def test_what_takes_too_long_is_left() -> None:
    began_at = time.monotonic()

    [notice] = send_all([delivery(sleeps)], began_at + 0.3)

    assert "no answer in time" in notice.message
    assert time.monotonic() - began_at < 0.9


def test_without_time_nothing_is_sent() -> None:
    sent: list[float] = []

    def send(ends_at: float) -> str:
        sent.append(ends_at)
        return ""

    [notice] = send_all([delivery(send)], time.monotonic())

    assert "no time was left" in notice.message
    assert not sent
