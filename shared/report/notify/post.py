"""Notifications by HTTP: what is sent to Telegram, to a Slack-compatible webhook, to a signed one, and
sending it.

Telegram's Bot API takes ``POST /bot<token>/sendMessage``; the token is part of the path, so no message names
a path. Slack and Mattermost take ``{"text": ...}``, in which ``&``, ``<`` and ``>`` are escaped (Slack's
documentation: formatting text). Standard Webhooks signs ``<id>.<seconds since 1970>.<body>`` with
HMAC-SHA256.
"""

from __future__ import annotations

import re
import time
from typing import Any

import msgspec

from shared.auth.standard_webhooks import sign, signing_key
from shared.cloud import address
from shared.cloud.connecting import NoAnswer
from shared.cloud.connections import Connections, lost
from shared.cloud.reading import Raw
from shared.report.notify.text import News, details, opening
from shared.report.report import ROWS, as_json
from shared.settings.channels import Recipient, Slack, Telegram, Webhook

MOST_READ = 4096


class Post(msgspec.Struct, frozen=True):
    url: str
    body: bytes
    headers: dict[str, str] = {}


def post(recipient: Recipient, news: News, now: float) -> Post:
    """The request that brings ``recipient`` the news; ``now`` is seconds since 1970."""
    match recipient.channel:
        case Telegram() as channel:
            return _telegram(channel, recipient.secret, news)
        case Slack():
            return _slack(recipient.secret, news)
        case Webhook() as channel:
            message_id = re.sub(r"[^\w-]+", "-", f"{news.report.run_id}-{recipient.name}").strip("-")
            return _signed(channel, recipient.secret, news, message_id, now)
    raise TypeError(type(recipient.channel).__name__)


def _telegram(channel: Telegram, token: str, news: News) -> Post:
    message = {
        "chat_id": channel.chat_id,
        "text": "\n".join([*opening(news), *details(news)]),
        "link_preview_options": {"is_disabled": True},
    }
    return Post(f"{channel.url.rstrip('/')}/bot{token}/sendMessage", msgspec.json.encode(message))


def _slack(url: str, news: News) -> Post:
    """Words of strangers stand in a block of code: there Slack and Mattermost read no markup and mention
    nobody.
    """
    lines = [_escaped(line) for line in opening(news)]
    quoted = [_escaped(line.replace("`", "'")) for line in details(news)]
    text = "\n".join([*lines, "```", *quoted, "```"] if quoted else lines)
    return Post(url, msgspec.json.encode({"text": text, "unfurl_links": False, "unfurl_media": False}))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _signed(channel: Webhook, secret: str, news: News, message_id: str, now: float) -> Post:
    body = msgspec.json.encode(_document(news))
    seconds = str(int(now))
    key = signing_key(secret) or b""
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": sign(key, message_id, seconds, body),
    }
    return Post(channel.url, body, headers)


def _document(news: News) -> dict[str, Any]:
    """The report as JSON with at most 1,000 images, and the link, if there is one."""
    report = news.report
    rows = report.images[:ROWS]
    truncated = report.images_truncated or len(rows) < len(report.images)
    shortened = msgspec.structs.replace(report, images=rows, images_truncated=truncated)
    return {**as_json(shortened), **({"link": news.link} if news.link else {})}


def deliver(recipient: Recipient, news: News, ends_at: float) -> str:
    """Sends once, and returns why that failed, or nothing.

    ``ends_at`` is a monotonic time; follows no redirect.
    """
    sent = post(recipient, news, time.time())
    to = address.read(sent.url)
    path = (to.path or "/") + (f"?{to.query}" if to.query else "")
    headers = {"Content-Type": "application/json", "User-Agent": "registry-janitor", **sent.headers}
    try:
        raw = Connections(to.origin, 1).send(
            "POST",
            path,
            sent.body,
            headers,
            max(0.1, ends_at - time.monotonic()),
            most=MOST_READ,
        )
    except NoAnswer as error:
        return lost(error, "", "").message
    return _refusal(raw, (recipient.secret, sent.url, to.path))


def _refusal(raw: Raw, secrets: tuple[str, ...]) -> str:
    if 200 <= raw.status < 300:
        return ""
    if 300 <= raw.status < 400:
        return f"it answered with a redirect (HTTP {raw.status}), which is not followed"
    sentence = _sentence(raw.body, secrets)
    return f"it answered HTTP {raw.status}" + (f" ({sentence})" if sentence else "")


class _TelegramError(msgspec.Struct):
    description: str = ""


def _sentence(body: bytes, secrets: tuple[str, ...]) -> str:
    """The answer if it is a short plain sentence, else nothing. Secrets in it are replaced."""
    try:
        text = msgspec.json.decode(body, type=_TelegramError).description
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = body[:200].decode("utf-8", "replace")
    words = {word for secret in secrets for word in (secret, *re.split(r"[:/?&=]", secret)) if len(word) >= 4}
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "[secret]")
    return text if re.fullmatch(r"[\w .,:;'\[\]-]{1,200}", text) else ""
