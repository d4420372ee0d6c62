"""Events that nobody has signed: one answer for all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.invocation import unsigned
from shared.invocation.task import Invocation
from tests.support.cloud import push, timer

EVENTS: dict[str, object] = {
    "a timer": timer(),
    "a push": push("crp1/app"),
    "a deletion": push("crp1/app", event="DeleteImage"),
    "what is no event": [1],
    "nothing": None,
}


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
@pytest.mark.parametrize("environment", [{}, {"FOLDER_ID": "b1g1"}, {"LOG_LEVEL": "LOUD"}], ids=str)
def test_every_event_gets_the_same_answer_and_without_a_state_directory_starts_nothing(
    event: object, environment: dict[str, str]
) -> None:
    response = unsigned.take(event, Invocation(environment))
    assert (response["statusCode"], response["body"]) == (202, '{"status": "accepted"}')


def test_a_push_to_a_registry_that_is_not_in_the_settings_costs_no_call_and_leaves_no_trace(
    tmp_path: Path,
) -> None:
    invocation = Invocation({"REGISTRY_IDS": "crp2", "STATE_DIR": str(tmp_path)})
    assert unsigned.take(push("crp1/app"), invocation)["statusCode"] == 202
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
