"""Which servers can be reached in a run: what one call finds out of that counts for all.

A server that has never answered is tried for ``PATIENCE`` seconds in all, however many threads ask, and then
counts as down until the end of the run; ``SHORT_PATIENCE`` do when all others are down. One that has answered
before and has fallen silent is given ``LONG_PATIENCE``; after that a single call in ``PROBE_EVERY`` seconds
is let through, and its answer ends the silence. What an answer says does not matter here: an error is an
answer. After ``WARN_AFTER`` seconds of silence the log says so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from shared.cloud import log
from shared.errors import UNAVAILABLE, CallError

WARN_AFTER = 5.0
PATIENCE, SHORT_PATIENCE, LONG_PATIENCE = 15.0, 5.0, 60.0
PROBE_EVERY = 5.0


class Server:
    """What is known of one server, ``base`` being its URL. Times are monotonic seconds."""

    def __init__(self, base: str, patience: float, clock: Callable[[], float]) -> None:
        self.base, self.clock = base, clock
        self.answered = self.down = False
        self.reason = "no answer yet"
        self._patience, self._lock = patience, threading.Lock()
        self._silent_since: float | None = None
        self._probed_at = float("-inf")
        self._warned = False

    def may_be_asked(self) -> bool:
        """Whether a call may be sent; its end must be reported to `answers` or `is_silent`."""
        with self._lock:
            now = self.clock()
            if self.down:
                if not self.answered or now - self._probed_at < PROBE_EVERY:
                    return False
                self._probed_at = now
            elif not self.answered and self._silent_since is None:
                self._silent_since = now
                self._watch(now)
            return True

    def answers(self) -> None:
        if self._silent_since is None and self.answered:
            return
        with self._lock:
            self.answered, self.down, self._silent_since, self._warned = True, False, None, False

    def is_silent(self, reason: str) -> None:
        """A call has got no answer, for that reason."""
        with self._lock:
            self.reason, now = reason, self.clock()
            if self._silent_since is None:
                self._silent_since = now
            silence = now - self._silent_since
            self.down = self.down or silence >= (LONG_PATIENCE if self.answered else self._patience)
            if silence >= WARN_AFTER:
                self._warn(silence)

    def patience(self) -> float:
        """For how many seconds a call or a pause may last before it is known whether the server is down."""
        if self.answered or self._silent_since is None:
            return float("inf")
        return max(0.2, self._patience - (self.clock() - self._silent_since))

    def unreachable(
        self, service: str, call: str, setting: str, failure: CallError | None = None
    ) -> CallError:
        """The error of a call without an answer, with what to look at; ``failure`` is what became of it, if
        it was sent.
        """
        places = [*([setting] if setting else []), "the proxy's variables (HTTPS_PROXY, NO_PROXY)"]
        return CallError(
            f"{self.base} cannot be reached ({failure.message if failure else self.reason}); check"
            f" {', '.join(places)} and the network",
            service=service,
            call=call,
            code=UNAVAILABLE,
            retryable=True,
            ambiguous=failure is not None and failure.ambiguous,
        )

    def _watch(self, since: float) -> None:
        """Warns in time although nothing comes back, not even an error, as when a name's look-up hangs."""

        def look() -> None:
            with self._lock:
                silence = self.clock() - since
                if self._silent_since == since and silence < WARN_AFTER + 5:  # else the process was frozen
                    self._warn(silence)

        timer = threading.Timer(WARN_AFTER, look)
        timer.daemon = True
        timer.start()

    def _warn(self, silence: float) -> None:
        if not self._warned:
            self._warned = True
            log.warn(f"{self.base} has given no answer for {silence:.0f} s: {self.reason}.", where=self.base)


class Reach:
    """The servers of one run, by their URLs; ``patience`` is in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, patience: float = PATIENCE) -> None:
        self._servers: dict[str, Server] = {}
        self._clock, self._patience = clock, patience

    def of(self, base: str) -> Server:
        server = self._servers.get(base)
        if server is None:
            others = list(self._servers.values())
            patience = SHORT_PATIENCE if others and all(other.down for other in others) else self._patience
            server = self._servers.setdefault(base, Server(base, patience, self._clock))
        return server
