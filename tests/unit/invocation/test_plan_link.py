"""The link to a plan's page."""

from __future__ import annotations

from shared.invocation.plan_link import plan_link
from shared.settings.settings import Settings

PLAN_ID = f"20261126T030000000000Z-{'0' * 32}"
HOOK = Settings(webhook_url="https://functions.example/hook")


def test_a_link_needs_a_key_an_address_and_a_plan() -> None:
    assert plan_link(b"", HOOK, PLAN_ID) == ""
    assert plan_link(b"key", Settings(), PLAN_ID) == ""
    assert plan_link(b"key", HOOK, None) == ""
    assert plan_link(b"key", HOOK, PLAN_ID).startswith(
        f"https://functions.example/hook?plan={PLAN_ID}&token="
    )
