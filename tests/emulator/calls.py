"""The calls made so far: the last 200,000 one by one, all of them by route, and the most in flight at once.

A call is in flight from the moment the emulator has read it until it answers, so calls overlap only when the
behaviour makes them wait (`latency_ms`, `delay_ms`).
"""

from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

KEPT_CALLS = 200_000


@dataclass(slots=True)
class Call:
    """`status` 0: the call got no answer (yet); `number` 1 is the first since the seed; `fault` is what it
    met; `bytes` are those of both bodies.
    """

    method: str
    path: str
    query: str
    at: float
    number: int = 0
    route: str = ""
    status: int = 0
    fault: str = ""
    bytes: int = 0

    def document(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("method", "path", "query", "route", "status", "at")}


class Calls:
    def __init__(self) -> None:
        self.kept: deque[Call] = deque(maxlen=KEPT_CALLS)
        self._ended: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._in_flight = 0
        self._peak = 0
        self._count = 0

    def begin(self, call: Call) -> None:
        self._count += 1
        call.number = self._count
        self.kept.append(call)
        self._in_flight += 1
        self._peak = max(self._peak, self._in_flight)

    def end(self, call: Call) -> None:
        self._in_flight -= 1
        self._ended[f"{call.method} {call.route or call.path}"] += 1
        self._bytes[f"{call.method} {call.route or call.path}"] += call.bytes

    def counts(self) -> dict[str, Any]:
        return {"counts": dict(self._ended), "bytes": dict(self._bytes), "peak_in_flight": self._peak}

    def clear(self) -> None:
        self.kept.clear()
        self._ended.clear()
        self._bytes.clear()
        self._peak = self._in_flight
