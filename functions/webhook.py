"""The way in from outside: signed calls, the pages of plans with their approval, and unsigned events.

Entry point ``webhook.handler``. It deletes what an approved plan names, and what a signed ``cleanup`` does in
mode ``apply``; docs/plans.md describes the calls.
"""

from __future__ import annotations

from typing import Any

from shared.invocation.webhook import answer


def handler(event: object, context: object) -> dict[str, Any]:
    """The response to an HTTP call; to an event, which anybody can send, one that says nothing of what was
    found.
    """
    return answer(event, context)
