"""How a run's gauges reach Monitoring, and what is said when they do not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest

from shared.cloud.client import Cloud
from shared.cloud.monitoring import PATH, write
from tests.support.json_server import TOKEN, JsonServer, json_server

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
GAUGES = [{"name": "images", "type": "DGAUGE", "value": 3}]
CALL = f"POST {PATH}"


@pytest.fixture
def service() -> Iterator[JsonServer]:
    with json_server() as server:
        yield server


def written(cloud: Cloud | None, seconds: float = 30) -> str:
    return write(cloud, "b1gfolder", GAUGES, AT, time.monotonic() + seconds)


def test_gauges_are_written_into_the_folder_with_the_time_and_the_token(service: JsonServer) -> None:
    service.answer(CALL, {"writtenMetricsCount": "1"})
    assert written(service.cloud()) == ""

    (request,) = service.requests
    assert parse_qs(request.query) == {"folderId": ["b1gfolder"], "service": ["custom"]}
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.body == {
        "ts": "2026-11-25T12:00:00+00:00",
        "labels": {"app": "registry-janitor"},
        "metrics": GAUGES,
    }


@pytest.mark.parametrize(("message", "fault"), [("bad label", "bad label"), ("x" * 500, "x" * 200)])
def test_a_good_answer_may_name_a_fault(service: JsonServer, message: str, fault: str) -> None:
    service.answer(CALL, {"errorMessage": message})
    assert written(service.cloud()) == fault


def test_a_refusal_names_the_role_that_is_missing(service: JsonServer) -> None:
    service.answer(CALL, {"code": 7, "message": "no"}, 403)
    assert "monitoring.editor on the folder" in written(service.cloud())


def test_monitoring_that_stumbles_is_asked_three_times(service: JsonServer) -> None:
    service.answer(CALL, {"code": 13, "message": "oops"}, 500)
    assert "oops" in written(service.cloud())
    assert service.calls() == [CALL] * 3


def test_nothing_is_written_when_the_time_is_over(service: JsonServer) -> None:
    assert written(service.cloud(), seconds=-1) == "no good answer in time"
    assert service.calls() == []


def test_nothing_is_written_without_credentials(service: JsonServer) -> None:
    cloud = service.cloud()
    cloud.credentials = None
    assert [written(None), written(cloud)] == ["there are no credentials"] * 2
    assert service.calls() == []
