"""What is posted to each kind of channel."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode, b64encode

from shared.report.notify.post import post
from shared.report.notify.text import News
from shared.settings.channels import Recipient, Slack, Telegram, Webhook
from tests.support.channels import KEY, TOKEN, report
from tests.support.pages import image


def test_telegram_gets_text_without_a_preview() -> None:
    sent = post(Recipient("notify[1]", Telegram("T", -5), TOKEN), News(report(), "folder b1g"), 0)

    assert sent.url.endswith(f"/bot{TOKEN}/sendMessage")
    body = json.loads(sent.body)
    assert (body["chat_id"], body["link_preview_options"]) == (-5, {"is_disabled": True})
    assert body["text"].startswith("Image clean-up, folder b1g: ok (mode apply)\n")


def test_slack_gets_no_block_of_code_when_nothing_is_wrong() -> None:
    sent = post(Recipient("notify[1]", Slack("U"), "https://h/hook"), News(report()), 0)

    assert sent.url == "https://h/hook"
    assert "```" not in json.loads(sent.body)["text"]


def test_the_signed_webhook_gets_the_report_with_the_link_and_a_signature_of_it() -> None:
    news = News(report(images=[image(1)]), link="https://h/plan")

    sent = post(Recipient("notify[2]", Webhook("https://h/", "S"), KEY), news, 17.9)

    body = json.loads(sent.body)
    assert (body["link"], body["images"][0]["service"]) == ("https://h/plan", "container-registry")
    message_id = sent.headers["webhook-id"]
    assert message_id == "20261124T030000000000Z-0a1b2c3d-notify-2"
    signed = f"{message_id}.17.".encode() + sent.body
    digest = hmac.new(b64decode(KEY.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    assert sent.headers["webhook-signature"] == f"v1,{b64encode(digest).decode()}"
