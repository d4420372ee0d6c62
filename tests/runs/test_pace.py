"""The pace: how many requests may be in flight, how long everybody waits, how often is tried again."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from shared.cloud.pace import BUDGET, REFILL
from tests.conftest import Cloud, assert_adds_up, policy


def builds(count: int, kept: int) -> dict[str, Any]:
    rule = policy("old", tag_regexp="b-.*", retained_top=kept)
    return {"name": "app", "policies": [rule], "images": [{"series": count, "tags": ["b-{n}"]}]}


def tags_left(cloud: Cloud) -> set[str]:
    (repository,) = cloud.emulator.state()["registries"]["crp1"]["repositories"].values()
    return {tag for image in repository["images"] for tag in image["tags"]}


def statuses(cloud: Cloud) -> Counter[int]:
    return Counter(call["status"] for call in cloud.emulator.calls())


def test_a_server_that_allows_fifty_calls_a_second_is_hardly_asked_for_more(cloud: Cloud) -> None:
    cloud.seed(builds(400, kept=10))
    cloud.emulator.behaviour(rate_limit={"per_second": 50, "retry_after": 1})

    report = cloud.clean(MAX_SHARE="1")

    assert (report["status"], report["totals"]["deleted"]) == ("ok", 390)
    assert tags_left(cloud) == {f"b-{n}" for n in range(1, 11)}
    answered = statuses(cloud)
    assert answered[200] >= 390
    assert 0 < answered[429] <= answered[200] / 10


def test_every_retry_is_counted_in_the_report(cloud: Cloud) -> None:
    cloud.seed(builds(20, kept=5))
    cloud.emulator.behaviour(
        faults=[
            {"match": "DELETE *", "status": 503, "code": 14, "retry_after": 0, "times": 3},
            {"match": "GET */images", "cut": "before", "times": 2},
        ]
    )

    report = cloud.clean()

    assert (report["status"], report["totals"]["deleted"], report["retries"]) == ("ok", 15, 5)


def test_a_cloud_that_is_down_is_not_asked_for_ever(cloud: Cloud) -> None:
    cloud.seed(builds(300, kept=30))
    before = cloud.left()
    cloud.emulator.behaviour(faults=[{"match": "DELETE *", "status": 503, "code": 14, "retry_after": 0}])

    report = cloud.clean()

    assert cloud.left() == before
    assert (report["status"], report["totals"]["failed"]) == ("partial", 270)
    assert report["retries"] <= BUDGET + REFILL * 20
    assert statuses(cloud)[503] == 270 + report["retries"]
    assert_adds_up(report)


@pytest.mark.slow
def test_of_two_thousand_images_exactly_the_right_ones_go_though_one_call_in_five_fails(cloud: Cloud) -> None:
    cloud.seed(builds(2000, kept=50))
    faults: list[dict[str, Any]] = [
        {"status": 429, "code": 8},
        {"status": 500, "code": 13},
        {"status": 503, "code": 14},
        {"cut": "before"},
        {"cut": "after"},
    ]
    share = 1 - 0.8 ** (1 / len(faults))  # so that one in five meets any of them
    api = "* /container-registry/*"
    cloud.emulator.behaviour(faults=[{"match": api, "share": share, **fault} for fault in faults])

    report = cloud.clean(MAX_SHARE="1")

    assert tags_left(cloud) == {f"b-{n}" for n in range(1, 51)}
    assert (report["status"], report["errors"]) == ("ok", [])
    assert (report["totals"]["deleted"], report["totals"]["already_gone"]) == (1950, 0)
    assert report["retries"] >= 300
    assert_adds_up(report)
