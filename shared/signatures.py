"""Signatures of Standard Webhooks (standardwebhooks.com, version 1 of its specification).

A call carries ``webhook-id``, ``webhook-timestamp`` (seconds since 1970) and ``webhook-signature``: words such as
``v1,<Base64>``, of which one must be the HMAC-SHA256 of ``<id>.<timestamp>.<body>`` by the secret that both sides have.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping

import msgspec

from shared.errors import RequestRefused

TOLERANCE = 300.0
MOST_SIGNATURES = 16
ID = re.compile(r"[!-~]{1,256}")
TIMESTAMP = re.compile(r"[0-9]{1,11}", re.ASCII)


class Signed(msgspec.Struct, frozen=True):
    """What tells a signed call from all others; ``timestamp`` is in seconds since 1970."""

    message_id: str
    timestamp: int


def sign(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """The word of ``webhook-signature`` for a call."""
    code = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(code).decode()}"


def check(key: bytes, headers: Mapping[str, str], body: bytes, now: float) -> Signed:
    """Checks a call; ``headers`` are by their names in lower case. Raises RequestRefused, with 401."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    signatures = headers.get("webhook-signature", "").split(" ")
    if not ID.fullmatch(message_id) or not TIMESTAMP.fullmatch(timestamp) or signatures == [""]:
        raise _refused("sign the call: it needs webhook-id, webhook-timestamp and webhook-signature")
    expected = sign(key, message_id, timestamp, body).encode()
    matches = [
        hmac.compare_digest(expected, one.encode(errors="replace")) for one in signatures[:MOST_SIGNATURES]
    ]
    if not any(matches):
        raise _refused(
            "no signature matches the body; sign the very bytes that are sent, with WEBHOOK_SECRET"
        )
    if abs(now - int(timestamp)) > TOLERANCE:
        raise _refused("it was signed more than five minutes ago or ahead; check the clock of the sender")
    return Signed(message_id, int(timestamp))


def _refused(why: str) -> RequestRefused:
    return RequestRefused(401, f"The call is not accepted: {why}.", {"WWW-Authenticate": "Standard-Webhooks"})
