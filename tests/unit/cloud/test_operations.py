"""An operation is waited for until it is done, and what its end means."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from shared.cloud.operations import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    Operation,
    OperationError,
    failure,
    get,
    unsettled,
    wait,
)
from shared.errors import UNKNOWN, CallError, OutOfTime
from tests.support.json_server import Clock, JsonServer, json_server

CALL = "GET /operations/op1"
BEGUN = Operation("op1")
UNDONE: dict[str, Any] = {"id": "op1", "done": False}
DONE: dict[str, Any] = {"id": "op1", "done": True, "response": {"x": 1}}
ERROR = {"code": 9, "message": "in use"}


@pytest.fixture
def service() -> Iterator[JsonServer]:
    with json_server() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_what_is_done_is_not_asked_about(service: JsonServer, clock: Clock) -> None:
    done = Operation("op1", done=True)
    assert wait(service.cloud(clock), done, "DELETE /x", at_most=0) is done
    assert (service.calls(), clock.slept) == ([], [])


def test_an_operation_is_asked_about_until_it_is_done(service: JsonServer, clock: Clock) -> None:
    for document in (UNDONE, UNDONE, DONE):
        service.answer(CALL, document)

    operation = wait(service.cloud(clock), BEGUN, "DELETE /x", at_most=60)

    assert msgspec.json.decode(operation.response) == {"x": 1}
    assert service.calls() == [CALL] * 3
    assert clock.slept == pytest.approx([FIRST_PAUSE, 0.15, 0.225])


def test_an_error_counts_only_when_the_operation_is_done(service: JsonServer, clock: Clock) -> None:
    service.answer(CALL, {**UNDONE, "error": ERROR})
    service.answer(CALL, DONE)
    assert wait(service.cloud(clock), BEGUN, "DELETE /x", at_most=60).done


def test_an_operation_that_failed_is_the_calls_error(service: JsonServer, clock: Clock) -> None:
    service.answer(CALL, {"id": "op1", "done": True, "error": ERROR})
    with pytest.raises(CallError, match="the operation op1 failed: in use") as caught:
        wait(service.cloud(clock), BEGUN, "DELETE /x", at_most=60)
    assert (caught.value.code, caught.value.where, caught.value.retryable) == (9, "DELETE /x", False)


def test_an_error_of_code_0_is_none(service: JsonServer, clock: Clock) -> None:
    service.answer(CALL, {**DONE, "error": {"code": 0}})
    assert wait(service.cloud(clock), BEGUN, "DELETE /x", at_most=60).done


def test_an_operation_that_is_never_done_is_left_in_time(service: JsonServer, clock: Clock) -> None:
    service.answer(CALL, UNDONE)
    with pytest.raises(CallError, match="op1 is not done after 7 s") as caught:
        wait(service.cloud(clock), BEGUN, "DELETE /x", at_most=7)

    assert caught.value.code == UNKNOWN
    assert 6 <= sum(clock.slept) <= 7
    assert all(first <= second for first, second in pairwise(clock.slept))
    assert clock.slept[-1] == LONGEST_PAUSE


def test_the_end_of_the_run_ends_the_waiting(service: JsonServer, clock: Clock) -> None:
    service.answer(CALL, UNDONE)
    with pytest.raises(OutOfTime, match="DELETE /x: the operation op1 is not done"):
        wait(service.cloud(clock, ends_at=clock.now + 2), BEGUN, "DELETE /x", at_most=60)
    assert sum(clock.slept) < 2


def test_an_id_is_one_part_of_the_path(service: JsonServer) -> None:
    service.answer("GET /operations/..%2Fx%3Fy", DONE)
    assert get(service.cloud(), "../x?y").done


def test_errors_name_the_call_and_the_operation() -> None:
    errors = [failure(OperationError(9, "in use"), "op1", "DELETE /x"), unsettled(BEGUN, "DELETE /x", 2.4)]
    assert [(error.where, error.code, error.message) for error in errors] == [
        ("DELETE /x", 9, "the operation op1 failed: in use"),
        ("DELETE /x", UNKNOWN, "the operation op1 is not done after 2 s"),
    ]
