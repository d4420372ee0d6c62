"""People are told of a run where the settings say so; what fails there is a warning and changes nothing
else.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.policy import SMTP
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.report.contract import Report
from shared.report.notify import mail, post
from shared.report.notify.text import News, details, opening, worth_telling
from shared.settings.channels import Email, Recipient, Slack, Telegram, Webhook
from tests.support.channels import KEY, report
from tests.support.pages import image

NOTICE = {"code": "max-share", "message": "too much"}
PROBLEM = {"where": "GET /", "code": 7, "message": "too much"}
WORTH = {
    "nothing happened": (report(), ["always"]),
    "all candidates are protected": (report(totals={"candidates": 2, "protected": 2}), ["always"]),
    "something was deleted": (report(totals={"candidates": 2, "deleted": 2}), ["always", "changes"]),
    "something would be deleted": (
        report(mode="dry-run", totals={"candidates": 3, "protected": 1}),
        ["always", "changes"],
    ),
    "a plan waits": (report(mode="plan", plan_id="p1"), ["always", "changes"]),
    "it was refused": (report(status="refused"), ["always", "changes", "problems"]),
    "it warns": (report(warnings=[NOTICE]), ["always", "changes", "problems"]),
    "it failed in part": (report(status="partial", errors=[PROBLEM]), ["always", "changes", "problems"]),
}


@pytest.mark.parametrize(("run", "levels"), WORTH.values(), ids=WORTH)
def test_what_is_worth_telling_whom(run: Report, levels: list[Any]) -> None:
    assert [on for on in ("always", "changes", "problems") if worth_telling(run, on)] == levels


def test_the_worst_comes_first_and_only_three_of_it_and_the_link_is_there() -> None:
    rows = [{"code": "x", "message": f"warning {number}"} for number in range(4)]
    link = "https://functions.yandexcloud.net/d4e?plan=p1&token=t"
    news = News(report(mode="plan", plan_id="p1", warnings=rows, errors=[PROBLEM]), "folder b1g", link)

    assert opening(news)[-1] == f"The plan waits for approval: {link}"
    assert details(news)[:3] == ["error: too much", "warning: warning 0", "warning: warning 1"]
    assert details(news)[3:] == [f"… and 2 more in the report of run {news.report.run_id}"]


def test_the_signed_webhook_gets_a_thousand_rows_at_most() -> None:
    recipient = Recipient("notify[1]", Webhook("http://h/", "S"), KEY)

    few = json.loads(post.post(recipient, News(report(images=[image(1)] * 1000)), 0).body)
    many = json.loads(post.post(recipient, News(report(images=[image(1)] * 1001)), 0).body)

    assert (len(few["images"]), few["images_truncated"]) == (1000, False)
    assert (len(many["images"]), many["images_truncated"]) == (1000, True)


@given(
    st.text(max_size=500)
    | st.sampled_from(["<!channel> ```@all", "![x](http://evil.example)", "a\r\nBcc: b@c", "\u202egpj"])
)
def test_what_strangers_write_stays_text(words: str) -> None:
    news = News(
        report(warnings=[{"code": "x", "message": words}], errors=[{**PROBLEM, "message": words}]),
        "folder b1g",
    )

    lines = details(news)
    assert all(line.isprintable() for line in lines)
    text = json.loads(post.post(Recipient("notify[1]", Slack("URL"), "http://h/"), news, 0).body)["text"]
    assert text.count("```") == 2
    assert not {"<", ">"} & set(text)
    chat = json.loads(post.post(Recipient("notify[1]", Telegram("T", 1), "1:a"), news, 0).body)
    assert len(chat["text"]) < 4096
    sent = mail.message(Email("mail", "a@example.net", ["b@example.net"]), news, datetime.now(UTC))
    head, _, _ = sent.as_bytes(policy=SMTP).partition(b"\r\n\r\n")
    assert b"bcc" not in head.lower()
