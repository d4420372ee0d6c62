"""Links to a plan's page, and the tokens in them and in the page's forms.

A token is ``<expiry>.<code>``: the expiry in seconds since 1970, and an HMAC-SHA256 of the plan, the action
(``view``, ``approve``, ``reject``, or ``list`` of no plan) and the expiry, in URL-safe Base64. Its key is
derived from the webhook's secret, so that a token is no signature of a webhook's call, and no signature a
token.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import datetime
from urllib.parse import urlencode

from shared.errors import RequestRefused

PURPOSE = b"registry-janitor: links to plans"
TOKEN = re.compile(r"([0-9]{1,11})\.([A-Za-z0-9_-]{43})", re.ASCII)


def link(webhook_url: str, key: bytes, plan_id: str, expires_at: datetime) -> str:
    """The address of the plan's page, for whoever may see it; ``webhook_url`` may have a query."""
    query = {"plan": plan_id, "token": token(key, plan_id, "view", expires_at)}
    return f"{webhook_url}{'&' if '?' in webhook_url else '?'}{urlencode(query)}"


def list_link(webhook_url: str, key: bytes, expires_at: datetime) -> str:
    """The address of the list of open plans, for whoever may see all of them."""
    query = {"token": token(key, "", "list", expires_at)}
    return f"{webhook_url}{'&' if '?' in webhook_url else '?'}{urlencode(query)}"


def token(key: bytes, plan_id: str, action: str, expires_at: datetime) -> str:
    expiry = int(expires_at.timestamp())
    return f"{expiry}.{_code(key, plan_id, action, expiry)}"


def check(key: bytes, link_token: str, plan_id: str, action: str, now: datetime) -> None:
    """Raises RequestRefused for a token that is not of this plan and action, or that has expired."""
    match = TOKEN.fullmatch(link_token)
    if not match or not hmac.compare_digest(match[2], _code(key, plan_id, action, int(match[1]))):
        raise RequestRefused(403, "The link is not valid for this plan; use the link as it was sent, whole.")
    if now.timestamp() >= int(match[1]):
        raise RequestRefused(410, "The link has run out; open the plan's link again, or ask for a new plan.")


def _code(key: bytes, plan_id: str, action: str, expiry: int) -> str:
    purpose = hmac.digest(key, PURPOSE, hashlib.sha256)
    code = hmac.digest(purpose, f"{plan_id}\n{action}\n{expiry}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(code).rstrip(b"=").decode()
