"""What a run has to do with plans: it carries one out, or it makes one and keeps it."""

from __future__ import annotations

from typing import Any

from shared.auth import plan_links
from shared.cleanup.run import Run
from shared.errors import StateError
from shared.report import report
from shared.retention import plan
from shared.retention.moments import duration
from shared.settings.settings import Settings
from shared.state import plans
from shared.state.plans import directory


def keep(run: Run, told: dict[str, Any]) -> str | None:
    """Keeps what the run, whose report is ``told``, would delete, and returns the plan's id; None without such images."""
    if run.settings.mode != "plan" or told["status"] in ("unfinished", "failed"):
        return None
    takers = {
        survey.repository.full_name: plan.takers(survey.results, survey.rules)
        for survey in run.surveys
        if survey.going_count
    }
    if not takers:
        return None
    head, rows = plans.head(takers, told), lambda: report.plan_rows(run)
    try:
        valid = duration(run.settings.plans.valid_for)
        return plans.save(directory(run.settings), head, rows, run.started_at, valid)
    except StateError as error:
        run.refuse("plan-not-kept", f"The plan could not be kept. {error}")
        told["status"] = "refused"
        return None


def link(key: bytes, settings: Settings, plan_id: str | None) -> str:
    """The address of the plan's page, if there can be one."""
    if not key or not settings.webhook_url or not plan_id:
        return ""
    ends_at = plans.ends_at(plan_id, duration(settings.plans.valid_for))
    return plan_links.link(settings.webhook_url, key, plan_id, ends_at)
