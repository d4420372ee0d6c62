"""A finished run is announced to people and to Yandex Monitoring.

All messages are sent at the same time, in ten seconds at most. A message that fails becomes a warning of the
run; it changes nothing else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from shared.cleanup.run import Run
from shared.report.contract import Report
from shared.retention.records import Notice
from shared.settings.channels import Email, Recipient

LONGEST, SHORTEST = 10.0, 0.2
REMEDY = {
    "Telegram": "check token_env and chat_id",
    "Slack": "check the URL in url_env",
    "Webhook": "check url, and that something listens there",
    "Email": "check host, port, security, user and password_env",
}


class Delivery(msgspec.Struct, frozen=True):
    """A message; ``send`` gets the monotonic time at which it must end, and returns why it failed, or
    nothing.
    """

    code: str
    what: str
    remedy: str
    send: Callable[[float], str]

    def failed(self, why: str) -> Notice:
        return Notice(self.code, f"{self.what}: {why}; {self.remedy}.")


def announce(run: Run, report: Report, recipients: list[Recipient], ends_at: float) -> list[Notice]:
    """Announces the run, until ``ends_at`` (monotonic) at most.

    Returns a notice for each message that failed.
    """
    deliveries = []
    if recipients:
        deliveries += _notifications(run, report, recipients)
    if run.settings.metrics.folder_id and run.layers:
        deliveries.append(_numbers(run))
    return send_all(deliveries, ends_at)


def _notifications(run: Run, report: Report, recipients: list[Recipient]) -> list[Delivery]:
    from shared.report.notify.text import News, worth_telling  # imported here: most functions notify nobody

    news = News(report, _where(run), run.link)
    return [
        Delivery(
            "notify",
            f"{recipient.name} ({type(recipient.channel).__name__.lower()}) got no message about this run",
            REMEDY[type(recipient.channel).__name__],
            partial(_send, recipient, news),
        )
        for recipient in recipients
        if worth_telling(report, recipient.channel.on)
    ]


def _numbers(run: Run) -> Delivery:
    from shared.cloud import monitoring  # imported here: few ask for them
    from shared.cloud.monitoring import ROLE
    from shared.report import metrics

    now = datetime.now(UTC)
    gauges = metrics.gauges(run, (now - run.started_at).total_seconds())
    remedy = f"check metrics.folder_id, and the role {ROLE}"
    what = "Yandex Monitoring did not get the numbers of this run"
    return Delivery(
        "metrics",
        what,
        remedy,
        partial(monitoring.write, run.cloud, run.settings.metrics.folder_id, gauges, now),
    )


def _send(recipient: Recipient, news: Any, ends_at: float) -> str:
    if isinstance(recipient.channel, Email):
        from shared.report.notify import mail  # imported here: smtplib and email are needed for nothing else

        return mail.deliver(recipient.channel, recipient.secret, news, ends_at)
    from shared.report.notify import post  # imported here: as above

    return post.deliver(recipient, news, ends_at)


def _where(run: Run) -> str:
    settings = run.settings
    return f"folder {settings.folder_id}" if settings.folder_id else ", ".join(settings.registries[:3])


def send_all(deliveries: list[Delivery], ends_at: float) -> list[Notice]:
    """Sends all messages at the same time, and waits until ``ends_at``, but not longer than 10 seconds."""
    began_at = time.monotonic()
    until = min(ends_at, began_at + LONGEST)
    if until - began_at < SHORTEST:
        return [delivery.failed("no time was left") for delivery in deliveries]
    outcomes: dict[int, str] = {}

    def send(number: int, delivery: Delivery) -> None:
        try:
            outcomes[number] = delivery.send(until)
        except Exception as error:  # its text might hold a secret
            outcomes[number] = f"the bundle has a fault ({type(error).__name__})"

    threads = [
        threading.Thread(
            target=send, args=numbered, daemon=True
        )  # a look-up of a host's name cannot be stopped
        for numbered in enumerate(deliveries)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    reasons = [outcomes.get(number, "no answer in time") for number in range(len(deliveries))]
    return [delivery.failed(why) for delivery, why in zip(deliveries, reasons, strict=True) if why]
