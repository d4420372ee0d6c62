"""The emulator times what others do by the calls of its client, hides what a test says, and tells all of
it.
"""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.emulator.client import RunningEmulator, service_account

IMAGES = "/container-registry/v1/images"
PLACE = {"registry_id": "crp1", "repository": "app"}
POLICY = {"id": "pol1", "status": "ACTIVE", "rules": [{"untagged": True, "retained_top": 1}]}


@pytest.fixture
def running(running_emulator: RunningEmulator) -> RunningEmulator:
    account, _ = service_account()
    images = [{"id": "img1", "tags": ["v1"]}, {"id": "img2"}]
    repositories = [{"name": "app", "policies": [POLICY], "images": images}, {"name": "other"}]
    running_emulator.seed(
        {
            "service_accounts": [account],
            "tokens": [{"token": "t1.test", "service_account_id": account["id"]}],
            "registries": [{"id": "crp1", "repositories": repositories}],
        }
    )
    return running_emulator


def call(running: RunningEmulator, path: str, method: str = "GET") -> dict[str, Any]:
    headers = {"Authorization": "Bearer t1.test"}
    return dict(requests.request(method, running.url + path, headers=headers, timeout=10).json())


def listed(running: RunningEmulator, repository: str = "app") -> list[str]:
    answer = call(running, f"{IMAGES}?repositoryName=crp1/{repository}")
    return [image["id"] for image in answer.get("images", [])]


def test_a_change_comes_before_the_call_of_its_number_is_answered(running: RunningEmulator) -> None:
    running.behaviour(changes=[{"before_call": 2, "do": {"delete_image": {"image_id": "img2"}}}])

    assert listed(running) == ["img1", "img2"]
    assert listed(running) == ["img1"]


def test_a_change_may_wait_for_a_later_call_whose_query_holds_a_text(running: RunningEmulator) -> None:
    change = {"after": f"GET {IMAGES}", "query": "Name=crp1/app", "skip": 1}
    running.behaviour(changes=[{**change, "do": {"delete_image": {"image_id": "img2"}}}])

    assert [listed(running, name) for name in ("app", "other", "other")] == [["img1", "img2"], [], []]
    assert running.image_ids() == {"img1", "img2"}
    assert listed(running) == ["img1", "img2"]
    assert running.image_ids() == {"img1"}


def test_a_list_leaves_out_what_a_fault_says(running: RunningEmulator) -> None:
    running.behaviour(faults=[{"match": f"GET {IMAGES}", "times": 1, "omit": ["img1"]}])

    assert [listed(running), listed(running)] == [["img2"], ["img1", "img2"]]


def test_the_history_tells_what_happened_in_order(running: RunningEmulator) -> None:
    add = {"add_tag": {"image_id": "img2", "tag": "v2"}}
    running.behaviour(
        changes=[
            {"before_call": 2, "do": {"delete_image": {"image_id": "img2"}}},
            {"before_call": 2, "do": add},
        ],
        faults=[{"match": f"GET {IMAGES}/img1", "status": 503, "code": 14}],
    )
    call(running, f"{IMAGES}/img1", "DELETE")
    call(running, f"{IMAGES}/img1")

    history = running.history()

    assert [(row["kind"], row.get("number")) for row in history] == [
        *[("call", 1), ("removed", None), ("answer", 1)],
        *[
            ("call", 2),
            ("change", None),
            ("removed", None),
            ("change", None),
            ("refused", None),
            ("answer", 2),
        ],
    ]
    assert [row["image_id"] for row in history if row["kind"] == "removed"] == ["img1", "img2"]
    assert history[-2]["do"] == add
    assert (history[-1]["status"], '"status": 503' in history[-1]["fault"]) == (503, True)
    assert [row["at"] for row in history] == sorted(row["at"] for row in history)


def test_policies_and_what_runs_may_change(running: RunningEmulator) -> None:
    other = {"id": "pol2", "status": "ACTIVE", "rules": [{"tag_regexp": ".*", "retained_top": 3}]}

    with pytest.raises(ValueError, match="has an ACTIVE policy already"):
        running.change(put_policy={**PLACE, "policy": other})
    running.change(delete_policy={"policy_id": "pol1"})
    running.change(put_policy={**PLACE, "policy": other})
    running.change(
        run={"containers": [{"id": "bba1", "revisions": [{"id": "rev1", "image": "cr.yandex/crp1/app:v1"}]}]}
    )

    policies = call(running, "/container-registry/v1/lifecyclePolicies?registryId=crp1")["lifecyclePolicies"]
    revisions = call(running, "/containers/v1/revisions?folderId=b1gfolder")["revisions"]
    assert [policy["id"] for policy in policies] == ["pol2"]
    assert [revision["id"] for revision in revisions] == ["rev1"]


def test_an_image_that_is_there_already_is_pushed_by_its_tags_alone(running: RunningEmulator) -> None:
    for name in ("index1", "index2"):
        running.change(add_image={**PLACE, "image": {"id": name, "index": ["img1"], "tags": [name]}})

    images = running.state()["registries"]["crp1"]["repositories"]["app"]["images"]
    assert {image["id"]: image["tags"] for image in images}["index1"] == ["index1", "index2"]
    assert running.image_ids() == {"img1", "img2", "index1"}
