"""What changes while a clean-up is at work: it looks again before each batch of deletions, and whenever a
look is old.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import FOLDER, Cloud, assert_adds_up, assert_complains, images, outcomes, policy
from tests.support.function_server import Instance

DRY_RUN = "GET /container-registry/v1/dryRunLifecyclePolicyResults/*"
LISTING = "GET /container-registry/v1/images"
DELETE = "DELETE /container-registry/v1/images/*"
SPEED = 20.0
UNTAGGED = {"untagged": True, "expire_period": "24h"}


def untagged(*names: str) -> list[dict[str, Any]]:
    return [{"id": name, "age": "9d"} for name in names]


def repository(*contents: dict[str, Any], **rule: Any) -> dict[str, Any]:
    return {"name": "app", "policies": [policy("app", **(rule or UNTAGGED))], "images": list(contents)}


def seed_cloud_registry(cloud: Cloud, contents: dict[str, Any], *keeps: dict[str, Any]) -> None:
    """One registry in Cloud Registry, whose policy takes what is older than a day and not kept."""
    rule = {"delete": {"type": "HARD_DELETE", "olderThanDays": 1}}
    native = {"id": "pol2", "name": "old", "state": "ENABLED", "rules": [*keeps, rule]}
    crp2 = {"id": "crp2", "folder_id": FOLDER, "name": "shop", "policies": [native]}
    cloud.seed(registries=[], cloud_registries=[{**crp2, "repositories": [contents]}])


def push(image: dict[str, Any]) -> dict[str, Any]:
    return {"add_image": {"registry_id": "crp1", "repository": "app", "image": image}}


def clean_fast(cloud: Cloud, **settings: str) -> dict[str, Any]:
    """The report of a clean-up whose clock runs so fast that a tenth of a second is two seconds."""
    environment = cloud.environment | {"CLEANUP_MODE": "apply", "MAX_SHARE": "1"} | settings
    instance = Instance(cloud.bundle, "cleanup.handler", environment, 3600, speed=SPEED)
    try:
        report: dict[str, Any] = instance.call({})["result"]
        return report
    finally:
        instance.close()


def test_a_child_that_is_tagged_while_its_index_is_deleted_stays(cloud: Cloud) -> None:
    cloud.seed(repository({"id": "index", "age": "9d", "index": ["child"]}, *untagged("child", "spare")))
    tag = {"add_tag": {"image_id": "child", "tag": "stable"}}
    cloud.emulator.behaviour(changes=[{"after": "DELETE */images/index", "do": tag}])

    report = cloud.clean(MAX_SHARE="1")

    assert cloud.left() == {"child"}
    assert outcomes(report) == {"index": "deleted", "spare": "deleted", "child": "remaining"}
    assert_adds_up(report)


def test_the_images_of_an_index_that_is_pushed_meanwhile_stay(cloud: Cloud) -> None:
    cloud.seed(repository({"id": "old", "age": "9d", "index": ["child"]}, *untagged("child")))
    pushed = push({"id": "new", "tags": ["v2"], "age": "0s", "index": ["child"]})
    cloud.emulator.behaviour(changes=[{"after": "DELETE */images/old", "do": pushed}])

    report = cloud.clean(MAX_SHARE="1")

    assert cloud.left() == {"new", "child"}
    assert outcomes(report) == {"old": "deleted", "child": "protected"}


def test_the_images_of_an_index_that_only_the_second_look_shows_stay(cloud: Cloud) -> None:
    """The first look is too old once the tags were listed; meanwhile the index was pushed."""
    cloud.seed(repository({"id": "kept", "tags": ["v1"]}, *untagged("child", "spare")))
    pushed = push({"id": "new", "age": "0s", "index": ["child"]})
    tags = "GET /v2/crp1/app/tags/list"
    cloud.emulator.behaviour(
        faults=[{"match": tags, "delay_ms": 12_000 / SPEED}], changes=[{"after": tags, "do": pushed}]
    )

    report = clean_fast(cloud)

    assert cloud.left() == {"kept", "new", "child"}
    assert outcomes(report) == {"child": "protected", "spare": "deleted"}


def test_a_batch_ends_when_its_look_is_old(cloud: Cloud) -> None:
    """Two deletes of two seconds at once: half of twenty are due when the first look is ten seconds old."""
    names = [f"i{number:02}" for number in range(20)]
    cloud.seed(repository(*untagged(*names)))
    tags = [{"add_tag": {"image_id": name, "tag": f"keep-{name}"}} for name in names]
    cloud.emulator.behaviour(
        faults=[{"match": DELETE, "delay_ms": 2000 / SPEED}],
        changes=[{"after": DELETE, "do": tag} for tag in tags],
    )

    report = clean_fast(cloud, CONCURRENCY="2")

    assert 4 <= len(cloud.left()) < 20
    assert set(outcomes(report).values()) == {"deleted", "remaining"}
    assert_adds_up(report)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"delete_policy": {"policy_id": "pol-app"}}, id="deleted"),
        pytest.param(
            {
                "put_policy": {
                    "registry_id": "crp1",
                    "repository": "app",
                    "policy": policy("app", untagged=True, expire_period="2400h"),
                }
            },
            id="changed",
        ),
        pytest.param(
            {
                "put_policy": {
                    "registry_id": "crp1",
                    "repository": "app",
                    "policy": policy("app", "DISABLED", **UNTAGGED),
                }
            },
            id="disabled",
        ),
    ],
)
def test_nothing_goes_by_a_policy_that_is_no_longer_what_it_was(cloud: Cloud, change: Any) -> None:
    cloud.seed(repository(*untagged("old", "older")))
    cloud.emulator.behaviour(changes=[{"after": DRY_RUN, "do": change}])

    report = cloud.clean(MAX_SHARE="1")

    assert cloud.left() == {"old", "older"}
    assert outcomes(report) == {"old": "remaining", "older": "remaining"}
    assert "no-longer-taken" in {row["code"] for row in report["warnings"]}
    assert_adds_up(report)


@pytest.mark.parametrize("after", [DRY_RUN, LISTING], ids=["the dry run", "the first listing"])
def test_what_a_manual_delete_makes_one_of_the_newest_stays(cloud: Cloud, after: str) -> None:
    names = [f"i{n}" for n in range(8)]
    cloud.seed(
        {
            "name": "app",
            "policies": [policy("app", tag_regexp=".*", retained_top=3)],
            "images": images(*names),
        }
    )
    cloud.emulator.behaviour(changes=[{"after": after, "do": {"delete_image": {"image_id": "i0"}}}])

    report = cloud.clean()

    assert cloud.left() == {"i1", "i2", "i3"}
    assert outcomes(report)["i3"] == "remaining"
    assert_adds_up(report)


def test_what_a_tag_of_another_image_makes_one_of_the_newest_stays(cloud: Cloud) -> None:
    """With a tag that the policy does not take, an image counts no more among the newest that it keeps."""
    rules: list[dict[str, Any]] = [{"tag_regexp": "i.*", "retained_top": 3}, UNTAGGED]
    index = {"id": "multi", "age": "9d", "index": ["i3"]}
    contents = [*images(*(f"i{number}" for number in range(6))), index]
    cloud.seed({"name": "app", "policies": [{**policy("app"), "rules": rules}], "images": contents})
    tag = {"add_tag": {"image_id": "i1", "tag": "stable"}}
    cloud.emulator.behaviour(changes=[{"after": "DELETE */images/multi", "do": tag}])

    report = cloud.clean(MAX_SHARE="1")

    assert cloud.left() == {"i0", "i1", "i2", "i3"}
    assert outcomes(report)["i3"] == "remaining"
    assert_adds_up(report)


def test_what_others_delete_is_gone_also_where_a_list_takes_long(cloud: Cloud) -> None:
    """A list takes six seconds, longer than the deletes may stay unsettled, and a second one confirms it."""
    cloud.seed(repository(*untagged("old", "older")))
    gone = {"delete_image": {"image_id": "older"}}
    cloud.emulator.behaviour(
        faults=[{"match": LISTING, "delay_ms": 6000 / SPEED}], changes=[{"after": "DELETE */old", "do": gone}]
    )

    report = clean_fast(cloud, CONCURRENCY="1")

    assert outcomes(report) == {"old": "deleted", "older": "already-gone"}
    assert report["status"] == "ok"


def test_a_delete_that_the_cloud_delays_is_not_sent_by_an_old_look(cloud: Cloud) -> None:
    """The wait that a 429 asks for is longer than a look is good for."""
    cloud.seed(repository(*untagged("old", "older")))
    tag = {"add_tag": {"image_id": "older", "tag": "stable"}}
    cloud.emulator.behaviour(
        faults=[{"match": "DELETE */images/older", "status": 429, "code": 8, "retry_after": 11, "times": 1}],
        changes=[{"after": "DELETE */images/old", "do": tag}],
    )

    report = cloud.clean(MAX_SHARE="1")

    assert "older" in cloud.left()
    assert outcomes(report)["older"] == "remaining"
    assert_adds_up(report)


def test_an_image_that_begins_to_run_during_a_long_clean_up_stays(cloud: Cloud) -> None:
    """What runs is looked at again after a minute; the deletes take longer."""
    cloud.seed(repository(*untagged(*(f"i{number:03}" for number in range(160)))))
    contents = cloud.emulator.state()["registries"]["crp1"]["repositories"]["app"]["images"]
    revisions = [
        {"id": f"r{number}", "image": f"cr.yandex/crp1/app@{image['digest']}"}
        for number, image in enumerate(contents)
    ]
    container = {"id": "bba1", "folder_id": FOLDER, "name": "late", "revisions": revisions}
    cloud.emulator.behaviour(
        faults=[{"match": DELETE, "delay_ms": 4000 / SPEED}],
        changes=[{"after": DELETE, "do": {"run": {"containers": [container]}}}],
    )

    report = clean_fast(cloud, CONCURRENCY="4")

    assert 10 <= len(cloud.left()) < 160
    assert set(outcomes(report).values()) == {"deleted", "protected"}
    assert_adds_up(report)


def test_an_image_that_is_kept_while_a_tag_of_it_goes_is_told_before_that_is_seen(cloud: Cloud) -> None:
    """The first of its two deletes takes so long that all is looked at again, and then is not done yet."""
    index = {"id": "multi", "tags": ["multi"], "age": "1h", "index": ["one"]}
    seed_cloud_registry(cloud, {"name": "app", "images": [{"id": "one", "tags": ["a", "b"], "age": "9d"}]})
    push_index = {"push_artifact": {"registry_id": "crp2", "repository": "app", "image": index}}
    cloud.emulator.behaviour(
        operation_ms=2000,
        faults=[{"match": "DELETE */artifacts/one.a", "delay_ms": 12_000 / SPEED}],
        changes=[{"after": "GET */artifacts/one.a", "do": push_index}],
    )

    report = clean_fast(cloud)

    assert [row["outcome"] for row in report["images"]] == ["protected"]
    assert_complains(report, "held-back", "was begun and not carried on: some of its tags may be gone")


@pytest.mark.parametrize(
    "pushed",
    [
        pytest.param({"put_tag": {"tag": "v59", "digest": "new"}}, id="its tag moves"),
        pytest.param({"put_tag": {"tag": "fine", "digest": "i59"}}, id="it gains a tag"),
        pytest.param(
            {"push_artifact": {"image": {"id": "multi", "tags": ["m"], "age": "1m", "index": ["i59"]}}},
            id="an index needs it",
        ),
    ],
)
def test_what_is_pushed_amid_a_big_batch_stays(cloud: Cloud, pushed: dict[str, Any]) -> None:
    """A batch of Cloud Registry is too big for a look at each of its artifacts; the last one is due late."""
    old = [{"id": f"i{number}", "tags": [f"v{number}"], "age": "9d"} for number in range(60)]
    seed_cloud_registry(cloud, {"name": "app", "images": [*old, {"id": "new", "tags": ["v60"], "age": "1h"}]})
    listed = cloud.emulator.state()["cloud_registries"]["crp2"]["repositories"]["app"]["images"]
    digests = {image["id"]: image["digest"] for image in listed}
    [(name, arguments)] = pushed.items()
    if "digest" in arguments:
        arguments = arguments | {"digest": digests[arguments["digest"]]}
    cloud.emulator.behaviour(
        cloud_registry={"retag_keeps_id": True},
        faults=[{"match": "DELETE */artifacts/*", "delay_ms": 1200 / SPEED}],
        changes=[
            {
                "after": "DELETE */artifacts/*",
                "do": {name: {"registry_id": "crp2", "repository": "app", **arguments}},
            }
        ],
    )

    report = clean_fast(cloud, CONCURRENCY="16")

    artifacts = cloud.emulator.state()["cloud_registries"]["crp2"]["repositories"]["app"]["artifacts"]
    assert "v59" in {row["name"] for row in artifacts}, report
    assert report["totals"]["deleted"] >= 59
    assert_adds_up(report)


def test_a_big_batch_goes_though_what_was_written_last_cannot_be_asked_for(cloud: Cloud) -> None:
    old = [{"id": f"i{number}", "tags": [f"v{number}"], "age": f"{9 + number}d"} for number in range(60)]
    seed_cloud_registry(cloud, {"name": "app", "images": old})
    last = {"match": "GET /cloud-registry/v1/artifacts", "query": "orderBy=modified_at desc"}
    cloud.emulator.behaviour(faults=[{**last, "status": 400, "code": 3, "message": "no such order"}])

    report = cloud.clean(MAX_SHARE="1")

    assert cloud.emulator.artifact_ids() == set()
    asked = [call for call in cloud.emulator.calls() if "modified_at" in call["query"]]
    assert (report["status"], len(asked)) == ("ok", 1)


def test_what_a_delete_between_two_batches_makes_one_of_the_newest_stays(cloud: Cloud) -> None:
    """A policy of a whole registry is run dry anew then: its last result took the image."""
    contents = [{"id": f"i{number}", "tags": [f"v{number}"], "age": f"{9 + number}d"} for number in range(5)]
    index = {"id": "multi", "tags": ["m"], "age": "20d", "index": ["i3"]}
    seed_cloud_registry(
        cloud,
        {"name": "app", "images": [*contents, index]},
        {"keepByVersion": {"keepVersionsCount": 3}},
    )
    gone = {"delete_artifact": {"artifact_id": "i0.v0"}}
    cloud.emulator.behaviour(changes=[{"after": "DELETE */artifacts/multi.m", "do": gone}])

    report = cloud.clean(MAX_SHARE="1")

    assert cloud.emulator.artifact_ids() == {"i1.v1", "i2.v2", "i3.v3"}
    assert [row["outcome"] for row in report["images"] if row["tags"] == ["v3"]] == ["remaining"]
    assert_adds_up(report)
