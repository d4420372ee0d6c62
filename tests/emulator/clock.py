"""The emulator's time, and how times and spans are written.

The wall clock may be set by the seed (`now`), shifted by a test (`clock_offset_seconds`) and wound forward to
a timer's next time; image ages, policies and timers follow it. Tokens and what they are given for follow the
same clock without its winding, for the clocks of those who hold them aren't wound. Delays (latency,
operations) follow the real monotonic clock instead.
"""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_UNIT_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Clock:
    """Wall time that starts at `start` and runs on; without `start`, the real time."""

    def __init__(self, start: float | None = None, monotonic: Callable[[], float] = time.monotonic):
        self.monotonic = monotonic
        self.offset = 0.0
        self._wound = 0.0
        self._start = start
        self._started = monotonic()

    def now(self) -> float:
        return self.unwound() + self._wound

    def unwound(self) -> float:
        if self._start is None:
            return time.time() + self.offset
        return self._start + self.monotonic() - self._started + self.offset

    def wind_to(self, moment: float) -> None:
        """Forward to the moment, never back."""
        self._wound += max(0.0, moment - self.now())


def span_seconds(text: str | int | float) -> float:
    """Seconds of a span such as `90s`, `12h`, `40d`; a number is seconds already."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text)
    match = _SPAN.fullmatch(str(text))
    if match is None:
        raise ValueError(f"not a span of time: {text!r} (expected 90s, 15m, 12h, 40d or 2w)")
    return float(match[1]) * _UNIT_SECONDS[match[2]]


def moment(text: str | datetime) -> float:
    """Unix time of an RFC 3339 text (YAML may have parsed it already)."""
    parsed = text if isinstance(text, datetime) else datetime.fromisoformat(str(text))
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def timestamp(seconds: float) -> Timestamp:
    message = Timestamp()
    message.FromMicroseconds(round(seconds * 1_000_000))
    return message


def rfc3339(seconds: float) -> str:
    return str(timestamp(seconds).ToJsonString())
