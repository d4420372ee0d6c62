"""Cloud Registry's lifecycle policies in the emulator, and what their dry runs take."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.emulator.client import RunningEmulator, service_account
from tests.support.cloud_registry import POLICIES, RESULTS, pages, seed_of
from tests.support.rest import Rest

IMAGES: list[dict[str, Any]] = [
    {"id": "new", "tags": ["v3"], "age": "1d"},
    {"id": "mid", "tags": ["v2"], "age": "20d"},
    {"id": "old", "tags": ["v1", "stable"], "age": "40d"},
    {"id": "bare", "age": "50d"},
]
HARD_AFTER_30 = {"delete": {"type": "HARD_DELETE", "olderThanDays": 30}}
ALWAYS = {"delete": {"type": "SOFT_DELETE", "cooldownPeriodDays": 7, "always": True}}


@pytest.fixture
def cloud(running_emulator: RunningEmulator) -> Rest:
    running_emulator.seed(seed_of(*IMAGES))
    return Rest(running_emulator)


def create(cloud: Rest, *rules: dict[str, Any], **fields: Any) -> str:
    body = {"registryId": "crp1", "name": "old", "rules": list(rules), **fields}
    return str(cloud.done("POST", POLICIES, body)["id"])


def dry_run(cloud: Rest, policy_id: str) -> dict[str, Any]:
    operation = cloud.operation("POST", f"{POLICIES}/{policy_id}:dryRun", {})
    assert operation["metadata"]["policyId"] == policy_id
    assert "dryRunId" not in operation["metadata"]
    return dict(operation["response"])


def taken(cloud: Rest, result: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Rule type and index by the version that they take; a digest is called `bare`."""
    listed = pages(cloud, f"{RESULTS}/{result['dryRunId']}:artifacts?pageSize=2")
    return {
        "bare" if ":" in item["version"] else item["version"]: (
            item["affectedBy"]["ruleType"].removeprefix("LIFECYCLE_RULE_TYPE_"),
            item["affectedBy"].get("ruleIndex", "0"),
        )
        for page in listed
        for item in page
    }


HARD, SOFT, RETAIN = ("HARD_DELETE", "0"), ("SOFT_DELETE", "0"), ("RETAIN", "0")


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param([HARD_AFTER_30], {"v1": HARD, "stable": HARD, "bare": HARD}, id="age"),
        pytest.param([ALWAYS], dict.fromkeys(("v1", "v2", "v3", "stable", "bare"), SOFT), id="always"),
        pytest.param(
            [{"delete": {"type": "HARD_DELETE", "versionCondition": {"versionsCountGreaterThan": 3}}}],
            {"v1": HARD, "bare": HARD},
            id="count: the newest stay",
        ),
        pytest.param(
            [HARD_AFTER_30, {"keepByVersion": {"keepVersionsCount": "4"}}],
            {"bare": HARD},
            id="KEEP by count comes first",
        ),
        pytest.param(
            [ALWAYS, {"keepByAge": {"youngerThanDays": 30}}],
            {"v1": SOFT, "stable": SOFT, "bare": SOFT},
            id="KEEP by age comes first",
        ),
        pytest.param(
            [ALWAYS | {"versionRegexp": "v.*"}, HARD_AFTER_30],
            {
                "v1": SOFT,
                "v2": SOFT,
                "v3": SOFT,
                "stable": ("HARD_DELETE", "1"),
                "bare": ("HARD_DELETE", "1"),
            },
            id="the first rule that takes it is told",
        ),
        pytest.param([ALWAYS | {"dockerFilters": {"tagStatus": "UNTAGGED"}}], {"bare": SOFT}, id="untagged"),
        pytest.param(
            [HARD_AFTER_30 | {"dockerFilters": {"tagStatus": "TAGGED"}}],
            {"v1": HARD, "stable": HARD},
            id="tagged",
        ),
        pytest.param([HARD_AFTER_30 | {"pathPrefix": "team-b, other"}], {}, id="another prefix"),
        pytest.param(
            [HARD_AFTER_30 | {"pathPrefix": "team-b,team-a/.*", "versionRegexp": "v1"}],
            {"v1": HARD},
            id="a prefix",
        ),
    ],
)
def test_a_dry_run_names_what_goes_and_its_rule(
    cloud: Rest, rules: list[dict[str, Any]], expected: dict[str, Any]
) -> None:
    result = dry_run(cloud, create(cloud, *rules))
    assert taken(cloud, result) == expected
    counts = [kind for kind, _ in expected.values()]
    assert int(result.get("artifactsToHardDeleteCount", 0)) == counts.count("HARD_DELETE")
    assert int(result.get("artifactsToSoftDeleteCount", 0)) == counts.count("SOFT_DELETE")
    assert len(result["policySnapshot"]) == len(rules)


def test_counts_are_by_repository(cloud: Rest) -> None:
    repositories = [
        {"name": name, "images": [{"tags": [f"{name}{n}"], "age": f"{n}d"} for n in (1, 2)]} for name in "ab"
    ]
    cloud.running.seed(seed_of(repositories=repositories))
    rule = {"delete": {"type": "HARD_DELETE", "versionCondition": {"versionsCountGreaterThan": 1}}}
    assert set(taken(cloud, dry_run(cloud, create(cloud, rule)))) == {"a2", "b2"}


def test_what_is_kept_may_be_named_too(cloud: Rest) -> None:
    cloud.running.behaviour(cloud_registry={"retained_in_dry_run": True})
    keep = {"keepByAge": {"youngerThanDays": 30}}
    named = taken(cloud, dry_run(cloud, create(cloud, keep, HARD_AFTER_30)))
    assert {version for version, rule in named.items() if rule == RETAIN} == {"v2", "v3"}


def test_results_stay_and_are_listed_newest_first(cloud: Rest) -> None:
    policy_id = create(cloud, HARD_AFTER_30)
    first, second = dry_run(cloud, policy_id), dry_run(cloud, policy_id)
    [listed] = pages(cloud, f"{RESULTS}?policyId={policy_id}", "results")
    assert [result["dryRunId"] for result in listed] == [second["dryRunId"], first["dryRunId"]]
    cut = quote(second["runAt"])
    [listed] = pages(cloud, f"{RESULTS}?policyId={policy_id}&runBefore={cut}", "results")
    assert [result["dryRunId"] for result in listed] == [first["dryRunId"]]
    told = cloud.get(f"{RESULTS}/{first['dryRunId']}")
    assert told["policyId"] == policy_id
    cloud.done("DELETE", f"{POLICIES}/{policy_id}")
    assert cloud.refusal("GET", f"{POLICIES}/{policy_id}")[:2] == (404, 5)


def test_the_artifacts_of_a_dry_run_are_filtered_and_ordered(cloud: Rest) -> None:
    path = f"{RESULTS}/{dry_run(cloud, create(cloud, ALWAYS))['dryRunId']}:artifacts"
    page = cloud.get(f"{path}?versionFilter=" + quote('version = "v2"'))
    assert [item["artifactId"] for item in page["artifacts"]] == ["mid.v2"]
    page = cloud.get(f"{path}?orderBy=path%20desc&pageSize=1")
    assert page["artifacts"][0]["path"] == "/team-a/app/v3"
    assert cloud.refusal("GET", f"{path}?orderBy=version")[:2] == (400, 3)


def test_a_policy_is_changed_by_mask_and_by_state(cloud: Rest) -> None:
    policy_id = create(cloud, HARD_AFTER_30)
    assert cloud.get(f"{POLICIES}/{policy_id}")["state"] == "DISABLED"
    assert cloud.call("POST", f"{POLICIES}/{policy_id}:changeState", {"state": "ENABLED"}).json() == {}
    changed = cloud.done("PATCH", f"{POLICIES}/{policy_id}", {"updateMask": "name", "name": "older"})
    assert (changed["name"], changed["state"], len(changed["rules"])) == ("older", "ENABLED", 1)
    [listed] = pages(cloud, f"{POLICIES}?registryId=crp1", "policies")
    assert [policy["id"] for policy in listed] == [policy_id]


def test_a_registry_has_ten_policies_and_one_enabled(cloud: Rest) -> None:
    first = create(cloud, HARD_AFTER_30, state="ENABLED")
    others = [create(cloud, HARD_AFTER_30) for _ in range(9)]
    for body in ({"registryId": "crp1", "rules": [HARD_AFTER_30]},):
        assert cloud.operation("POST", POLICIES, body)["error"]["code"] == 9
    assert cloud.refusal("POST", f"{POLICIES}/{others[0]}:changeState", {"state": "ENABLED"})[:2] == (400, 9)
    cloud.call("POST", f"{POLICIES}/{first}:changeState", {"state": "DISABLED"})
    assert cloud.call("POST", f"{POLICIES}/{others[0]}:changeState", {"state": "ENABLED"}).status_code == 200


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param([{"pathPrefix": "a"}], id="no kind"),
        pytest.param([{"delete": {"type": "HARD_DELETE"}}], id="no condition"),
        pytest.param([{"delete": {"always": True}}], id="no type"),
        pytest.param([HARD_AFTER_30 | {"versionRegexp": "("}], id="expression"),
        pytest.param([HARD_AFTER_30] * 11, id="eleven rules"),
        pytest.param([HARD_AFTER_30 | {"tagRegexp": "v.*"}], id="the other service's words"),
    ],
)
def test_rules_that_cannot_be_are_refused(cloud: Rest, rules: list[dict[str, Any]]) -> None:
    assert cloud.refusal("POST", POLICIES, {"registryId": "crp1", "rules": rules})[:2] == (400, 3)


def test_a_dry_run_needs_the_role_that_the_switch_names(cloud: Rest) -> None:
    account, _ = service_account(roles=["cloud-registry.viewer", "cloud-registry.artifacts.pusher"])
    policy = {"id": "pol1", "rules": [HARD_AFTER_30]}
    cloud.running.seed(seed_of(*IMAGES, account=account, policies=[policy]))
    assert set(taken(cloud, dry_run(cloud, "pol1"))) == {"v1", "stable", "bare"}
    cloud.running.behaviour(cloud_registry={"dry_run_role": "cloud-registry.editor"})
    assert cloud.refusal("POST", f"{POLICIES}/pol1:dryRun", {})[:2] == (403, 7)
    assert cloud.refusal("DELETE", f"{POLICIES}/pol1")[:2] == (403, 7)


def test_others_change_policies_too(cloud: Rest) -> None:
    policy = {"id": "pol1", "state": "ENABLED", "rules": [HARD_AFTER_30]}
    cloud.running.change(put_cloud_policy={"registry_id": "crp1", "policy": policy})
    assert cloud.running.state()["cloud_registries"]["crp1"]["policies"][0]["state"] == "ENABLED"
    with pytest.raises(ValueError, match="enabled"):
        cloud.running.change(put_cloud_policy={"registry_id": "crp1", "policy": {**policy, "id": "pol2"}})
    cloud.running.change(delete_cloud_policy={"policy_id": "pol1"})
    assert cloud.get(f"{POLICIES}?registryId=crp1") == {}
