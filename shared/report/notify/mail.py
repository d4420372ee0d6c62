"""Notifications by e-mail: one message over SMTP, for all of its recipients."""

from __future__ import annotations

import smtplib
import ssl
import time
from contextlib import closing, suppress
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from shared.report.notify.text import News, details, headline, opening
from shared.settings.channels import Email

PORTS = {"starttls": 587, "ssl": 465, "plain": 25}
ANSWERING = 5.0
OURSELVES = "[127.0.0.1]"  # smtplib would ask DNS for a name first


def deliver(channel: Email, password: str, news: News, ends_at: float) -> str:
    """Sends the mail, and returns why that failed, or nothing. ``ends_at`` is a monotonic time.

    The reason quotes nothing that the server says, because that might hold the password.
    """
    seconds = min(ANSWERING, ends_at - time.monotonic())
    try:
        with closing(_connected(channel, seconds)) as server:
            if channel.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if channel.user:
                server.login(channel.user, password)
            refused = server.send_message(message(channel, news, datetime.now().astimezone()))
            with suppress(smtplib.SMTPException):  # it is delivered
                server.quit()
    except (smtplib.SMTPException, OSError) as error:
        return _why(error)
    return f"it refused {len(refused)} of the {len(channel.to)} recipients" if refused else ""


def _connected(channel: Email, seconds: float) -> smtplib.SMTP:
    port = channel.port or PORTS[channel.security]
    if channel.security == "ssl":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(channel.host, port, OURSELVES, timeout=seconds, context=context)
    return smtplib.SMTP(channel.host, port, OURSELVES, timeout=seconds)


def message(channel: Email, news: News, now: datetime) -> EmailMessage:
    """The mail; `email.message` refuses a header with a line break."""
    mail = EmailMessage()
    mail["Subject"] = headline(news)
    mail["From"] = channel.sender
    mail["To"] = ", ".join(channel.to)
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = make_msgid(domain=channel.sender.rpartition("@")[2])
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n".join([*opening(news), *details(news)]) + "\n")
    return mail


def _why(error: Exception) -> str:
    match error:
        case smtplib.SMTPAuthenticationError():
            return f"it refused the user or the password ({error.smtp_code})"
        case smtplib.SMTPRecipientsRefused():
            return "it refused every recipient"
        case smtplib.SMTPNotSupportedError():
            return "it does not offer what the settings ask for (STARTTLS, or signing in)"
        case smtplib.SMTPResponseException():
            return f"it answered {error.smtp_code}"
        case smtplib.SMTPException():
            late = isinstance(error.__context__, TimeoutError)
            return "no answer in time" if late else "the connection broke"
        case ssl.SSLError():
            return "the server's certificate is not trusted, or it speaks no TLS there"
        case TimeoutError():
            return "no answer in time"
        case _:
            return "no connection can be made"
