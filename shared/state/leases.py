"""Leases: one run works on a registry at a time.

A run that holds a registry has its claim there, ``leases/<registry id>/<run id>.<attempt>``, which stays as
it is, and beside it a renewal, ``<claim>.<number>``, which gives way to the next one every few seconds. Files
of a mounted bucket are written once, so the number is in the name; a listing shows everything.

A run claims by looking, writing and looking again, so that of two runs that claim at once each sees the
other, and neither goes on; each withdraws its claim and tries again. Where it meets another's claim it
watches: a renewal shows that the other run lives; when ``DEAD_AFTER`` seconds bring none, the other run is
dead, and its claim is deleted.

Nobody compares clocks: every run measures with its own, which is monotonic and goes on while the process is
frozen. A renewal counts from before its writing began, and only if it was written within ``LOST_AFTER``
seconds of what the one before counts from. So a run whose claim is deleted has lost its leases by its own
clock before, unless its clock stood still with it; then the next look shows it. A lost lease stays lost.
"""

from __future__ import annotations

import functools
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import msgspec

from shared.cloud import log
from shared.cloud.parallel import for_each
from shared.errors import LeaseLost, OutOfTime, StateError
from shared.state.directory import StateDir

RENEW_EVERY, LOST_AFTER, DEAD_AFTER, LOOK_EVERY = 3.0, 10.0, 15.0, 1.0
RENEWED_AT_ONCE = 8


def monotonic() -> Callable[[], float]:
    """The clock that goes on even while the machine sleeps, where there is one."""
    try:
        time.clock_gettime(time.CLOCK_BOOTTIME)
    except (AttributeError, OSError):
        return time.monotonic
    return functools.partial(time.clock_gettime, time.CLOCK_BOOTTIME)


class _Held(msgspec.Struct):
    claim: str
    renewed_at: float
    number: int = 0


class _Watched(msgspec.Struct, frozen=True):
    renewals: frozenset[str]
    since: float


class Leases:
    """The leases of one run.

    ``superseded`` are the dead runs that this one has taken registries over from.
    """

    def __init__(self, state: StateDir, run_id: str, clock: Callable[[], float] | None = None) -> None:
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
        self._state.make(_folder(registry_id))
        watched: dict[str, _Watched] = {}
        for attempt in itertools.count():
            looked_at = self._clock()
            others = _others(self._state, registry_id, self._run_id)
            if not others and self._take(registry_id, attempt):
                return None
            if alive := self._watch(registry_id, others, watched, looked_at):
                return alive
            try:
                pause(random.uniform(0.2, 1) * LOOK_EVERY)
            except OutOfTime:
                if not others:
                    raise
                return _run_of(next(iter(others)))
        raise AssertionError  # the attempts never end

    def renew(self, registry_id: str) -> None:
        """Renews the lease, unless it is lost. Raises StateError."""
        held, began = self._held[registry_id], self._clock()
        claims = _claims(self._state, registry_id)
        rivals = [claim for claim, renewals in claims.items() if claim != held.claim and renewals]
        if held.claim not in claims or rivals:
            self._lose(f"the lease on the registry {registry_id} was deleted, or taken by another run")
            return
        name = f"{_folder(registry_id)}/{held.claim}"
        self._state.write(f"{name}.{held.number + 1}", [])
        self._state.delete(f"{name}.{held.number}")
        with self._lock:
            held.number += 1
            if self._clock() - held.renewed_at <= LOST_AFTER:
                held.renewed_at = began
                return
        self._lose(_LATE)

    def check(self) -> None:
        """Raises LeaseLost, from then on for ever, when another run has one of the leases or may have it."""
        if lost := self.lost():
            raise LeaseLost(f"STATE_DIR: {lost}; this run stops deleting.")

    def lost(self) -> str:
        """Why the leases are lost, or nothing."""
        with self._lock:
            now = self._clock()
            late = any(now - held.renewed_at > LOST_AFTER for held in self._held.values())
        if late:
            self._lose(_LATE)
        return self._lost

    def release(self) -> None:
        self._over.set()
        if self._thread:
            self._thread.join()
        for registry_id, held in self._held.items():
            self._withdraw(registry_id, held.claim, [f"{held.claim}.{held.number}"])
        self._held.clear()

    def _watch(
        self,
        registry_id: str,
        others: dict[str, frozenset[str]],
        watched: dict[str, _Watched],
        looked_at: float,
    ) -> str | None:
        """Compares the others' claims, looked for at ``looked_at``, with those ``watched``, and deletes those
        of the dead.

        Returns the run that lives.
        """
        for gone in watched.keys() - others.keys():
            del watched[gone]
        for claim, renewals in others.items():
            if claim not in watched:
                watched[claim] = _Watched(renewals, self._clock())
                log.info(
                    f"The lease of the run {_run_of(claim)} on the registry {registry_id} is watched for up"
                    f" to {DEAD_AFTER:.0f} s."
                )
            elif renewals != watched[claim].renewals:
                return _run_of(claim)
            elif looked_at - watched[claim].since >= DEAD_AFTER:
                self._withdraw(registry_id, claim, renewals)
                if renewals:  # without, it may never have held the registry, and may claim it once more
                    self.superseded.add(_run_of(claim))
        return None

    def _take(self, registry_id: str, attempt: int) -> bool:
        """Claims the registry, and says whether this run is the only one that does."""
        claim, began = f"{self._run_id}.{attempt}", self._clock()
        self._state.write(f"{_folder(registry_id)}/{claim}", [])
        alone = False
        try:
            alone = list(_claims(self._state, registry_id)) == [claim]
        finally:
            if not alone:
                self._withdraw(registry_id, claim, ())
        if not alone:
            return False
        with self._lock:
            self._held[registry_id] = _Held(claim, began)
        return True

    def _keep(self) -> None:
        while not self._over.wait(RENEW_EVERY) and not self.lost():
            for_each(list(self._held), self._try_to_renew, RENEWED_AT_ONCE)

    def _try_to_renew(self, registry_id: str) -> None:
        with suppress(StateError):  # `check` stops the run when this goes on
            self.renew(registry_id)

    def _lose(self, why: str) -> None:
        self._lost = self._lost or why

    def _withdraw(self, registry_id: str, claim: str, renewals: Iterable[str]) -> None:
        for name in (claim, *renewals):  # the claim first, for renewals without one say nothing
            self._state.delete(f"{_folder(registry_id)}/{name}")


_LATE = f"the lease could not be renewed for {LOST_AFTER:.0f} s, so another run may have begun"


def _folder(registry_id: str) -> str:
    return f"leases/{registry_id}"


def _run_of(name: str) -> str:
    return name.partition(".")[0]


def _claims(state: StateDir, registry_id: str) -> dict[str, frozenset[str]]:
    """The claims on the registry, each with its renewals."""
    names = state.names(_folder(registry_id))
    claims = [name for name in names if name.count(".") == 1]
    return {claim: frozenset(name for name in names if name.startswith(f"{claim}.")) for claim in claims}


def _others(state: StateDir, registry_id: str, run_id: str) -> dict[str, frozenset[str]]:
    claims = _claims(state, registry_id)
    return {claim: renewals for claim, renewals in claims.items() if _run_of(claim) != run_id}


def left_behind(state: StateDir, ended: Callable[[str], bool]) -> Iterator[str]:
    """The files of runs that have ``ended``, as their journals tell. Raises StateError."""
    of_run = functools.cache(ended)
    for registry_id in state.names("leases"):
        for name in state.names(_folder(registry_id)):
            if of_run(_run_of(name)):
                yield f"{_folder(registry_id)}/{name}"
