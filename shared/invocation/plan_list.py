"""``registry-janitor plans``: the plans that wait for a decision."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from shared.auth import yc
from shared.invocation.plan_link import plan_link
from shared.invocation.task import Invocation
from shared.report import terminal
from shared.report.contract import Report
from shared.report.summary import size
from shared.retention.moments import duration, timestamp
from shared.state import plans
from shared.state.store import Store


class OpenPlan(msgspec.Struct, frozen=True):
    """``images`` would be deleted, by which ``bytes`` become free; ``link`` is "" where there is no page."""

    plan_id: str
    open_until: str
    images: int
    bytes: int
    link: str


def show(options: Namespace, environment: Mapping[str, str]) -> int:
    """Prints a plan each, with the link to its page. Raises JanitorError."""
    invocation = Invocation(environment, yc.SignedIn())
    settings = invocation.settings
    state = plans.kept_in(invocation.store(settings))
    valid = duration(settings.plans.valid_for)
    found = [
        _described(state, plan_id, plans.ends_at(plan_id, valid), invocation)
        for plan_id in plans.open_plans(state, datetime.now(UTC), valid)
    ]
    if options.json:
        terminal.print_json(found)
        return 0
    for plan in found:
        print(
            f"{plan.plan_id}: deletes {plan.images} images, {size(plan.bytes)}; open until {plan.open_until}"
        )
        if plan.link:
            print(f"      {plan.link}")
    if found:
        print(f"To carry one out: {terminal.PROGRAM} apply PLAN_ID")
    else:
        print(f"No plan is open in {state.where}.")
    return 0


def _described(state: Store, plan_id: str, ends_at: datetime, invocation: Invocation) -> OpenPlan:
    report = plans.report(plan_id, plans.text(state, plan_id), Report)
    return OpenPlan(
        plan_id,
        timestamp(ends_at),
        sum(row.outcome == "would-delete" for row in report.images),
        report.totals.reclaimed_bytes,
        plan_link(invocation.access.webhook_key, invocation.settings, plan_id),
    )
