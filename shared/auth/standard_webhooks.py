"""Signatures of Standard Webhooks (standardwebhooks.com, version 1 of its specification).

A call carries ``webhook-id``, ``webhook-timestamp`` (seconds since 1970) and ``webhook-signature``: words
such as ``v1,<Base64>``, of which one must be the HMAC-SHA256 of ``<id>.<timestamp>.<body>`` by the secret
that both sides have.
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
HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
LOOKS = {
    r"[0-9]{12,14}": "milliseconds",
    r"[0-9]{15,17}": "microseconds",
    r"[0-9]{18,20}": "nanoseconds",
    r"[0-9]+[.,][0-9]*(?:e[+-]?[0-9]+)?": "a fraction",
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*|[A-Za-z]{3}, .*": "a date",
}


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
    missing = [name for name in HEADERS if not headers.get(name)]
    if missing:
        raise _refused(
            f"sign the call: {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        )
    message_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    signatures = headers["webhook-signature"].split(" ")
    if not ID.fullmatch(message_id):
        raise _refused("webhook-id must be 1 to 256 letters, digits and signs, without a space")
    if not TIMESTAMP.fullmatch(timestamp):
        raise _refused(
            f"webhook-timestamp must be in whole seconds since 1970, such as {now:.0f}{_looks(timestamp)}"
        )
    expected = sign(key, message_id, timestamp, body).encode()
    matches = [
        hmac.compare_digest(expected, signature.encode(errors="replace"))
        for signature in signatures[:MOST_SIGNATURES]
    ]
    if not any(matches):
        raise _refused(
            "no signature matches the body; sign the very bytes that are sent, with WEBHOOK_SECRET"
        )
    if abs(now - int(timestamp)) > TOLERANCE:
        raise _refused("it was signed more than five minutes ago or ahead; check the clock of the sender")
    return Signed(message_id, int(timestamp))


def _looks(timestamp: str) -> str:
    """What a wrong timestamp seems to be, as the rest of a sentence."""
    kinds = (kind for form, kind in LOOKS.items() if re.fullmatch(form, timestamp, re.ASCII))
    kind = next(kinds, None)
    return f"; this looks like {kind}" if kind else ""


def _refused(why: str) -> RequestRefused:
    return RequestRefused(401, f"The call is not accepted: {why}.", {"WWW-Authenticate": "Standard-Webhooks"})


def signing_key(secret: str) -> bytes | None:
    """The key in a Standard Webhooks secret, ``whsec_`` and Base64, padded or not; None when it is none."""
    encoded = secret.removeprefix("whsec_").rstrip("=")
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True) or None
    except ValueError:
        return None
