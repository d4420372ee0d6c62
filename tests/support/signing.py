"""What `test_webhook` and `unit.auth.test_standard_webhooks` share."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from standardwebhooks.webhooks import Webhook

from tests.support.cloud import http

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
NUMBERS = itertools.count(1)
CLEANUP = '{"action": "cleanup"}'
Event = dict[str, Any]


def signed(
    body: str | bytes = CLEANUP,
    *,
    message_id: str = "",
    secret: str = SECRET,
    late: float = 0,
    encoded: bool = False,
) -> Event:
    """The event of a call that a client signs with the public package."""
    message_id = message_id or f"msg_{next(NUMBERS)}"
    raw = body if isinstance(body, bytes) else body.encode()
    at = datetime.now(UTC) - timedelta(seconds=late)
    event = http(base64.b64encode(raw).decode() if encoded else raw.decode(), base64_encoded=encoded)
    headers = {
        "Content-Type": "application/octet-stream" if encoded else "application/json",
        "Webhook-Id": message_id,
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": sign(raw, message_id, at, secret),
    }
    return event | {"headers": headers}


def sign(raw: bytes, message_id: str, at: datetime, secret: str = SECRET) -> str:
    text = raw.decode("latin-1")
    if text.isascii():
        return Webhook(secret).sign(message_id, at, text)
    signature = Webhook(secret).sign(message_id, at, "")  # the package signs text alone
    content = f"{message_id}.{int(at.timestamp())}.".encode() + raw
    return signature[:3] + base64.b64encode(hmac.digest(KEY, content, hashlib.sha256)).decode()


PLACES = {
    "nothing": {},
    "the root": {"path": "/", "url": "/"},
    "the function's id": {"path": "/d4e00000000000000000"},
    "a gateway's pattern": {"path": "/{proxy+}", "url": "/hook?tag=$latest"},
    "where WEBHOOK_URL says": {"path": "/hook/"},
}
