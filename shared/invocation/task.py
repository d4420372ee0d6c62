"""What a call is to do. Its kind decides the mode, who hears of it, and whether it goes into the history."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Literal

import msgspec

from shared.auth.environment import Access, read_access
from shared.cleanup import job
from shared.cleanup.run import Run
from shared.cloud.client import Cloud
from shared.cloud.parallel import Progress
from shared.errors import SettingsError
from shared.invocation.events import Request
from shared.retention.records import RepositoryName
from shared.settings.settings import Settings, load
from shared.state.store import Store
from shared.state.stores import store_of

Work = Callable[[Run, Cloud], None]

RESERVE, KEEPING = 2.0, 1.2


class Invocation(msgspec.Struct, frozen=True, dict=True):
    """A call with its surroundings. The settings are read when they are first needed, and only then."""

    environment: Mapping[str, str]
    context: object = None

    @cached_property
    def access(self) -> Access:
        """Raises SettingsError."""
        return read_access(self.environment)

    @property
    def settings(self) -> Settings:
        """Raises SettingsError, each time the same."""
        if isinstance(self._settings, SettingsError):
            raise self._settings
        return self._settings

    @cached_property
    def _settings(self) -> Settings | SettingsError:
        try:
            return load(self.environment)
        except SettingsError as error:
            return error

    @cached_property
    def ends_at(self) -> float:
        """The monotonic time at which no call may be under way any more, so that the report gets out.

        The state may be written for ``KEEPING`` seconds more.
        """
        remaining = getattr(self.context, "get_remaining_time_in_millis", None)
        if not callable(remaining):
            return float("inf")
        return time.monotonic() + float(remaining()) / 1000 - RESERVE

    def store(self, settings: Settings) -> Store | None:
        """Where the state is kept; None when nothing is. Raises JanitorError."""
        where = (settings.state_bucket, settings.state_dir)
        if where not in self._stores:
            ends_at = self.ends_at + KEEPING
            self._stores[where] = store_of(settings, self.access, self.context, ends_at)
        return self._stores[where]

    @cached_property
    def _stores(self) -> dict[tuple[str | None, str | None], Store | None]:
        return {}


class Kind(msgspec.Struct, frozen=True):
    """What all tasks of a kind have in common.

    ``mode`` stands instead of the settings' and the event's. ``announced``: people and Yandex Monitoring hear
    of the run where the settings say so. ``kept``: the run has a journal. ``remembered``: it goes into the
    history. ``each_push``: a push counts even if there was another to the same repository a moment ago.
    ``has_plan``: the run carries out a plan.
    """

    mode: Literal["dry-run", "plan", "apply"] | None = None
    announced: bool = True
    kept: bool = True
    remembered: bool = True
    each_push: bool = False
    has_plan: bool = False


CLEANUP = Kind()
DRY_RUN = Kind("dry-run")
PLAN = Kind("plan")
APPLY = Kind(has_plan=True)
UNSIGNED_PUSH = Kind("dry-run", announced=False, remembered=False, each_push=True)
DRY_RUN_BY_HAND = Kind("dry-run", announced=False)
APPLY_BY_HAND = Kind("apply", has_plan=True)
LOOK_BY_HAND = Kind("dry-run", announced=False, kept=False, remembered=False)


def _nothing(run: Run, cloud: Cloud) -> None:
    """What happens before the work of a run that nobody watches."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to do; the functions below make the tasks that there are.

    ``plan_id`` names the plan that the run carries out. ``look`` stands instead of the clean-up.
    ``all_rows``: the report lists every image. ``begin`` is called before the work, ``progress`` during it.
    """

    kind: Kind
    invocation: Invocation
    event: object = None
    plan_id: str | None = None
    look: Work | None = None
    all_rows: bool = False
    begin: Work = _nothing
    progress: Progress = job.untold

    def __post_init__(self) -> None:
        if self.kind.has_plan != (self.plan_id is not None) or (self.kind.has_plan and self.look):
            raise ValueError(
                "A task that carries out a plan names it and does nothing else; no other names one."
            )

    def work(self, run: Run, cloud: Cloud) -> None:
        """Does the work; what becomes of a plan's images is always accounted for. Raises JanitorError."""
        self.begin(run, cloud)
        if self.kind.has_plan:
            job.carry_out_plan(run, cloud, self.progress)
        elif self.look:
            self.look(run, cloud)
        else:
            job.clean_up(run, cloud, self.progress)


def scheduled(invocation: Invocation, event: object) -> Task:
    """A clean-up in the mode of the settings, for a timer, a push or a call."""
    return Task(kind=CLEANUP, invocation=invocation, event=event)


def dry_run(invocation: Invocation, event: object) -> Task:
    return Task(kind=DRY_RUN, invocation=invocation, event=event)


def plan(invocation: Invocation, event: object) -> Task:
    return Task(kind=PLAN, invocation=invocation, event=event)


def apply(invocation: Invocation, plan_id: str, event: object = None, *, all_rows: bool = False) -> Task:
    """Carries out a plan."""
    return Task(kind=APPLY, invocation=invocation, event=event, plan_id=plan_id, all_rows=all_rows)


def unsigned_push(invocation: Invocation, only: frozenset[RepositoryName], look: Work) -> Task:
    """A dry run of the repositories, for an event that anybody can have sent."""
    return Task(kind=UNSIGNED_PUSH, invocation=invocation, event=Request(only=only), look=look)


def by_hand(
    kind: Kind,
    invocation: Invocation,
    *,
    plan_id: str | None = None,
    look: Work | None = None,
    begin: Work = _nothing,
    progress: Progress = job.untold,
) -> Task:
    """What somebody does on the command line; the report lists every image."""
    return Task(
        kind=kind,
        invocation=invocation,
        plan_id=plan_id,
        look=look,
        all_rows=True,
        begin=begin,
        progress=progress,
    )
