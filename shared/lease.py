"""Leases: one run works on a registry at a time.

A run holds ``leases/<registry id>/<run id>.<number>`` and renews it every few seconds by writing the next number and
deleting the last, for files of a mounted bucket are written once. It claims by writing first and looking second, so
that of two runs which claim at once each sees the other, and neither goes on; one of them then tries again. A lease
that was not renewed for ``DEAD_AFTER`` seconds is a dead run's. A run that could not renew in time stops deleting
before it counts as dead.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import msgspec

from shared.errors import LeaseLost, StateError
from shared.state import StateDir

RENEW_EVERY, LOST_AFTER, DEAD_AFTER = 3.0, 10.0, 15.0
ABANDONED_AFTER, ABANDONED_AT_ONCE = timedelta(days=1), 20
TRIES = 4


class _Lease(msgspec.Struct):
    run_id: str
    renewed_at: float


class Leases:
    """The leases of one run. ``clock`` gives seconds since 1970, which all runs share."""

    def __init__(self, state: StateDir, run_id: str, clock: Callable[[], float] = time.time) -> None:
        self._state, self._run_id, self._clock = state, run_id, clock
        self._held: dict[str, int] = {}
        self._renewed_at = clock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def claim(self, registry_id: str) -> str | None:
        """Takes the registry's lease, or returns the id of the run that has it. Raises StateError."""
        self._state.make(f"leases/{registry_id}")
        other: str | None = None
        for attempt in range(TRIES):
            if attempt:
                self._over.wait(random.uniform(0.1, 0.2) * 2**attempt)
            self._write(registry_id, attempt)
            other = next(self.others(registry_id), None)
            if other is None:
                self._held[registry_id] = attempt
                self._start()
                return None
            self._state.delete(self._name(registry_id, attempt))
        return other

    def others(self, registry_id: str) -> Iterator[str]:
        """The other runs that live and claim the registry."""
        return (
            run_id for run_id in _living(self._state, registry_id, self._clock()) if run_id != self._run_id
        )

    def check(self) -> None:
        """Raises LeaseLost when the leases could not be renewed for so long that another run may take over."""
        if self._held and self._clock() - self._renewed_at > LOST_AFTER:
            raise LeaseLost(
                f"STATE_DIR: the lease could not be renewed for {LOST_AFTER:.0f} s, so another run may have begun;"
                " this one stops deleting."
            )

    def release(self) -> None:
        self._over.set()
        if self._thread:
            self._thread.join()
        for registry_id, number in self._held.items():
            self._state.delete(self._name(registry_id, number))
        self._held.clear()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep, daemon=True)
            self._thread.start()

    def _keep(self) -> None:
        while not self._over.wait(RENEW_EVERY):
            try:
                for registry_id, number in list(self._held.items()):
                    self._write(registry_id, number + TRIES)
                    self._held[registry_id] = number + TRIES
                    self._state.delete(self._name(registry_id, number))
            except StateError:
                continue  # `check` stops the run when this goes on
            self._renewed_at = self._clock()

    def _write(self, registry_id: str, number: int) -> None:
        lease = _Lease(self._run_id, self._clock())
        self._state.write(self._name(registry_id, number), [msgspec.json.encode(lease)])

    def _name(self, registry_id: str, number: int) -> str:
        return f"leases/{registry_id}/{self._run_id}.{number}"


def _living(state: StateDir, registry_id: str, now: float) -> Iterator[str]:
    for text in _texts(state, f"leases/{registry_id}"):
        try:
            lease = msgspec.json.decode(text or b"", type=_Lease)
        except msgspec.DecodeError:
            continue  # given up meanwhile, or its writer died while writing
        if now - lease.renewed_at < DEAD_AFTER:
            yield lease.run_id


def _texts(state: StateDir, folder: str) -> list[bytes | None]:
    """What the files of the folder hold; looked at again when one has just given way to its renewal."""
    texts: list[bytes | None] = []
    for _ in range(TRIES):
        texts = [state.read(f"{folder}/{name}") for name in state.names(folder)]
        if None not in texts:
            break
    return texts


def alive(state: StateDir, run_id: str, registry_ids: Iterable[str], now: float) -> bool:
    """Whether the run still renews a lease on any of the registries."""
    return any(run_id in _living(state, registry_id, now) for registry_id in registry_ids)


def abandoned(state: StateDir, now: float) -> list[str]:
    """Some files of runs that are dead and began more than a day ago. Raises StateError."""
    before = f"{datetime.fromtimestamp(now, UTC) - ABANDONED_AFTER:%Y%m%dT%H%M%S}"  # as run ids begin
    old = (
        (registry_id, name)
        for registry_id in state.names("leases")
        for name in state.names(f"leases/{registry_id}")
        if name < before
    )
    return [
        f"leases/{registry_id}/{name}"
        for registry_id, name in islice(old, ABANDONED_AT_ONCE)
        if _is_dead(state.read(f"leases/{registry_id}/{name}"), now)
    ]


def _is_dead(text: bytes | None, now: float) -> bool:
    try:
        return now - msgspec.json.decode(text or b"", type=_Lease).renewed_at >= DEAD_AFTER
    except msgspec.DecodeError:
        return True
