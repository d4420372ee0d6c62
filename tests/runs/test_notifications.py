"""People are told of a run where the settings say so; what fails there is a warning and changes nothing
else.
"""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as StandardWebhook

from shared.errors import SettingsError
from shared.settings.channels import recipients
from shared.settings.settings import load
from tests.conftest import FOLDER, Cloud, assert_adds_up, images, outcomes, policy
from tests.support.channels import HOOK, KEY, TOKEN
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
    for part in (FOLDER, "ok", "apply", "Deleted 2 of 3 images in registry crp1, freed "):
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
    assert (told["status"], cloud.left()) == ("ok", {"new", "old", "older"})
    assert {warning["code"] for warning in told["warnings"]} <= {"read-only"}, "as the day may be"
    text = receiver.to(f"/bot{TOKEN}/sendMessage")[0].json()["text"]
    link = receiver.to("/hook")[0].json()["link"]
    assert link.startswith(f"{page}?plan={told['plan_id']}&token=")
    assert f"The plan waits for approval: {link}" in text
    kept = [one.read_text() for one in state.rglob("*.json")]
    token = link.partition("token=")[2]
    assert token not in "".join([json.dumps(told), invocation.log, *kept])


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

    assert took < 16  # ten seconds, and the start of a process on a busy machine
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
