"""Leases: one run works on a registry at a time.

The lease of a registry is the object ``leases/<registry id>.json``: the id of the run that holds it, or ""
when nobody does, and a number that grows with every renewal, so that each write differs from all before. It
is created once, and from then on every change is a replace of exactly the version that was read. So of
several runs one gets it, and a holder whose renewal fails has lost it.

A run that finds the lease held watches it: a renewal shows that the other run lives; when ``DEAD_AFTER``
seconds bring none, the other run is dead, and the lease is taken over. Nobody compares clocks: every run
measures with its own, which is monotonic and goes on while the process is frozen. A renewal counts from
before its writing began, and only if it was written within ``LOST_AFTER`` seconds of what the one before
counts from. So a run whose lease is taken over has lost it by its own clock before, unless its clock stood
still with it; then the next renewal shows it. A lost lease stays lost.
"""

from __future__ import annotations

import functools
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec

from shared.cloud import log
from shared.cloud.parallel import for_each
from shared.errors import LeaseLost, OutOfTime, StateError
from shared.state.store import Store, Stored

RENEW_EVERY, LOST_AFTER, DEAD_AFTER, LOOK_EVERY = 3.0, 10.0, 15.0, 1.0
RENEWED_AT_ONCE = 8


def monotonic() -> Callable[[], float]:
    """The clock that goes on even while the machine sleeps, where there is one."""
    try:
        time.clock_gettime(time.CLOCK_BOOTTIME)
    except (AttributeError, OSError):
        return time.monotonic
    return functools.partial(time.clock_gettime, time.CLOCK_BOOTTIME)


class _Lease(msgspec.Struct, frozen=True):
    """``run_id``: who holds it; ``last``: who wrote it; ``number``: how often, each time anew."""

    run_id: str
    last: str
    number: int


class _Held(msgspec.Struct):
    version: str
    renewed_at: float
    number: int = 0


class _Watched(msgspec.Struct, frozen=True):
    version: str
    since: float


class Leases:
    """The leases of one run.

    ``superseded`` are the dead runs that this one has taken registries over from.
    """

    def __init__(self, state: Store, run_id: str, clock: Callable[[], float] | None = None) -> None:
        self.superseded: set[str] = set()
        self._state, self._run_id, self._clock = state, run_id, clock or monotonic()
        self._held: dict[str, _Held] = {}
        self._lost = ""
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """From now on renews what is claimed, in a thread of its own, until it is released."""
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def claim(self, registry_id: str, pause: Callable[[float], None] = time.sleep) -> str | None:
        """Takes the registry's lease, or returns the id of the run that has it. Raises StateError.

        It may take ``DEAD_AFTER`` seconds. ``pause`` waits, and raises OutOfTime when there is no time for
        that; then the registry is left to the other run.
        """
        watched: _Watched | None = None
        while True:
            looked_at = self._clock()
            stored = self._state.read(_name(registry_id))
            holder = _read(stored).run_id if stored else ""
            if stored is None or not holder:
                if self._take(registry_id, stored):
                    return None
            elif watched is None:
                watched = _Watched(stored.version, self._clock())
                log.info(
                    f"The lease of the run {holder} on the registry {registry_id} is watched for up to"
                    f" {DEAD_AFTER:.0f} s."
                )
            elif stored.version != watched.version:
                return holder
            elif looked_at - watched.since >= DEAD_AFTER and self._take(registry_id, stored):
                self.superseded.add(holder)
                return None
            try:
                pause(random.uniform(0.2, 1) * LOOK_EVERY)
            except OutOfTime:
                if not holder:
                    raise
                return holder

    def renew(self, registry_id: str) -> None:
        """Renews the lease, unless it is lost. Raises StateError."""
        held, began = self._held[registry_id], self._clock()
        version = self._write(registry_id, held)
        if version is None:
            stored = self._state.read(_name(registry_id))
            if stored and _read(stored).run_id == self._run_id:  # a renewal that had no answer was written
                held.version = stored.version
                version = self._write(registry_id, held)
        if version is None:
            self._lose(f"the lease on the registry {registry_id} was taken over by another run")
            return
        with self._lock:
            held.version = version
            if self._clock() - held.renewed_at <= LOST_AFTER:
                held.renewed_at = began
                return
        self._lose(_LATE)

    def check(self) -> None:
        """Raises LeaseLost, from then on for ever, when another run has one of the leases or may have it."""
        if lost := self.lost():
            raise LeaseLost(f"{self._state.where}: {lost}; this run stops deleting.")

    def lost(self) -> str:
        """Why the leases are lost, or nothing."""
        with self._lock:
            now = self._clock()
            late = any(now - held.renewed_at > LOST_AFTER for held in self._held.values())
        if late:
            self._lose(_LATE)
        return self._lost

    def release(self) -> None:
        """Lets go of the leases that this run still has."""
        self._over.set()
        if self._thread:
            self._thread.join()
        for_each(list(self._held), self._let_go, RENEWED_AT_ONCE)
        self._held.clear()

    def _take(self, registry_id: str, stored: Stored | None) -> bool:
        """Writes this run into the lease that was read, or into a new one, and says whether it got it."""
        began, name = self._clock(), _name(registry_id)
        text = [_text(self._run_id, self._run_id, 0)]
        if stored is None:
            version = self._state.create(name, text)
        else:
            version = self._state.replace(name, text, stored.version)
        if version is None:
            return False
        with self._lock:
            self._held[registry_id] = _Held(version, began)
        return True

    def _write(self, registry_id: str, held: _Held) -> str | None:
        held.number += 1  # whatever comes of it, so that no two writes are the same
        text = _text(self._run_id, self._run_id, held.number)
        return self._state.replace(_name(registry_id), [text], held.version)

    def _let_go(self, registry_id: str) -> None:
        held = self._held[registry_id]
        with suppress(StateError):  # others will find it dead
            self._state.replace(_name(registry_id), [_text("", self._run_id, 0)], held.version)

    def _keep(self) -> None:
        while not self._over.wait(RENEW_EVERY) and not self.lost():
            for_each(list(self._held), self._try_to_renew, RENEWED_AT_ONCE)

    def _try_to_renew(self, registry_id: str) -> None:
        with suppress(StateError):  # `check` stops the run when this goes on
            self.renew(registry_id)

    def _lose(self, why: str) -> None:
        self._lost = self._lost or why


_LATE = f"the lease could not be renewed for {LOST_AFTER:.0f} s, so another run may have begun"


def _name(registry_id: str) -> str:
    return f"leases/{registry_id}.json"


def _text(run_id: str, last: str, number: int) -> bytes:
    return msgspec.json.encode(_Lease(run_id, last, number))


def _read(stored: Stored) -> _Lease:
    try:
        return msgspec.json.decode(stored.body, type=_Lease)
    except msgspec.DecodeError:  # it is watched, as a lease that nobody renews
        return _Lease("unknown", "", 0)
