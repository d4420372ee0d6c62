"""The scheduled job: dry runs of the lifecycle policies, deletion of what the applied ones take, a report.

Entry point ``cleanup.handler``. It deletes in mode ``apply`` only; in the default mode ``dry-run`` it does
what `dry_run` does. `shared.cleanup.job` has the steps in order.
"""

from __future__ import annotations

from typing import Any

from shared.invocation.answer import answer


def handler(event: object, context: object) -> dict[str, Any]:
    """The report of a clean-up, for a timer, a Container Registry trigger, an HTTP call or a bare JSON
    object.
    """
    return answer(event, context, deletes=True)
