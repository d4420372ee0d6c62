"""Yandex Monitoring's write call.

``POST /monitoring/v2/data/write?folderId=..&service=custom`` takes ``{"ts", "labels", "metrics": [{"name",
"labels", "type", "value"}]}``, at most 10,000 metrics, and may answer 200 with an ``errorMessage`` (Yandex
Cloud's documentation: monitoring/api-ref/MetricsData/write, monitoring/concepts/limits).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from shared.cloud.client import Cloud
from shared.cloud.pace import Pace
from shared.errors import JanitorError, OutOfTime

LABELS = {"app": "registry-janitor"}
ROLE = "monitoring.editor on the folder"
ATTEMPTS = 3
PATH = "/monitoring/v2/data/write"


class _Written(msgspec.Struct, rename="camel"):
    error_message: str = ""


def write(
    signed_in: Cloud | None, folder_id: str | None, gauges: list[dict[str, Any]], at: datetime, ends_at: float
) -> str:
    """Writes ``gauges`` with the credentials of ``signed_in``, and returns why that failed, or nothing.

    ``ends_at`` is a monotonic time.
    """
    if signed_in is None or signed_in.credentials is None:
        return "there are no credentials"
    cloud = Cloud(signed_in.endpoint, Pace(1, ends_at))
    cloud.credentials = signed_in.credentials
    try:
        written = cloud.at(cloud.endpoint, attempts=ATTEMPTS).call(
            "POST",
            "monitoring",
            PATH,
            _Written,
            params={"folderId": folder_id, "service": "custom"},
            body={"ts": at.isoformat(), "labels": LABELS, "metrics": gauges},
            role=ROLE,
        )
    except OutOfTime:
        return "no good answer in time"
    except JanitorError as error:
        return str(error)
    return written.error_message[:200]
