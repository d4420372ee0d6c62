"""People are told of a run where the settings say so; what fails there is a warning and changes nothing
else.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SettingsError
from shared.report.contract import Report
from shared.report.notify import mail, post
from shared.report.notify.text import News, details, opening, worth_telling
from shared.settings.channels import KINDS, Email, Recipient, Slack, Telegram, Webhook, recipients
from shared.settings.settings import load
from tests.conftest import FOLDER
from tests.emulator.client import PROJECT_ROOT
from tests.support.channels import HOOK, KEY, TOKEN, report
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


def test_what_the_readme_shows_is_accepted(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (PROJECT_ROOT / "README.md").read_text(), re.DOTALL)
    shown = next(block for block in blocks if "[[notify]]" in block)
    file = tmp_path / "janitor.toml"
    file.write_text(shown)
    environment = {"JANITOR_CONFIG": str(file), "FOLDER_ID": FOLDER}

    channels = load(environment).notify

    assert {type(channel).__name__.lower() for channel in channels} == set(KINDS)
    secrets = {
        "TELEGRAM_TOKEN": TOKEN,
        "SLACK_URL": "https://h" + HOOK,
        "HOOK_SECRET": KEY,
        "SMTP_PASSWORD": "p",
    }
    assert len(recipients(channels, environment | secrets)) == len(channels)


BAD_TABLES = {
    "no list": ("notify = 5", ["notify", "[[notify]]"]),
    "no kind": ("[[notify]]\nurl = 'http://h'", ["notify[1].kind", "missing", "telegram, slack"]),
    "a kind that there isn't": ("[[notify]]\nkind = 'pager'", ["notify[1].kind", "pager", "telegram, slack"]),
    "a key of another kind": (
        "[[notify]]\nkind = 'slack'\nurl_env = 'U'\n[[notify]]\nkind = 'slack'\nurl = 'http://h'",
        ["notify[2].url", "kind slack", "url_env"],
    ),
    "a misspelt key": (
        "[[notify]]\nkind = 'telegram'\ntoken_env = 'T'\nchat = 1",
        ["notify[1].chat", "did you mean chat_id?"],
    ),
    "a token in the clear": (
        "[[notify]]\nkind = 'telegram'\ntoken_env = '1:AAH'\nchat_id = 1",
        ["notify[1].token_env", "environment variable"],
    ),
    "no chat": ("[[notify]]\nkind = 'telegram'\ntoken_env = 'T'", ["notify[1].chat_id", "missing"]),
    "a chat that is true": (
        "[[notify]]\nkind = 'telegram'\ntoken_env = 'T'\nchat_id = true",
        ["notify[1].chat_id"],
    ),
    "a time to tell that there isn't": (
        "[[notify]]\nkind = 'slack'\nurl_env = 'U'\non = 'never'",
        ["notify[1].on", "never", "always, changes or problems"],
    ),
    "a URL of another scheme": (
        "[[notify]]\nkind = 'webhook'\nsecret_env = 'S'\nurl = 'file:///etc/passwd'",
        ["notify[1].url", "file:"],
    ),
    "a URL with a line break": (
        '[[notify]]\nkind = "webhook"\nsecret_env = "S"\nurl = "http://h/\\r\\nHost: x"',
        ["notify[1].url"],
    ),
    "an address with a line break": (
        '[[notify]]\nkind = "email"\nhost = "h"\nfrom = "a@b\\nBcc: c@d"\nto = ["a@b"]',
        ["notify[1].from", "janitor@example.net"],
    ),
    "nobody to mail to": (
        "[[notify]]\nkind = 'email'\nhost = 'h'\nfrom = 'a@b'\nto = []",
        ["notify[1].to", "list of addresses"],
    ),
    "a user without a password": (
        "[[notify]]\nkind = 'email'\nhost = 'h'\nfrom = 'a@b'\nto = ['a@b']\nuser = 'u'",
        ["notify[1].password_env", "missing", "user"],
    ),
    "a password in the clear over the wire": (
        "[[notify]]\nkind = 'email'\nhost = 'h'\nfrom = 'a@b'\nto = ['a@b']\nuser = 'u'\npassword_env = 'P'"
        "\nsecurity = 'plain'",
        ["notify[1].security", "plain", "starttls"],
    ),
    "metrics that there aren't": ("[metrics]\nfolder = 'b1g'", ["metrics.folder", "metrics.folder_id"]),
    "an override of whom to tell": ("allow_overrides = ['notify']", ["allow_overrides", "notify"]),
}


@pytest.mark.parametrize(("text", "named"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_a_bad_table_is_named_with_its_key_and_what_would_be_accepted(
    tmp_path: Path, text: str, named: list[str]
) -> None:
    file = tmp_path / "janitor.toml"
    file.write_text(text)

    with pytest.raises(SettingsError) as caught:
        load({"FOLDER_ID": FOLDER, "JANITOR_CONFIG": str(file)})
    for part in (str(file), *named):
        assert part in str(caught.value)
