"""A task that somebody watches can be stopped."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from shared.cleanup import deletion
from shared.cloud.client import Cloud
from shared.cloud.pace import Pace
from shared.invocation import watched


@pytest.fixture
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_work_as_time_would_and_a_second_one_at_once(number: int) -> None:
    cloud = Cloud("", Pace(1))
    watched.stop_on_signals(cloud)

    signal.raise_signal(number)

    assert cloud.pace.ends_at <= time.monotonic() + deletion.SETTLING
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
