"""The emulator answers as the cloud is documented to, and misbehaves when asked to."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.support.emulator import DRY_RUN, POLICIES, RESULTS, Cloud, affected, seed_of

OLD_AND_NEW = [
    {"id": "old-a", "tags": ["a-1"], "age": "50d"},
    {"id": "mid-a", "tags": ["a-2"], "age": "40d"},
    {"id": "new-a", "tags": ["a-3"], "age": "1d"},
    {"id": "old-ab", "tags": ["a-4", "b-1"], "age": "60d"},
    {"id": "old-bare", "tags": [], "age": "50d"},
    {"id": "new-bare", "tags": [], "age": "1d"},
]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param([{"tag_regexp": "a-.*", "expire_period": "30d"}], {"old-a", "mid-a"}, id="age"),
        pytest.param(
            [{"tag_regexp": "a-.*", "retained_top": 1}], {"old-a", "mid-a"}, id="all but the newest"
        ),
        pytest.param(
            [{"tag_regexp": "a-.*", "retained_top": 2, "expire_period": "30d"}], {"old-a"}, id="age and count"
        ),
        pytest.param([{"tag_regexp": "a", "expire_period": "1d"}], set(), id="the whole tag must match"),
        pytest.param(
            [{"tag_regexp": "[ab]-.*", "expire_period": "55d"}],
            {"old-ab"},
            id="all tags match, so it is taken",
        ),
        pytest.param([{"untagged": True, "expire_period": "30d"}], {"old-bare"}, id="untagged"),
        pytest.param(
            [{"untagged": True, "tag_regexp": "a-1", "expire_period": "30d"}],
            {"old-bare", "old-a"},
            id="either",
        ),
        pytest.param(
            [{"tag_regexp": "a-.*", "expire_period": "30d"}, {"tag_regexp": "a-1", "expire_period": "90d"}],
            {"mid-a"},
            id="one rule that keeps is enough",
        ),
        pytest.param(
            [{"tag_regexp": "a-1", "expire_period": "30d"}, {"untagged": True, "retained_top": 1}],
            {"old-a", "old-bare"},
            id="rules about different images",
        ),
    ],
)
def test_a_dry_run_takes_what_the_rules_say(
    cloud: Cloud, rules: list[dict[str, Any]], expected: set[str]
) -> None:
    cloud.running.seed(seed_of(OLD_AND_NEW, rules))
    assert affected(cloud) == expected


def test_a_dry_run_deletes_nothing_and_keeps_what_it_saw(cloud: Cloud) -> None:
    operation = cloud.json("POST", f"{DRY_RUN}/pol1")
    result = {name: value for name, value in operation["response"].items() if name != "@type"}
    result_id = result["dryRunLifecyclePolicyResultId"]
    cloud.running.change(delete_image={"image_id": "img1"})
    listed = cloud.json("GET", f"{RESULTS}/{result_id}:affectedImages")["affectedImages"]
    assert [(image["id"], image["tags"]) for image in listed] == [("img1", ["build-1"])]
    assert cloud.json("GET", f"{RESULTS}/{result_id}") == result
    assert cloud.json("GET", f"{RESULTS}?lifecyclePolicyId=pol1") == {
        "dryRunLifecyclePolicyResults": [result]
    }


def test_a_dry_run_has_no_result_before_its_operation_ends(cloud: Cloud) -> None:
    cloud.running.behaviour(operation_ms=100)
    operation = cloud.json("POST", f"{DRY_RUN}/pol1")
    result_id = operation["metadata"]["dryRunLifecyclePolicyResultId"]
    assert cloud.refusal("GET", f"{RESULTS}/{result_id}")[:2] == (404, 5)
    time.sleep(0.15)
    assert cloud.json("GET", f"{RESULTS}/{result_id}")["affectedImagesCount"] == "1"


def test_a_policy_is_created_changed_and_deleted(cloud: Cloud) -> None:
    rule = {"untagged": True, "expirePeriod": "172800s"}
    body = {"repositoryId": "repo1", "name": "bare", "status": "DISABLED", "rules": [rule]}
    policy = cloud.json("POST", POLICIES, json=body)["response"]
    path = f"{POLICIES}/{policy['id']}"
    assert cloud.json("GET", path)["rules"] == [rule]
    cloud.json("PATCH", path, json={"updateMask": "description", "description": "new", "status": "DISABLED"})
    assert cloud.json("GET", path)["name"] == "bare"
    cloud.json("PATCH", path, json={"status": "DISABLED", "rules": [rule]})
    assert "name" not in cloud.json("GET", path)
    assert cloud.json("DELETE", path)["done"]
    assert cloud.refusal("GET", path)[:2] == (404, 5)


def test_a_repository_has_one_active_policy(cloud: Cloud) -> None:
    body = {"repositoryId": "repo1", "status": "ACTIVE", "rules": [{"untagged": True, "retainedTop": 1}]}
    assert cloud.refusal("POST", POLICIES, json=body)[:2] == (400, 9)


@pytest.mark.parametrize(
    "query", ["registryId=crp1", "repositoryId=repo1", 'registryId=crp1&filter=name="old-builds"']
)
def test_policies_are_listed_by_registry_or_by_repository(cloud: Cloud, query: str) -> None:
    (policy,) = cloud.json("GET", f"{POLICIES}?{query}")["lifecyclePolicies"]
    assert (policy["id"], policy["status"], policy["repositoryId"]) == ("pol1", "ACTIVE", "repo1")
    assert policy["rules"] == [{"expirePeriod": "2592000s", "tagRegexp": "build-.*"}]
