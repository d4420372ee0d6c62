"""The pace of calls to the cloud: requests in flight, pauses and retries, shared by all threads of a run.

A 429 or 503 halves the requests in flight and holds everybody back for as long as ``Retry-After`` says, or
for a pause that doubles each time; requests that had been sent before that count as the same sign. After
``STEADY`` answers in a row one more request may be in flight again. A retry costs one from a budget that each
success refills by a half, so that the threads do not call a cloud that is down over and over.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from shared.cloud.reach import Reach
from shared.errors import OutOfTime

STEADY = 50
BUDGET = 100.0
REFILL = 0.5
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0


class Pace:
    """Enter before a request, leave after it. Times are monotonic seconds; none is entered after ``ends_at``.

    ``reach`` is what the run knows of the servers that it asks.
    """

    def __init__(
        self,
        most: int,
        ends_at: float = float("inf"),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.ends_at, self.clock, self.sleep = ends_at, clock, sleep
        self.retries = 0
        self.reach = Reach(clock)
        self.most = self._width = most
        self._in_flight = self._successes = self._slowings = 0
        self._resume_at = self._slowed_at = float("-inf")
        self._budget = BUDGET
        self._changed = threading.Condition()

    def enter(self) -> float:
        """Waits for its turn and returns when it came. Raises OutOfTime when that would be too late."""
        with self._changed:
            while True:
                now = self.clock()
                if max(now, self._resume_at) >= self.ends_at:
                    raise OutOfTime("The time of this invocation is over.")
                if now < self._resume_at:
                    self._changed.wait(self._resume_at - now)
                elif self._in_flight < self._width:
                    self._in_flight += 1
                    return now
                else:
                    self._changed.wait(min(self.ends_at - now, LONGEST_PAUSE))

    def stop(self, seconds: float) -> None:
        """Ends the time after so many seconds, if it doesn't end earlier."""
        with self._changed:
            self.ends_at = min(self.ends_at, self.clock() + seconds)
            self._changed.notify_all()

    def leave(self) -> None:
        with self._changed:
            self._in_flight -= 1
            self._changed.notify()

    def succeeded(self) -> None:
        with self._changed:
            self._slowings = 0
            self._budget = min(BUDGET, self._budget + REFILL)
            self._successes += 1
            if self._successes >= STEADY and self._width < self.most:
                self._successes = 0
                self._width += 1
                self._changed.notify()

    def slow_down(self, sent_at: float, retry_after: float | None) -> None:
        """The cloud asked to slow down, answering a request that was sent at ``sent_at``."""
        with self._changed:
            now = self.clock()
            if sent_at > self._slowed_at:
                self._slowed_at, self._successes = now, 0
                self._slowings += 1
                self._width = max(1, self._width // 2)
            pause = retry_after if retry_after is not None else backoff(self._slowings)
            self._resume_at = max(self._resume_at, now + pause)

    def may_retry(self) -> bool:
        """Takes one retry from the budget, if there is one left."""
        with self._changed:
            if self._budget < 1:
                return False
            self._budget -= 1
            self.retries += 1
            return True


def backoff(times: int) -> float:
    """A pause in seconds after so many failures in a row, with jitter."""
    return random.uniform(0.5, 1) * min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(times - 1, 20))
