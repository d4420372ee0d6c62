"""What `test_events` and `unit.invocation.test_events` share."""

from __future__ import annotations

import base64

APPLY = '{"mode": "apply"}'


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
