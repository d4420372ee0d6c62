"""People are told of a run where the settings say so; what fails there is a warning and changes nothing else."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook as StandardWebhook

from shared.errors import SettingsError
from shared.report.notify import mail, post
from shared.report.notify.text import News, details, opening, worth_telling
from shared.settings.channels import KINDS, Email, Recipient, Slack, Telegram, Webhook, recipients
from shared.settings.settings import load
from tests.conftest import FOLDER, Cloud, assert_adds_up, images, outcomes, policy
from tests.emulator.client import PROJECT_ROOT
from tests.support.cloud import Invocation, http, push
from tests.support.commands import Commands
from tests.support.receivers import (
    HOST,
    HttpReceiver,
    closed_port,
    dripping_receiver,
    http_receiver,
    mail_receiver,
    trust,
)

TOKEN = "1234567:AAH-very_secret-part"
HOOK = "/services/T00000000/B00000000/slack-secret-part"
KEY = "whsec_" + base64.b64encode(b"a key of Standard Webhooks").decode()
PASSWORD = "the pass-word"
SECRETS = {"TELEGRAM_TOKEN": TOKEN, "WEBHOOK_KEY": KEY, "MAIL_PASSWORD": PASSWORD}
SECRET_PARTS = ("AAH-very_secret-part", "slack-secret-part", KEY.removeprefix("whsec_"), "pass-word")


@pytest.fixture(scope="module")
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as running:
        yield running


@pytest.fixture(autouse=True)
def _empty(receiver: HttpReceiver) -> None:
    receiver.requests.clear()
    receiver.answers.clear()


def config(directory: Path, *channels: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """The environment for a settings file with these ``[[notify]]`` tables."""
    tables = ["\n".join(f"{key} = {json.dumps(value)}" for key, value in one.items()) for one in channels]
    top = "\n".join(f"{key} = {json.dumps(value)}" for key, value in settings.items())
    file = directory / "janitor.toml"
    file.write_text("\n".join([top, *(f"[[notify]]\n{table}" for table in tables)]))
    return {"JANITOR_CONFIG": str(file), **SECRETS}


def telegram(receiver: HttpReceiver, **keys: Any) -> dict[str, Any]:
    return {"kind": "telegram", "token_env": "TELEGRAM_TOKEN", "chat_id": -100123, "url": receiver.url} | keys


def slack(**keys: Any) -> dict[str, Any]:
    return {"kind": "slack", "url_env": "SLACK_URL"} | keys


def webhook(url: str, **keys: Any) -> dict[str, Any]:
    return {"kind": "webhook", "url": url, "secret_env": "WEBHOOK_KEY"} | keys


def email(port: int, **keys: Any) -> dict[str, Any]:
    usual = {"kind": "email", "host": HOST, "port": port, "security": "plain"}
    return usual | {"from": "janitor@example.net", "to": ["ops@example.net"]} | keys


SIGNED_IN = {"user": "janitor", "password_env": "MAIL_PASSWORD"}


def stock(cloud: Cloud) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old", "older")})


def applied(cloud: Cloud, environment: dict[str, str], timeout: float = 600) -> Invocation:
    return cloud.call("cleanup", timeout=timeout, CLEANUP_MODE="apply", **environment)


def notices(report: dict[str, Any], code: str = "notify") -> list[str]:
    return [row["message"] for row in report["warnings"] if row["code"] == code]


def assert_no_secret(invocation: Invocation, *more: Path) -> None:
    told = json.dumps(invocation.results) + invocation.log + "".join(one.read_text() for one in more)
    assert not [secret for secret in SECRET_PARTS if secret in told]


def test_every_kind_of_channel_is_told_the_numbers_of_the_run(
    cloud: Cloud, receiver: HttpReceiver, tmp_path: Path
) -> None:
    stock(cloud)
    with mail_receiver("starttls") as server:
        environment = config(
            tmp_path,
            telegram(receiver),
            slack(),
            webhook(f"{receiver.url}/hook?from=janitor"),
            email(server.port, security="starttls", **SIGNED_IN),
        )
        invocation = applied(cloud, environment | trust(tmp_path) | {"SLACK_URL": receiver.url + HOOK})

    report = invocation.results[0]
    assert (report["status"], report["warnings"], cloud.left()) == ("ok", [], {"new"})
    assert_no_secret(invocation)

    chat = receiver.to(f"/bot{TOKEN}/sendMessage")[0].json()
    assert chat["chat_id"] == -100123
    assert "parse_mode" not in chat
    assert chat["link_preview_options"] == {"is_disabled": True}
    assert_tells(chat["text"])
    assert_tells(receiver.to(HOOK)[0].json()["text"])
    assert_tells(server.mails[0].get_content())
    assert (server.encrypted, server.mails[0]["To"]) == ([True], "ops@example.net")
    assert "ok" in server.mails[0]["Subject"]
    credentials = base64.b64decode(next(one for one in server.commands if one.startswith("AUTH")).split()[2])
    assert credentials == f"\0janitor\0{PASSWORD}".encode()

    signed = receiver.to("/hook?from=janitor")[0]
    body = StandardWebhook(KEY).verify(signed.body, signed.headers)
    assert {name: body[name] for name in report if name != "retries"} == {
        name: report[name] for name in report if name != "retries"
    }


def assert_tells(text: str) -> None:
    for part in (FOLDER, "ok", "apply", "3 images", "2 candidates", "2 deleted"):
        assert part in text


def test_a_run_that_is_nothing_new_is_told_to_those_who_always_want_to_know(
    cloud: Cloud, receiver: HttpReceiver, tmp_path: Path
) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("only")})
    levels = ("always", "changes", "problems")
    environment = config(tmp_path, *(webhook(f"{receiver.url}/{on}", on=on) for on in levels))

    quiet = cloud.call("dry_run", **environment).results[0]
    told_of_quiet = [one.path for one in receiver.requests]
    receiver.requests.clear()
    stock(cloud)
    cloud.call("dry_run", {}, push("crp1/app", event="DeleteImage"), **environment)

    assert (quiet["status"], told_of_quiet) == ("ok", ["/always"])
    assert sorted(one.path for one in receiver.requests) == ["/always", "/changes"]


def report(**changes: Any) -> dict[str, Any]:
    counts = ("images", "candidates", "protected", "deleted", "already_gone", "failed", "remaining")
    totals = dict.fromkeys((*counts, "candidate_bytes", "reclaimed_bytes"), 0)
    return {
        "run_id": "20261124T030000000000Z-0a1b2c3d",
        "plan_id": None,
        "mode": "apply",
        "status": "ok",
        "totals": totals | changes.pop("totals", {}),
        "images": [],
        "images_truncated": False,
        "warnings": [],
        "errors": [],
        **changes,
    }


NOTICE = {"code": "max-share", "message": "too much"}
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
    "it failed in part": (report(status="partial", errors=[NOTICE]), ["always", "changes", "problems"]),
}


@pytest.mark.parametrize(("told", "levels"), WORTH.values(), ids=WORTH)
def test_what_is_worth_telling_whom(told: dict[str, Any], levels: list[Any]) -> None:
    assert [on for on in ("always", "changes", "problems") if worth_telling(told, on)] == levels


def test_the_worst_comes_first_and_only_three_of_it_and_the_link_is_there() -> None:
    rows = [{"code": "x", "message": f"warning {number}"} for number in range(4)]
    link = "https://functions.yandexcloud.net/d4e?plan=p1&token=t"
    news = News(report(mode="plan", plan_id="p1", warnings=rows, errors=[NOTICE]), "folder b1g", link)

    assert opening(news)[-1] == f"The plan waits for approval: {link}"
    assert details(news)[:3] == ["error: too much", "warning: warning 0", "warning: warning 1"]
    assert details(news)[3:] == [f"… and 2 more in the report of run {news.report['run_id']}"]


def test_the_signed_webhook_gets_a_thousand_rows_at_most() -> None:
    recipient = Recipient("notify[1]", Webhook("http://h/", "S"), KEY)

    few = json.loads(post.post(recipient, News(report(images=[{}] * 1000)), 0).body)
    many = json.loads(post.post(recipient, News(report(images=[{}] * 1001)), 0).body)

    assert (len(few["images"]), few["images_truncated"]) == (1000, False)
    assert (len(many["images"]), many["images_truncated"]) == (1000, True)


def test_a_plan_is_told_with_the_link_to_its_page_which_nothing_else_tells(
    cloud: Cloud, receiver: HttpReceiver, tmp_path: Path
) -> None:
    stock(cloud)
    environment = config(tmp_path, telegram(receiver), webhook(f"{receiver.url}/hook"), mode="plan")
    state = tmp_path / "state"
    state.mkdir()
    page = "https://functions.yandexcloud.net/d4e0"

    invocation = cloud.call(
        "cleanup", STATE_DIR=str(state), WEBHOOK_SECRET=KEY, WEBHOOK_URL=page, **environment
    )

    told = invocation.results[0]
    assert (told["status"], told["warnings"], cloud.left()) == ("ok", [], {"new", "old", "older"})
    text = receiver.to(f"/bot{TOKEN}/sendMessage")[0].json()["text"]
    link = receiver.to("/hook")[0].json()["link"]
    assert link.startswith(f"{page}?plan={told['plan_id']}&token=")
    assert f"The plan waits for approval: {link}" in text
    kept = [one.read_text() for one in state.rglob("*.json")]
    token = link.partition("token=")[2]
    assert token not in "".join([json.dumps(told), invocation.log, *kept])


@given(
    st.text(max_size=500)
    | st.sampled_from(["<!channel> ```@all", "![x](http://evil.example)", "a\r\nBcc: b@c", "\u202egpj"])
)
def test_what_strangers_write_stays_text(words: str) -> None:
    news = News(report(warnings=[{"code": "x", "message": words}], errors=[{"message": words}]), "folder b1g")

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


def test_what_fails_is_a_warning_each_and_no_secret_is_told(
    cloud: Cloud, receiver: HttpReceiver, tmp_path: Path
) -> None:
    stock(cloud)
    elsewhere = receiver.url + "/elsewhere"
    state = tmp_path / "state"
    state.mkdir()
    with (
        mail_receiver(
            "ssl", AUTH=f"535 {PASSWORD} {base64.b64encode(PASSWORD.encode()).decode()}"
        ) as rejecting,
        mail_receiver(RCPT="550 no") as unknown,
        mail_receiver() as without_tls,
        mail_receiver("ssl") as stranger,
    ):
        receiver.answer(HOOK, "404 Not Found", "no hook at {path}")
        receiver.answer(
            f"/bot{TOKEN}/sendMessage", "400 Bad Request", '{"description": "chat {path} not found"}'
        )
        channels = {
            "HTTP 400 (chat [secret] not found)": telegram(receiver),
            "HTTP 404 (no hook at [secret])": slack(),
            "HTTP 500 ([secret] is wrong)": webhook(
                receiver.answer("/500", "500 Internal", f"{KEY} is wrong")
            ),
            "redirect": webhook(receiver.answer("/302", "302 Found", Location=elsewhere)),
            "redirect (HTTP 307)": webhook(receiver.answer("/307", "307 Temporary", Location=elsewhere)),
            "connection broke": webhook(receiver.answer("/broken", "nonsense")),
            "no connection": webhook(f"http://{HOST}:{closed_port()}/"),
            "refused the user or the password (535)": email(rejecting.port, **SIGNED_IN, security="ssl"),
            "refused every recipient": email(unknown.port),
            "does not offer": email(without_tls.port, security="starttls"),
            "not trusted": email(stranger.port, security="ssl", host="localhost"),
            "no connection can be made": email(closed_port()),
        }
        environment = config(tmp_path, *channels.values()) | {"SLACK_URL": receiver.url + HOOK}
        invocation = applied(cloud, environment | trust(tmp_path) | {"STATE_DIR": str(state)})

    told = invocation.results[0]
    assert (told["status"], cloud.left()) == ("ok", {"new"})
    assert_adds_up(told)
    messages = notices(told)
    for number, why in enumerate(channels):
        assert messages[number].startswith(f"notify[{number + 1}]")
        assert why in messages[number]
    assert receiver.to("/elsewhere") == []
    kept = next(state.glob("runs/*/report.json"))
    assert notices(json.loads(kept.read_text())) == messages
    assert_no_secret(invocation, kept)


def test_a_head_that_cannot_be_parsed_brings_no_url_into_the_log(
    cloud: Cloud, receiver: HttpReceiver, tmp_path: Path
) -> None:
    stock(cloud)
    path = f"/bot{TOKEN}/sendMessage"
    receiver.answers[path] = lambda asked: b"HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 0\r\n\r\n"

    invocation = applied(cloud, config(tmp_path, telegram(receiver)))

    assert len(receiver.to(path)) == 1
    assert_no_secret(invocation)


@contextlib.contextmanager
def endless(directory: Path, *others: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The environment for receivers that never end their answers, and ``others`` after these four."""
    with (
        dripping_receiver() as silent,
        dripping_receiver(b"HTTP/1.1 200 OK\r\n\r\n") as dripping,
        dripping_receiver(b"220-wait\r\n") as talking,
    ):
        hooks = [webhook(f"http://{HOST}:{port}/") for port in (silent, dripping)]
        yield config(directory, *hooks, email(silent), email(talking), *others)


def assert_left_alone(told: dict[str, Any]) -> None:
    assert {message.partition(" ")[0] for message in notices(told)} == {f"notify[{n}]" for n in range(1, 5)}
    assert [message for message in notices(told) if "no answer in time" not in message] == []


def test_receivers_that_never_end_their_answer_are_left_before_the_time_is_over(
    cloud: Cloud, receiver: HttpReceiver, tmp_path: Path
) -> None:
    stock(cloud)
    with endless(tmp_path, telegram(receiver)) as environment:
        began_at = time.monotonic()
        told = cloud.call("dry_run", timeout=5, **environment).results[0]
        took = time.monotonic() - began_at

    assert took < 5
    assert (told["status"], told["totals"]["candidates"], len(receiver.requests)) == ("ok", 2, 1)
    assert_left_alone(told)


@pytest.mark.slow
def test_receivers_that_never_end_their_answer_hold_a_run_for_ten_seconds_at_most(
    cloud: Cloud, tmp_path: Path
) -> None:
    stock(cloud)
    with endless(tmp_path) as environment:
        began_at = time.monotonic()
        told = applied(cloud, environment).results[0]
        took = time.monotonic() - began_at

    assert took < 13
    assert (told["status"], cloud.left()) == ("ok", {"new"})
    assert_left_alone(told)


def test_a_run_that_is_out_of_time_is_told_and_one_without_any_says_that_it_was_not(
    cloud: Cloud, receiver: HttpReceiver, tmp_path: Path
) -> None:
    environment = config(tmp_path, telegram(receiver, on="problems"))
    stock(cloud)
    cloud.emulator.behaviour(latency_ms=1000)

    cut = applied(cloud, environment, timeout=6).results[0]
    text = receiver.requests[0].json()["text"]
    receiver.requests.clear()
    hopeless = applied(cloud, environment, timeout=2).results[0]

    assert (cut["status"], notices(cut)) == ("unfinished", [])
    assert "unfinished" in text
    assert (hopeless["status"], receiver.requests) == ("unfinished", [])
    assert "no time was left" in notices(hopeless)[0]


def test_whom_a_push_a_refusal_or_a_failure_is_told_to(
    cloud: Cloud, receiver: HttpReceiver, tmp_path: Path
) -> None:
    stock(cloud)
    environment = config(tmp_path, telegram(receiver, on="problems"))

    refused = cloud.clean(MAX_DELETIONS="1", **environment)
    failed = cloud.call("cleanup", http(), SA_KEY="", IAM_TOKEN="t1.of-nobody", **environment).results[0]

    assert refused["status"] == "refused"
    assert failed["statusCode"] == 500
    texts = [one.json()["text"] for one in receiver.requests]
    assert "warning: 2 images would be deleted" in texts[0]
    assert "failed" in texts[1]
    assert "UNAUTHENTICATED" in texts[1]


def test_by_hand_a_dry_run_tells_nobody_and_needs_no_secret_but_a_clean_up_does(
    cloud: Cloud, receiver: HttpReceiver, tmp_path: Path
) -> None:
    stock(cloud)
    commands = Commands(cloud, tmp_path)
    settings = {**config(tmp_path, telegram(receiver, on="always")), "TELEGRAM_TOKEN": ""}

    dry = commands.told("dry-run", **settings)
    explained = commands.told("explain", "app:old", **settings)
    unset = commands.start("cleanup", **settings)
    said, _ = unset.communicate(timeout=60)
    before = list(receiver.requests)
    cleaned = commands.told("cleanup", **settings | {"TELEGRAM_TOKEN": TOKEN})

    assert (dry["status"], bool(explained), before) == ("ok", True, [])
    assert unset.returncode == 2
    error = json.loads(said)["errors"][0]["message"]
    for part in ("notify[1].token_env", "TELEGRAM_TOKEN", "janitor.toml", "is not set"):
        assert part in error
    assert (outcomes(cleaned), len(receiver.requests)) == (dict.fromkeys(("old", "older"), "deleted"), 1)


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


BAD_SECRETS = {
    "a token with a slash": (telegram(HttpReceiver("http://h")), "TELEGRAM_TOKEN", "1:a/../b"),
    "a hook that is no URL": (slack(), "SLACK_URL", "hooks.slack.com/services/T0/B0/xyz"),
    "a key that is no Base64": (webhook("http://h/"), "WEBHOOK_KEY", "whsec_it's-not"),
}


@pytest.mark.parametrize(("channel", "variable", "value"), BAD_SECRETS.values(), ids=BAD_SECRETS)
def test_a_secret_that_cannot_be_right_is_refused_without_telling_it(
    tmp_path: Path, channel: dict[str, Any], variable: str, value: str
) -> None:
    environment = {**config(tmp_path, channel), "FOLDER_ID": FOLDER, variable: value}
    channels = load(environment).notify

    with pytest.raises(SettingsError, match=rf"{variable}, which notify\[1\]\..* does not hold") as caught:
        recipients(channels, environment)
    assert value not in str(caught.value)


def test_an_event_cannot_say_whom_to_tell(cloud: Cloud, receiver: HttpReceiver, tmp_path: Path) -> None:
    stock(cloud)
    event = {"notify": [webhook(receiver.url)]}

    told = cloud.clean(event, **config(tmp_path, telegram(receiver, on="always")))

    assert (told["status"], cloud.left()) == ("refused", {"new", "old", "older"})
    assert receiver.requests == []
