"""The mail about a run."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from shared.report.notify import mail
from shared.report.notify.text import News
from shared.settings.channels import Email
from tests.support.channels import report

CHANNEL = Email(
    "127.0.0.1", "janitor@example.net", ["a@example.net", "b@example.net"], port=9, security="plain"
)


def test_the_mail_has_all_recipients_and_the_run_in_its_subject() -> None:
    news = News(report(warnings=[{"code": "c", "message": "too much"}]), "folder b1g")

    message = mail.message(CHANNEL, news, datetime(2026, 11, 25, 3, tzinfo=UTC))

    assert message["Subject"] == "Image clean-up, folder b1g: ok (mode apply)"
    assert message["To"] == "a@example.net, b@example.net"
    assert message["Auto-Submitted"] == "auto-generated"
    assert "warning: too much" in message.get_content()


def test_a_server_that_is_not_there_is_a_reason() -> None:
    assert mail.deliver(CHANNEL, "", News(report()), time.monotonic() + 5) == "no connection can be made"
