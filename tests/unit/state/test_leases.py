"""However the steps of several runs fall, however long they are frozen: never two that may delete in one
registry.

The real leases run in greenlets, by a clock that a schedule moves on, on a store in memory. Each step on the
store takes a while, so that the steps of other runs fall before it and after it. A write may have no answer,
and may be carried out long after that.
"""

from __future__ import annotations

import copy
import heapq
import itertools
import random
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import LeaseLost, OutOfTime, StateError
from shared.state.leases import RENEW_EVERY, Leases
from shared.state.store import Stored

REGISTRY = "crp1"
LAST_PAUSE = 100.0
FOREVER = float("inf")


@dataclass(frozen=True)
class Course:
    """How a run goes: when it begins, how long it works, how its clock goes, and what happens at which of its
    steps.

    ``frozen`` says for how long the whole run stands still, ``slow`` how much longer a step takes,
    ``failing`` which steps fail. The writes ``unheard`` fail too, but are carried out, so many seconds later.
    """

    begins_at: float = 0.0
    works: float = 30.0
    rate: float = 1.0
    set_to: float = 0.0
    frozen: dict[int, float] = field(default_factory=dict)
    slow: dict[int, float] = field(default_factory=dict)
    failing: range = range(0)
    unheard: dict[int, float] = field(default_factory=dict)


class Schedule:
    """Lets what sleeps go on in the order of its times, and looks after each step."""

    def __init__(self, at_random: random.Random, look: Callable[[], None]) -> None:
        self.now, self.at_random = 0.0, at_random
        self._look = look
        self._numbers = itertools.count()
        self._due: list[tuple[float, int, greenlet, Run | Server]] = []
        self._hub = getcurrent()

    def spawn(self, run: Run | Server, work: Callable[[], None], at: float) -> None:
        self._push(at, greenlet(work, self._hub), run)

    def sleep(self, run: Run, seconds: float) -> None:
        self._push(self.now + seconds, getcurrent(), run)
        self._hub.switch()

    def play(self) -> None:
        while self._due:
            at, _, actor, run = heapq.heappop(self._due)
            if run.awake_at > at:
                self._push(run.awake_at, actor, run)
                continue
            self.now = at
            actor.switch()
            self._look()

    def _push(self, at: float, actor: greenlet, run: Run | Server) -> None:
        if at < FOREVER:
            heapq.heappush(self._due, (at, next(self._numbers), actor, run))


class Memory:
    """One run's way to the objects that all runs share."""

    where = "STATE_DIR (memory)"

    def __init__(self, run: Run, schedule: Schedule, objects: dict[str, Stored]) -> None:
        self._run, self._schedule, self._objects = run, schedule, objects
        self._steps = 0

    def read(self, name: str) -> Stored | None:
        self._step()
        stored = self._objects.get(name)
        self._rest()
        return stored

    def create(self, name: str, chunks: Iterable[bytes]) -> str | None:
        return self._put(name, b"".join(chunks), None)

    def replace(self, name: str, chunks: Iterable[bytes], version: str) -> str | None:
        return self._put(name, b"".join(chunks), version)

    def names(self, prefix: str) -> list[str]:
        raise AssertionError("no lease is listed")

    def delete(self, name: str) -> None:
        raise AssertionError("no lease is deleted")

    def _put(self, name: str, text: bytes, version: str | None) -> str | None:
        self._step()

        def carry_out() -> str | None:
            stored = self._objects.get(name)
            if (stored.version if stored else None) != version:
                return None
            self._objects[name] = Stored(text, text.decode())
            return text.decode()

        late = self._run.course.unheard.get(self._steps)
        if late is not None:
            self._schedule.spawn(Server(), lambda: void(carry_out()), self._schedule.now + late)
            raise StateError(f"{self.where}: no answer.")
        new = carry_out()
        self._rest()
        return new

    def _step(self) -> None:
        self._steps += 1
        course = self._run.course
        self._run.awake_at = self._schedule.now + course.frozen.get(self._steps, 0.0)
        self._rest(course.slow.get(self._steps, 0.0))
        if self._steps in course.failing:
            raise StateError(f"{self.where}: it fails.")

    def _rest(self, more: float = 0.0) -> None:
        if threading.current_thread() is threading.main_thread():  # leases are released in threads
            self._schedule.sleep(self._run, self._schedule.at_random.choice((0.001, 0.01, 0.1)) + more)


class Server:
    """What carries a write out after nobody waits for it any more; no run's sleep stops it."""

    awake_at = 0.0


def void(_: object) -> None: ...


class Run:
    """A run that claims the registry, works there if it gets it, renews meanwhile, and releases it."""

    def __init__(self, name: str, course: Course, schedule: Schedule, objects: dict[str, Stored]) -> None:
        self.name, self.course, self._schedule = name, course, schedule
        self.awake_at, self.works, self.renews, self.has_worked = 0.0, False, False, False
        self.leases = Leases(Memory(self, schedule, objects), name, self._clock)
        schedule.spawn(self, self._live, course.begins_at)

    def may_delete(self) -> bool:
        """Whether it would delete now.

        It is asked of a copy, for a run that is asked knows its loss from then on.
        """
        if not self.works or self.awake_at > self._schedule.now:
            return False
        try:
            copy.copy(self.leases).check()
        except LeaseLost:
            return False
        return True

    def _live(self) -> None:
        try:
            if self.leases.claim(REGISTRY, self._pause) is not None:
                return
        except (StateError, OutOfTime):
            return
        self.works = self.has_worked = True
        self._schedule.spawn(self, self._renew, self._schedule.now)
        self._schedule.sleep(self, self.course.works)
        self.works = False
        while self.renews:
            self._schedule.sleep(self, 0.1)
        self.leases.release()

    def _renew(self) -> None:
        while not self.leases.lost():
            self._schedule.sleep(self, RENEW_EVERY)
            if not self.works:
                break
            self.renews = True
            with suppress(StateError):
                self.leases.renew(REGISTRY)
            self.renews = False

    def _pause(self, seconds: float) -> None:
        if self._schedule.now > LAST_PAUSE:
            raise OutOfTime("The time is over.")
        self._schedule.sleep(self, seconds)

    def _clock(self) -> float:
        return self.course.set_to + self.course.rate * self._schedule.now


def played(courses: list[Course], seed: int = 0) -> list[Run]:
    """The runs ``a``, ``b``, ``c``, once all have ended; none of them ever met another."""
    runs: list[Run] = []

    def look() -> None:
        deleting = {run.name for run in runs if run.may_delete()}
        assert len(deleting) <= 1, f"at {schedule.now:.2f} s"
        assert not deleting & {name for run in runs for name in run.leases.superseded}

    schedule = Schedule(random.Random(seed), look)
    objects: dict[str, Stored] = {}
    runs += [Run(name, course, schedule, objects) for name, course in zip("abc", courses, strict=False)]
    schedule.play()
    return runs


lengths = st.sampled_from([0.5, 2.0, 5.0, 9.0, 11.0, 14.0, 16.0, 30.0])
steps = st.one_of(st.integers(1, 16), st.integers(1, 60))
courses = st.builds(
    Course,
    begins_at=st.one_of(st.floats(0, 0.2), st.floats(0, 40)),
    works=st.floats(0, 60),
    rate=st.floats(0.95, 1.05),
    set_to=st.sampled_from([0.0, 1e6, -40.0]),
    frozen=st.dictionaries(steps, st.one_of(lengths, st.just(FOREVER)), max_size=4),
    slow=st.dictionaries(steps, lengths, max_size=4),
    failing=st.builds(lambda first, count: range(first, first + count), steps, st.integers(0, 6)),
    unheard=st.dictionaries(steps, st.floats(0, 20), max_size=4),
)


@settings(max_examples=400)
@given(courses=st.lists(courses, min_size=2, max_size=3), seed=st.integers(0, 2**32))
def test_never_do_two_runs_delete_in_one_registry(courses: list[Course], seed: int) -> None:
    played(courses, seed)


TRICKY = {
    "a renewal that is long in ending, and the last": lambda more: Course(
        works=60, slow={6: 5.0 + 2 * more, 7: 60.0}
    ),
    "a renewal that is written late, after others that failed": lambda more: Course(
        works=60, failing=range(7, 9), slow={10: 6.0 + 4 * more}
    ),
    "a run that stands still between looking and renewing": lambda more: Course(
        works=60, frozen={8: 9.0 + 12 * more}
    ),
    "a run that stands still as it claims": lambda more: Course(works=60, frozen={3: 10.0 + 10 * more}),
    "a claim that is seen late not to be the only one": lambda more: Course(
        works=60, slow={3: 20.0 + 10 * more}
    ),
    "a claim that is withdrawn late": lambda more: Course(works=60, slow={4: 13.0 + 2 * more}),
}


@pytest.mark.parametrize("course", TRICKY.values(), ids=list(TRICKY))
def test_a_run_that_is_slow_at_a_bad_moment_never_meets_another(course: Callable[[float], Course]) -> None:
    for seed in range(300):
        at_random = random.Random(seed)
        others = [
            Course(begins_at=at_random.choice((0, at_random.uniform(0, 12))), works=at_random.choice((0, 40)))
            for _ in "bc"
        ]
        played([course(at_random.random()), *others], seed)


def test_a_registry_is_taken_over_from_a_run_that_stands_still() -> None:
    for seed in range(20):
        first, second = played([Course(frozen={6: 30.0}), Course(begins_at=12)], seed)

        assert (first.has_worked, second.has_worked) == (True, True)
        assert second.leases.superseded == {"a"}
        assert first.leases.lost()


def test_a_registry_is_left_to_a_run_that_renews() -> None:
    for seed in range(20):
        first, second = played([Course(works=60), Course(begins_at=5)], seed)

        assert (first.has_worked, second.has_worked, second.leases.superseded) == (True, False, set())
        assert not first.leases.lost()


@pytest.mark.parametrize("count", [2, 3])
def test_of_runs_that_begin_at_once_one_gets_the_registry(count: int) -> None:
    for seed in range(50):
        runs = played([Course(works=60)] * count, seed)

        assert [run.has_worked for run in runs].count(True) == 1


def test_of_runs_that_find_a_dead_one_at_once_one_gets_the_registry() -> None:
    for seed in range(50):
        first, *others = played([Course(frozen={4: FOREVER}), *[Course(begins_at=8, works=60)] * 2], seed)

        assert first.has_worked
        assert [run.has_worked for run in others].count(True) == 1
