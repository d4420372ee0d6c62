"""Who calls the webhook: a client that signs, a browser, or anybody else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.invocation import webhook
from tests.support.cloud import http, push, timer
from tests.support.signing import PLACES, SECRET


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("JANITOR_CONFIG", "STATE_DIR", "LOG_LEVEL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("FOLDER_ID", "b1g1")
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("WEBHOOK_URL", "https://functions.example/hook")


def status(event: object) -> int:
    response: dict[str, Any] = webhook.answer(event, None)
    return int(response["statusCode"])


CALLERS: dict[str, tuple[object, int]] = {
    "a trigger": (timer(), 202),
    "a trigger over HTTP": (http(json.dumps(push("crp1/app"))), 202),
    "a call that is not signed": (http("{}"), 401),
    "a trigger's event that claims to be signed": (
        http(json.dumps(timer())) | {"headers": {"Webhook-Id": "m1"}},
        401,
    ),
    "a GET": (http() | {"httpMethod": "GET"}, 405),
    "another path": (http() | {"path": "/else"}, 404),
    "a plan's page without a token": (
        http() | {"httpMethod": "GET", "queryStringParameters": {"plan": "p1"}},
        404,
    ),
}


@pytest.mark.parametrize(("event", "expected"), CALLERS.values(), ids=CALLERS)
def test_everybody_gets_an_answer_that_fits(event: object, expected: int) -> None:
    assert status(event) == expected


@pytest.mark.parametrize("place", ["nothing", "the root", "a gateway's pattern", "where WEBHOOK_URL says"])
def test_the_webhook_is_served_where_it_is_deployed(place: str) -> None:
    assert status(http("{}") | PLACES[place]) == 401


def test_without_a_secret_everything_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEBHOOK_SECRET")
    assert status(http("{}")) == 403
    assert webhook.answer(timer(), None)["status"] == "refused"


def test_a_browser_gets_a_page_and_a_client_a_problem() -> None:
    browser = webhook.answer(http("{}") | {"headers": {"Accept": "text/html"}}, None)
    client = webhook.answer(http("{}"), None)
    assert browser["headers"]["Content-Type"].startswith("text/html")
    assert client["headers"]["Content-Type"] == "application/problem+json"


def test_whoever_is_not_proven_learns_nothing_of_wrong_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "LOUD")
    response = webhook.answer(http("{}"), None)
    assert response["statusCode"] == 500
    assert "LOUD" not in response["body"]
