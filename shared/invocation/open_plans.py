"""The plans that wait for a decision, as a page for whoever has the signed link to it, and by hand.

The link is good for a day, and shows every plan: whoever has it may approve any of them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from shared.auth import plan_links
from shared.errors import PlanRefused
from shared.invocation import plan_pages
from shared.invocation.http_call import Call
from shared.invocation.plan_link import plan_link
from shared.invocation.task import Invocation
from shared.report.contract import Report
from shared.report.legend import Legend
from shared.report.sentence import sentence
from shared.retention.moments import duration, timestamp
from shared.settings.settings import Settings
from shared.state import plans
from shared.state.store import Store

MOST = 20
GOOD_FOR = timedelta(days=1)


class OpenPlan(msgspec.Struct, frozen=True):
    """``valid_until`` is RFC 3339, ``says`` a sentence, ``link`` leads to its page, or is ""."""

    plan_id: str
    valid_until: str
    says: str
    link: str


def open_plans(state: Store, settings: Settings, key: bytes, now: datetime) -> list[OpenPlan]:
    """The newest open plans. Raises StateError."""
    valid, found = duration(settings.plans.valid_for), []
    for plan_id in plans.open_ids(state, now, valid)[:MOST]:
        try:
            file = plans.text(state, plan_id)
        except PlanRefused:  # its file was changed: it is of no use
            continue
        says = sentence(plans.report(plan_id, file, Report), plans.legend(file, Legend))
        until = timestamp(plans.ends_at(plan_id, valid))
        found.append(OpenPlan(plan_id, until, says, plan_link(key, settings, plan_id)))
    return found


def list_link(key: bytes, settings: Settings, now: datetime) -> str:
    """The address of the page, "" if there can be none."""
    if not key or not settings.webhook_url:
        return ""
    return plan_links.list_link(settings.webhook_url, key, now + GOOD_FOR)


def serve(call: Call, invocation: Invocation, key: bytes) -> dict[str, Any]:
    """The page. Raises RequestRefused, PlanRefused, StateError."""
    now = datetime.now(UTC)
    plan_links.check(key, call.query["token"], "", "list", now)
    settings = invocation.settings
    state = plans.kept_in(invocation.store(settings))
    return plan_pages.listed(open_plans(state, settings, key, now))
