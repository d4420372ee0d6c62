"""What a clean-up would do now. Deletes nothing, whatever the mode says.

Entry point ``dry_run.handler``; events are described in docs/settings.md, the report in docs/commands.md.
"""

from __future__ import annotations

from typing import Any

from shared.invocation.answer import answer


def handler(event: object, context: object) -> dict[str, Any]:
    """The report of a dry run, for a timer, a Container Registry trigger, an HTTP call or a bare JSON
    object.
    """
    return answer(event, context, deletes=False)
