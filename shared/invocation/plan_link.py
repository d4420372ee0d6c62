"""Where the page of a plan is, for whoever may see it."""

from __future__ import annotations

from shared.auth import plan_links
from shared.retention.moments import duration
from shared.settings.settings import Settings
from shared.state import plans


def plan_link(key: bytes, settings: Settings, plan_id: str | None) -> str:
    """The address of the plan's page, if there can be one."""
    if not key or not settings.webhook_url or not plan_id:
        return ""
    ends_at = plans.ends_at(plan_id, duration(settings.plans.valid_for))
    return plan_links.link(settings.webhook_url, key, plan_id, ends_at)
