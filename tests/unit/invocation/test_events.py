"""The forms in which an invocation arrives, and what each asks for."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import EventError
from shared.invocation.events import Request, parse
from shared.retention.records import RepositoryName
from tests.support.cloud import http, push, timer
from tests.support.event_forms import APPLY, JSON, encoded


def message(event_type: str, **details: Any) -> dict[str, Any]:
    return {"messages": [{"event_metadata": {"event_type": event_type}, "details": details}]}


ASKED = {
    "nothing": (None, {}),
    "an empty text": ("", {}),
    "an empty object": ({}, {}),
    "bare overrides": ({"mode": "apply"}, {"mode": "apply"}),
    "overrides as text": (APPLY, {"mode": "apply"}),
    "a timer without a payload": (timer(), {}),
    "a timer with free text": (timer("every night"), {}),
    "a timer with a JSON list": (timer("[1]"), {}),
    "a timer with overrides": (timer(APPLY), {"mode": "apply"}),
    "an HTTP call without a body": (http(), {}),
    "an HTTP call with overrides": (http(APPLY), {"mode": "apply"}),
    "an HTTP call in Base64": (http(encoded(APPLY), base64_encoded=True), {"mode": "apply"}),
}


@pytest.mark.parametrize(("event", "overrides"), ASKED.values(), ids=ASKED)
def test_an_event_asks_for_everything_with_its_overrides(event: object, overrides: dict[str, Any]) -> None:
    assert parse(event) == Request(overrides)


PUSHED = {
    "an image": (push("crp1/team-a/app"), {("crp1", "crp1/team-a/app")}),
    "a tag": (push("crp1/app", event="CreateImageTag"), {("crp1", "crp1/app")}),
    "several repositories, one of them twice": (
        push("crp1/app", "crp2/app", "crp1/app"),
        {("crp1", "crp1/app"), ("crp2", "crp2/app")},
    ),
    "a repository without its registry's id": (
        message(
            "yandex.cloud.events.containerregistry.CreateImage", registry_id="crp1", repository_name="app"
        ),
        {("crp1", "crp1/app")},
    ),
    "a deletion": (push("crp1/app", event="DeleteImage"), set()),
    "a tag's deletion": (push("crp1/app", event="DeleteImageTag"), set()),
    "a push among deletions": (
        {
            "messages": [
                *push("crp1/app", event="DeleteImageTag")["messages"],
                *push("crp1/web")["messages"],
            ]
        },
        {("crp1", "crp1/web")},
    ),
}


@pytest.mark.parametrize(("event", "repositories"), PUSHED.values(), ids=PUSHED)
def test_a_registry_event_asks_for_the_repositories_that_were_pushed(
    event: dict[str, Any], repositories: set[tuple[str, str]]
) -> None:
    only = frozenset(RepositoryName(*repository) for repository in repositories)
    assert parse(event) == (Request(only=only) if only else Request(idle=True))


NOT_UNDERSTOOD: dict[str, object] = {
    "a list": [1],
    "a number": 5,
    "true": True,
    "text that is not JSON": "hello",
    "text that is a JSON list": "[]",
    "no messages": {"messages": []},
    "messages that are no list": {"messages": "x"},
    "a message that is no object": {"messages": ["x"]},
    "a message without metadata": {"messages": [{"details": {}}]},
    "a message without details": {"messages": [{"event_metadata": {"event_type": "x"}}]},
    "an unknown event type": message("yandex.cloud.events.storage.ObjectCreate"),
    "a payload that is broken JSON": timer('{"mode": '),
    "a push without a repository": message(
        "yandex.cloud.events.containerregistry.CreateImage", registry_id="crp1"
    ),
    "timers with different payloads": {
        "messages": [*timer(APPLY)["messages"], *timer('{"mode": "dry-run"}')["messages"]]
    },
    "a timer among pushes": {"messages": [*timer()["messages"], *push("crp1/app")["messages"]]},
    "a body that is not JSON": http("mode=apply"),
    "a body that is a JSON list": http("[]"),
    "a body that is not Base64": http("{}", base64_encoded=True),
    "a body in Base64 that is not text": http(base64.b64encode(b"\xff\xfe").decode(), base64_encoded=True),
    "a body that is no text": http() | {"body": {"mode": "apply"}},
    "a body of a hundred thousand brackets": http("[" * 100_000),
}


@pytest.mark.parametrize("event", NOT_UNDERSTOOD.values(), ids=NOT_UNDERSTOOD)
def test_an_event_that_is_not_understood_is_an_error_that_says_what_to_send(event: object) -> None:
    with pytest.raises(EventError, match=r"event|body|payload|message") as caught:
        parse(event)
    assert len(str(caught.value)) < 400


EVENT_LIKE = st.fixed_dictionaries(
    {},
    optional={
        "messages": st.lists(
            st.fixed_dictionaries({}, optional={"event_metadata": JSON, "details": JSON}), max_size=2
        )
        | JSON,
        "httpMethod": JSON,
        "body": JSON,
        "isBase64Encoded": JSON,
    },
)


@given(JSON | EVENT_LIKE)
def test_any_json_is_either_a_request_or_an_event_error(event: object) -> None:
    try:
        assert isinstance(parse(event).overrides, dict)
    except EventError as error:
        assert str(error)
