"""The emulator answers as the cloud is documented to, and misbehaves when asked to."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.support.emulator import DRY_RUN, IMAGES, Cloud, affected, seed_of, signed

DELETES = f"DELETE {IMAGES}/*"


def misbehave(cloud: Cloud, match: str = DELETES, **fault: Any) -> None:
    cloud.running.behaviour(faults=[{"match": match, **fault}])


def test_an_error_shows_as_often_as_asked_and_skips_the_first(cloud: Cloud) -> None:
    misbehave(cloud, "GET /*", skip=1, times=2, status=503, code=14, message="busy", retry_after=2)
    answers = [cloud.get(f"{IMAGES}/img1") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 503, 503, 200]
    assert answers[1].headers["Retry-After"] == "2"
    assert answers[1].json()["code"] == 14


def test_a_share_of_the_calls_fails_and_the_same_seed_fails_the_same_ones(cloud: Cloud) -> None:
    def statuses(seed: int) -> list[int]:
        fault = {"match": "GET /*", "share": 0.3, "status": 503}
        cloud.running.behaviour(seed=seed, faults=[fault])
        return [cloud.get(f"{IMAGES}/img1").status_code for _ in range(60)]

    assert statuses(1) == statuses(1) != statuses(2)
    assert 5 < statuses(1).count(503) < 35


@pytest.mark.parametrize(
    ("cut", "left"),
    [("before", {"img1", "img2", "img3"}), ("after", {"img2", "img3"}), ("body", {"img2", "img3"})],
)
def test_a_connection_is_cut_before_or_after_the_call_takes_effect(
    cloud: Cloud, cut: str, left: set[str]
) -> None:
    misbehave(cloud, cut=cut)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        cloud.call("DELETE", f"{IMAGES}/img1")
    assert cloud.running.image_ids() == left
    assert cloud.running.calls()[-1]["status"] == 0


def test_a_proxy_answers_in_html(cloud: Cloud) -> None:
    misbehave(cloud, html=502)
    answer = cloud.call("DELETE", f"{IMAGES}/img1")
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (502, "text/html")
    misbehave(cloud, html=200)
    assert cloud.call("DELETE", f"{IMAGES}/img1").text.startswith("<html>")


def test_any_text_may_be_the_answer(cloud: Cloud) -> None:
    misbehave(cloud, body='{"images": [')
    answer = cloud.call("DELETE", f"{IMAGES}/img1")
    assert (answer.status_code, answer.text) == (200, '{"images": [')
    misbehave(cloud, body="[]", status=404)
    assert cloud.call("DELETE", f"{IMAGES}/img1").status_code == 404


def test_an_answer_may_be_late_or_never_come(cloud: Cloud) -> None:
    misbehave(cloud, delay_ms=100)
    begun = time.monotonic()
    assert cloud.call("DELETE", f"{IMAGES}/img1").status_code == 200
    assert time.monotonic() - begun >= 0.1
    misbehave(cloud, hang=True)
    with pytest.raises(requests.Timeout):
        cloud.call("DELETE", f"{IMAGES}/img2", timeout=0.2)
    assert "img2" in cloud.running.image_ids()


def test_every_call_waits_for_the_latency_and_overlaps_are_counted(cloud: Cloud) -> None:
    cloud.running.behaviour(latency_ms=50)
    begun = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: requests.get(cloud.running.url + IMAGES, timeout=10), range(4)))
    assert [answer.status_code for answer in answers] == [401] * 4
    assert time.monotonic() - begun >= 0.05
    assert cloud.running.peak_in_flight() > 1


def test_all_tokens_expire_in_the_middle(cloud: Cloud) -> None:
    misbehave(cloud, expire_tokens=True, times=1)
    assert cloud.refusal("DELETE", f"{IMAGES}/img1")[:2] == (401, 16)
    cloud.token = cloud.json("POST", "/iam/v1/tokens", json={"jwt": signed()})["iamToken"]
    assert cloud.call("DELETE", f"{IMAGES}/img1").status_code == 200


def test_an_operation_fails_without_effect(cloud: Cloud) -> None:
    misbehave(cloud, operation_error={"code": 13, "message": "broken"})
    operation = cloud.json("DELETE", f"{IMAGES}/img1")
    assert operation["error"] == {"code": 13, "message": "broken"}
    assert "img1" in cloud.running.image_ids()


def test_an_operation_may_show_its_error_before_it_is_done(cloud: Cloud) -> None:
    fault = {"match": DELETES, "operation_error": {"code": 13, "message": "broken", "before_done": True}}
    cloud.running.behaviour(operation_ms=100, faults=[fault])
    operation = cloud.json("DELETE", f"{IMAGES}/img1")
    assert operation["error"]["code"] == 13
    assert "done" not in operation
    time.sleep(0.15)
    assert cloud.json("GET", f"/operations/{operation['id']}")["done"]


def test_an_operation_may_never_end(cloud: Cloud) -> None:
    misbehave(cloud, operation_never_done=True)
    operation = cloud.json("DELETE", f"{IMAGES}/img1")
    assert "done" not in cloud.json("GET", f"/operations/{operation['id']}")
    assert "img1" in cloud.running.image_ids()


def test_calls_over_the_rate_limit_are_told_to_wait(cloud: Cloud) -> None:
    cloud.running.behaviour(rate_limit={"per_second": 5, "retry_after": 1})
    answers = [cloud.get(f"{IMAGES}/img1") for _ in range(10)]
    assert [answer.status_code for answer in answers[:5]] == [200] * 5
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 4
    assert refused[0].json()["code"] == 8
    assert refused[0].headers["Retry-After"] == "1"


def tags_by_id(cloud: Cloud) -> dict[str, list[str]]:
    repository = cloud.running.state()["registries"]["crp1"]["repositories"]["team-a/app"]
    return {image["id"]: image["tags"] for image in repository["images"]}


def test_a_change_follows_the_first_call_that_matches(cloud: Cloud) -> None:
    change = {"after": f"POST {DRY_RUN}/*", "do": {"add_tag": {"image_id": "img1", "tag": "keep"}}}
    cloud.running.behaviour(changes=[change])
    cloud.get(f"{IMAGES}/img1")
    assert tags_by_id(cloud)["img1"] == ["build-1"]
    assert affected(cloud) == {"img1"}
    assert tags_by_id(cloud)["img1"] == ["build-1", "keep"]
    cloud.running.change(remove_tag={"image_id": "img1", "tag": "keep"})
    assert affected(cloud) == {"img1"}
    assert tags_by_id(cloud)["img1"] == ["build-1"]


def test_images_and_tags_change_at_once_when_asked(cloud: Cloud) -> None:
    image = {"id": "img4", "tags": ["build-2"], "age": "0s"}
    cloud.running.change(add_image={"registry_id": "crp1", "repository": "team-a/app", "image": image})
    assert tags_by_id(cloud) == {"img1": ["build-1"], "img2": [], "img3": [], "img4": ["build-2"]}


def test_calls_are_kept_with_their_routes(cloud: Cloud) -> None:
    cloud.get(f"{IMAGES}/img1?a=b")
    (call,) = cloud.running.calls()
    assert (call["method"], call["path"], call["query"]) == ("GET", f"{IMAGES}/img1", "a=b")
    assert (call["route"], call["status"]) == (f"{IMAGES}/{{image_id}}", 400)
    assert cloud.running.call_counts() == {f"GET {IMAGES}/{{image_id}}": 1}
    cloud.running.clear_calls()
    assert cloud.running.calls() == []


@pytest.mark.parametrize(
    ("seed", "named"),
    [
        ({"registrys": []}, "registrys"),
        (seed_of([{"tag": ["v1"]}]), "'tag'"),
        (seed_of([{"series": 2, "age": "1d"}]), "'age'"),
        (seed_of([{"age": "yesterday"}]), "yesterday"),
        (seed_of([{"series": 2, "tags": ["latest"]}]), "latest"),
        (seed_of([{"id": "img1"}, {"id": "img1"}]), "img1"),
        (seed_of([], [{"tag_regexp": "a"}]), "expire_period"),
        (seed_of([], [{"regexp": "a"}]), "'regexp'"),
        ({"tokens": [{"token": "t", "service_account_id": "nobody"}]}, "nobody"),
    ],
)
def test_a_seed_that_cannot_be_read_is_refused_by_name(
    cloud: Cloud, seed: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        cloud.running.seed(seed)


@pytest.mark.parametrize(
    ("behaviour", "named"),
    [
        ({"latency": 5}, "latency"),
        ({"faults": [{"match": "GET /*", "explode": True}]}, "explode"),
        ({"faults": [{"match": "GET /*"}]}, "effect"),
        ({"faults": [{"match": "GET /*", "hang": True, "html": 502}]}, "effect"),
        ({"faults": [{"match": "GET /*", "cut": "before", "status": 502}]}, "effect"),
        ({"changes": [{"after": "GET /*", "do": {"rename": {}}}]}, "rename"),
    ],
)
def test_a_behaviour_that_cannot_be_read_is_refused_by_name(
    cloud: Cloud, behaviour: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        cloud.running.behaviour(**behaviour)


def test_the_same_seed_makes_the_same_images(cloud: Cloud) -> None:
    seed = {
        **seed_of([{"series": 5, "tags": ["v{n}"], "shared_layers": 2}, {}]),
        "now": "2026-11-24T00:00:00Z",
    }
    lists = []
    for _ in range(2):
        cloud.running.seed(seed)
        lists.append(cloud.json("GET", f"{IMAGES}?registryId=crp1")["images"])
    assert lists[0] == lists[1]
    series = [image for image in lists[0] if "tags" in image]
    for one, other in itertools.pairwise(series):
        shared = {layer["digest"] for layer in one["layers"]} & {layer["digest"] for layer in other["layers"]}
        assert len(shared) == 2
    newest = next(image for image in series if image["tags"] == ["v1"])
    assert newest["createdAt"] == "2026-11-23T23:00:00Z"
