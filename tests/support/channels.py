"""What `test_notifications` and `unit.report.test_notify` share."""

from __future__ import annotations

import base64
from typing import Any

TOKEN = "1234567:AAH-very_secret-part"
HOOK = "/services/T00000000/B00000000/slack-secret-part"
KEY = "whsec_" + base64.b64encode(b"a key of Standard Webhooks").decode()


def report(**changes: Any) -> dict[str, Any]:
    counts = ("images", "candidates", "protected", "deleted", "already_gone", "failed", "remaining")
    totals = dict.fromkeys((*counts, "candidate_bytes", "reclaimed_bytes"), 0)
    return {
        "run_id": "20261124T030000000000Z-0a1b2c3d",
        "plan_id": None,
        "mode": "apply",
        "status": "ok",
        "totals": totals | changes.pop("totals", {}),
        "images": [],
        "images_truncated": False,
        "warnings": [],
        "errors": [],
        **changes,
    }
