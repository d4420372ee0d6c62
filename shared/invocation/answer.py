"""What a handler returns: the report, or an HTTP response with it."""

from __future__ import annotations

import json
import os
from typing import Any

from shared.errors import JanitorError
from shared.invocation import events, task
from shared.invocation.carry_out import carry_out
from shared.invocation.task import Invocation
from shared.report.report import Report, as_json


def answer(event: object, context: object, *, deletes: bool) -> dict[str, Any]:
    """What a handler returns: the report, or for an HTTP call a response with the report as its JSON body."""
    wanted = task.scheduled if deletes else task.dry_run
    report, error = carry_out(wanted(Invocation(os.environ, context), event))
    document = as_json(report)
    if not events.is_http(event):
        return document
    return {
        "statusCode": http_status(report, error),
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(document),
    }


def http_status(report: Report, error: JanitorError | None) -> int:
    """The HTTP status with which a report is answered."""
    if error and report.status in ("failed", "refused"):
        return error.http_status
    return 500 if report.status == "failed" else 200
