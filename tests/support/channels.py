"""What the tests of channels and of messages share."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from shared.report.contract import Report

TOKEN = "1234567:AAH-very_secret-part"
HOOK = "/services/T00000000/B00000000/slack-secret-part"
KEY = "whsec_" + base64.b64encode(b"a key of Standard Webhooks").decode()


def report(**changes: Any) -> Report:
    """A report of nothing, but for the changes, which are as in JSON."""
    document = {
        "run_id": "20261124T030000000000Z-0a1b2c3d",
        "plan_id": None,
        "mode": "apply",
        "status": "ok",
        "started_at": "2026-11-24T03:00:00Z",
        "finished_at": "2026-11-24T03:00:09Z",
        "totals": {},
        "policies": [],
        "images": [],
        "images_truncated": False,
        "warnings": [],
        "errors": [],
        **changes,
    }
    return msgspec.convert(document, Report)
