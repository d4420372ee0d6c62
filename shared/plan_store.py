"""The plans in ``STATE_DIR``, and what was decided about them.

``plans/<plan id>.json``       a plan, written once (`shared.plan` tells its form)
``plans/<plan id>.decision``   whether it was carried out or rejected; whoever writes this file first has decided
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import msgspec

from shared import plan
from shared.errors import PlanRefused
from shared.plan import Plan
from shared.report import timestamp
from shared.state import StateDir

FOLDER = "plans"
CARRIED_OUT, REJECTED = "carried out", "rejected"


class Decision(msgspec.Struct, frozen=True):
    """``what`` is ``carried out`` or ``rejected``, ``at`` an RFC 3339 time, ``by`` a run's id."""

    what: str = CARRIED_OUT
    at: str = ""
    by: str = ""

    def __str__(self) -> str:
        return f"was {self.what}{f' at {self.at}' if self.at else ''}{f' by the run {self.by}' if self.by else ''}"


def save(
    state: StateDir,
    head: Mapping[str, Any],
    rows: Callable[[], Iterable[dict[str, Any]]],
    now: datetime,
    valid: timedelta,
) -> str:
    """Keeps a plan and returns its id: that of an open plan that says the same, if there is one. Raises StateError.

    ``rows`` is asked twice, so that they need not be held.
    """
    plan_id = plan.identify(now, plan.rest(head, rows()))
    state.make(FOLDER)
    names = state.names(FOLDER)
    for name in reversed(names):
        same = name.removesuffix(".json")
        if (
            same[-32:] == plan_id[-32:]
            and f"{same}.decision" not in names
            and _is_open(state, same, now, valid)
        ):
            return same
    state.write(f"{FOLDER}/{plan_id}.json", chain([plan.beginning(now)], plan.rest(head, rows())))
    return plan_id


def _is_open(state: StateDir, plan_id: str, now: datetime, valid: timedelta) -> bool:
    try:
        check_open(state, plan_id, now, valid)
        text(state, plan_id)
    except PlanRefused:
        return False
    return True


def text(state: StateDir, plan_id: str) -> bytes:
    """The plan's file as it was written. Raises PlanRefused, StateError."""
    try:
        plan.made_at(plan_id)
    except ValueError:
        raise PlanRefused(
            "That is no plan's id; give one as a report in mode plan has it.", http_status=404
        ) from None
    found = state.read(f"{FOLDER}/{plan_id}.json")
    if found is None:
        raise PlanRefused(f"There is no plan {plan_id} in STATE_DIR; make one in mode plan.", http_status=404)
    if not plan.is_unchanged(plan_id, found):
        raise PlanRefused(
            f"The file of the plan {plan_id} has been changed since it was written, so it is not used; make a new plan."
        )
    return found


def load(state: StateDir, plan_id: str, now: datetime, valid: timedelta) -> Plan:
    """The plan, if it may be carried out now. Raises PlanRefused, StateError."""
    found = text(state, plan_id)
    check_open(state, plan_id, now, valid)
    return plan.read(plan_id, found)


def check_open(state: StateDir, plan_id: str, now: datetime, valid: timedelta) -> None:
    """Raises PlanRefused for a plan that was decided about, or is too old; StateError."""
    check_undecided(state, plan_id)
    if now >= ends_at(plan_id, valid):
        raise PlanRefused(
            f"The plan {plan_id} ran out at {timestamp(ends_at(plan_id, valid))} (plans.valid_for); make a new plan.",
            http_status=410,
        )


def check_undecided(state: StateDir, plan_id: str) -> None:
    """Raises PlanRefused, StateError."""
    decided = decision(state, plan_id)
    if decided:
        raise PlanRefused(f"The plan {plan_id} {decided}; a plan runs once. Make a new plan.")


def ends_at(plan_id: str, valid: timedelta) -> datetime:
    return plan.made_at(plan_id) + valid


def decision(state: StateDir, plan_id: str) -> Decision | None:
    """What was decided about the plan, if anything. Raises StateError."""
    found = state.read(f"{FOLDER}/{plan_id}.decision")
    if found is None:
        return None
    try:
        return msgspec.json.decode(found, type=Decision)
    except msgspec.DecodeError:  # whoever wrote it was cut off: it may have begun to delete
        return Decision()


def decide(state: StateDir, plan_id: str, decided: Decision) -> None:
    """Settles what becomes of the plan, unless that is settled. Raises PlanRefused, StateError."""
    if not state.claim(f"{FOLDER}/{plan_id}.decision", msgspec.json.encode(decided)):
        check_undecided(state, plan_id)
        raise PlanRefused(f"The plan {plan_id} is just being decided about by another run; look again later.")
