"""Clean-ups in Cloud Registry, alone and together with Container Registry."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.cleanup.migration_notice import READ_ONLY_SINCE
from tests.conftest import FOLDER, Cloud, assert_adds_up, assert_complains, policy
from tests.emulator.client import service_account

OLD = '[[rules]]\nname = "old"\ntags = ".*"\nuntagged = true\nolder_than = "30d"\n'
ARTIFACTS = "/cloud-registry/v1/artifacts"
ROOMY = {"MAX_SHARE": "1"}


def registry(*repositories: dict[str, Any], registry_id: str = "crp2", **more: Any) -> dict[str, Any]:
    return {
        "id": registry_id,
        "folder_id": FOLDER,
        "name": "shop",
        "repositories": list(repositories),
        **more,
    }


def repository(*images: dict[str, Any], name: str = "app") -> dict[str, Any]:
    return {"name": name, "images": list(images)}


def old(name: str, *tags: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "age": "40d", "tags": list(tags), **more}


def native(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "pol2", "name": "nightly", "state": "ENABLED", "rules": list(rules), **more}


def deletes(kind: str = "HARD_DELETE", days: int = 30) -> dict[str, Any]:
    return {"delete": {"type": kind, "olderThanDays": days}}


@pytest.fixture
def rules(tmp_path: Any) -> dict[str, str]:
    file = tmp_path / "janitor.toml"
    file.write_text(OLD)
    return {"JANITOR_CONFIG": str(file), **ROOMY}


def seed(cloud: Cloud, *registries: dict[str, Any], **more: Any) -> None:
    cloud.emulator.seed({"service_accounts": [cloud.account], "cloud_registries": list(registries), **more})


def outcomes(report: dict[str, Any]) -> dict[str, str]:
    """The outcomes by repository and tags."""
    return {f"{row['repository']}:{','.join(row['tags'])}": row["outcome"] for row in report["images"]}


def reasons(report: dict[str, Any]) -> set[str]:
    return {row["reason"] for row in report["images"]}


def codes(report: dict[str, Any]) -> Counter[str]:
    return Counter(row["code"] for row in report["warnings"])


def deleted(cloud: Cloud) -> list[str]:
    return [call["path"].rpartition("/")[2] for call in cloud.emulator.calls() if call["method"] == "DELETE"]


def test_an_image_goes_with_all_its_tags_by_a_rule(cloud: Cloud, rules: dict[str, str]) -> None:
    young = {"id": "young", "tags": ["v3"], "age": "2d"}
    seed(cloud, registry(repository(old("one", "v1"), old("two", "v2", "also"), young)))

    report = cloud.clean(**rules)

    assert report["status"] == "ok", report
    assert cloud.emulator.artifact_ids() == {"young.v3"}
    assert outcomes(report) == {"app:v1": "deleted", "app:also,v2": "deleted"}
    assert {row["service"] for row in report["images"]} == {"cloud-registry"}
    assert_adds_up(report)


def test_a_registry_policy_is_run_dry_once_and_the_report_names_its_rule(cloud: Cloud) -> None:
    names = ("app", "web", "tools/ci")
    repositories = [
        repository(old(f"{name}-old", "v1"), {"id": f"{name}-new", "age": "1d", "tags": ["v2"]}, name=name)
        for name in names
    ]
    rules = [{"pathPrefix": "web", "keepByVersion": {"keepVersionsCount": 5}}, deletes("SOFT_DELETE")]
    seed(cloud, registry(*repositories, policies=[native(*rules)]))

    report = cloud.dry_run(**ROOMY)

    assert report["status"] == "ok", report
    assert outcomes(report) == {"app:v1": "would-delete", "tools/ci:v1": "would-delete"}
    assert reasons(report) == {"policy nightly (rule 2, SOFT_DELETE)"}
    [row] = report["policies"]
    assert (row["service"], row["repository"], row["status"], row["candidates"]) == (
        "cloud-registry",
        "",
        "ACTIVE",
        2,
    )
    dry_runs = [call for call in cloud.emulator.calls() if call["path"].endswith(":dryRun")]
    assert len(dry_runs) == 1

    report = cloud.clean(**ROOMY)

    assert set(outcomes(report).values()) == {"deleted"}
    assert cloud.emulator.artifact_ids() == {"app-new.v2", "web-new.v2", "web-old.v1", "tools/ci-new.v2"}


def test_what_a_keep_rule_retains_is_not_taken(cloud: Cloud) -> None:
    rules = [{"keepByVersion": {"keepVersionsCount": 1}}, deletes()]
    seed(cloud, registry(repository(old("one", "v1"), old("two", "v2")), policies=[native(*rules)]))
    cloud.emulator.behaviour(cloud_registry={"retained_in_dry_run": True})

    report = cloud.dry_run(**ROOMY)

    assert report["totals"]["candidates"] == 1, report


def test_an_image_of_which_a_policy_takes_one_tag_alone_stays(cloud: Cloud) -> None:
    rule = {"versionRegexp": "v.*", **deletes()}
    seed(cloud, registry(repository(old("both", "v1", "stable"), old("one", "v2")), policies=[native(rule)]))

    report = cloud.clean(**ROOMY)

    assert outcomes(report) == {"app:v2": "deleted"}
    assert cloud.emulator.artifact_ids() == {"both.v1", "both.stable"}


def test_a_disabled_policy_is_run_dry_and_not_applied(cloud: Cloud) -> None:
    seed(cloud, registry(repository(old("one", "v1")), policies=[native(deletes(), state="DISABLED")]))

    report = cloud.clean(**ROOMY)

    assert cloud.emulator.artifact_ids() == {"one.v1"}
    assert [(row["status"], row["applied"], row["candidates"]) for row in report["policies"]] == [
        ("DISABLED", False, 1)
    ]


def test_both_services_are_cleaned_in_one_run(cloud: Cloud, rules: dict[str, str]) -> None:
    app = repository(old("a", "v1"), old("b", "v2")) | {"policies": [policy()]}
    first = registry(app, registry_id="crp1")
    seed(cloud, registry(repository(old("one", "v1"))), registries=[first])

    report = cloud.clean(**rules)

    assert Counter(row["service"] for row in report["images"]) == {
        "container-registry": 2,
        "cloud-registry": 1,
    }
    assert report["totals"]["deleted"] == 3
    assert cloud.emulator.artifact_ids() == cloud.left() == set()
    assert_adds_up(report)


@pytest.mark.parametrize("service", ["cloud-registry", "container-registry"])
def test_one_service_alone_is_cleaned_if_the_settings_say_so(
    cloud: Cloud, rules: dict[str, str], service: str
) -> None:
    first = registry(repository(old("a", "v1")), registry_id="crp1")
    seed(cloud, registry(repository(old("one", "v1"))), registries=[first])

    report = cloud.clean(SERVICES=service, **rules)

    assert {row["service"] for row in report["images"]} == {service}


def test_a_migrated_registry_is_worked_on_in_cloud_registry_alone(
    cloud: Cloud, rules: dict[str, str]
) -> None:
    first = registry(repository(old("a", "v1")), registry_id="crp1")
    seed(cloud, registry(registry_id="crp1", migrated=True, redirects=False), registries=[first])

    report = cloud.clean(**rules)

    assert codes(report) == {"migrated": 1}
    assert "crp1" in report["warnings"][0]["message"]
    assert cloud.emulator.artifact_ids() == set()
    assert cloud.left() == {"a"}


def test_registries_that_hold_no_images_of_their_own_are_named_and_left(
    cloud: Cloud, rules: dict[str, str]
) -> None:
    seed(
        cloud,
        registry(repository(old("one", "v1")), type="REMOTE"),
        registry(registry_id="crp3", kind="MAVEN"),
    )

    report = cloud.clean(**rules)

    assert codes(report) == {"registry-left": 1, "no-registries": 1}
    assert "crp2" in report["warnings"][0]["message"]
    assert deleted(cloud) == []


@pytest.mark.parametrize("services", ["cloud-registry", "cloud-registry,container-registry"])
@pytest.mark.parametrize("why", [{"type": "REMOTE"}, {"kind": "MAVEN"}, {"status": "DELETING"}], ids=str)
def test_a_registry_that_is_named_and_holds_no_images_is_left_and_the_others_are_cleaned(
    cloud: Cloud, rules: dict[str, str], why: dict[str, str], services: str
) -> None:
    other = registry(repository(old("two", "v2")), registry_id="crp3")
    seed(cloud, registry(repository(old("one", "v1")), **why), other)

    report = cloud.clean(FOLDER_ID="", REGISTRY_IDS="crp2,crp3", SERVICES=services, **rules)

    assert (report["status"], codes(report)) == ("ok", {"registry-left": 1}), report
    assert outcomes(report) == {"app:v2": "deleted"}


def test_a_registry_may_be_named_by_its_id(cloud: Cloud, rules: dict[str, str]) -> None:
    seed(cloud, registry(repository(old("one", "v1"))))

    report = cloud.clean(FOLDER_ID="", REGISTRY_IDS="crp2", **rules)

    assert outcomes(report) == {"app:v1": "deleted"}


# --- what must stay ---


def test_the_children_of_an_index_that_stays_stay(cloud: Cloud, rules: dict[str, str]) -> None:
    index = {"id": "multi", "tags": ["multi"], "age": "1d", "index": ["amd", "arm"]}
    seed(cloud, registry(repository(old("amd"), old("arm"), old("bare"), index)))

    report = cloud.clean(**rules)

    assert cloud.emulator.cloud_image_ids() == {"amd", "arm", "multi"}
    assert Counter(row["guard"] for row in report["images"]) == {"index-child": 2, None: 1}


def test_the_children_stay_by_the_listing_alone(cloud: Cloud, rules: dict[str, str]) -> None:
    """The index's own manifest over V2 names fewer of them, as after a fault of that host."""
    index = {"id": "multi", "tags": ["multi"], "age": "1d", "index": ["amd", "arm"]}
    seed(cloud, registry(repository(old("amd"), old("arm"), index)))
    cloud.emulator.behaviour(faults=[{"match": "GET */manifests/*", "status": 500}])

    report = cloud.clean(**rules)

    assert cloud.emulator.cloud_image_ids() == {"amd", "arm", "multi"}
    assert report["status"] == "held-back"


def test_the_signature_of_an_image_that_stays_stays(cloud: Cloud, rules: dict[str, str]) -> None:
    kept = {"id": "kept", "tags": ["v9"], "age": "1d"}
    seed(cloud, registry(repository(kept)))
    [image] = cloud.emulator.state()["cloud_registries"]["crp2"]["repositories"]["app"]["images"]
    signature = old("sig", f"{image['digest'].replace(':', '-')}.sig")
    seed(cloud, registry(repository(kept, signature, old("one", "v1"))))

    report = cloud.clean(**rules)

    assert cloud.emulator.cloud_image_ids() == {"kept", "sig"}
    assert {row["guard"] for row in report["images"]} == {"referrer", None}


@pytest.mark.parametrize("listed", [True, False], ids=["listed", "not listed"])
@pytest.mark.parametrize("place", ["app", "signatures"])
def test_the_signature_of_a_child_of_an_index_that_stays_stays(
    cloud: Cloud, rules: dict[str, str], listed: bool, place: str
) -> None:
    """As `cosign sign --recursive` makes them, also where the registry does not list an index's children."""
    index = {"id": "multi", "tags": ["multi"], "age": "1d", "index": ["amd", "arm"]}
    seed(cloud, registry(repository(old("amd"), old("arm"), index)))
    children = cloud.emulator.state()["cloud_registries"]["crp2"]["repositories"]["app"]["images"]
    digest = next(image["digest"] for image in children if image["id"] == "arm")
    contents = {"app": [old("amd"), old("arm"), index], "signatures": [old("gone", "v1")]}
    contents[place].append(old("sig", f"{digest.replace(':', '-')}.sig"))
    seed(cloud, registry(*(repository(*held, name=name) for name, held in contents.items())))
    cloud.emulator.behaviour(cloud_registry={"children_listed": listed})

    report = cloud.clean(**rules)

    assert cloud.emulator.cloud_image_ids() == {"amd", "arm", "multi", "sig"}
    assert ("sig", "referrer") in {
        (tag[-3:], row["guard"]) for row in report["images"] for tag in row["tags"]
    }


@pytest.mark.parametrize("keeps_id", [True, False])
@pytest.mark.parametrize(
    "after", ["GET */artifacts", "GET */registries/crp2:listArtifacts", "GET */v2/crp2/app/tags/list"]
)
def test_a_tag_that_moves_to_another_image_is_not_deleted(
    cloud: Cloud, rules: dict[str, str], after: str, keeps_id: bool
) -> None:
    seed(
        cloud,
        registry(repository(old("one", "v1"), old("two", "v2"), {"id": "new", "tags": ["v9"], "age": "1h"})),
    )
    listed = cloud.emulator.state()["cloud_registries"]["crp2"]["repositories"]["app"]["images"]
    digest = next(image["digest"] for image in listed if image["id"] == "new")
    move = {"put_tag": {"registry_id": "crp2", "repository": "app", "digest": digest, "tag": "v1"}}
    cloud.emulator.behaviour(
        cloud_registry={"retag_keeps_id": keeps_id, "retag_keeps_created_at": keeps_id},
        changes=[{"after": after, "do": move}],
    )

    cloud.clean(**rules)

    state = cloud.emulator.state()["cloud_registries"]["crp2"]["repositories"]["app"]["artifacts"]
    assert {row["name"] for row in state if row["image_id"] == "new"} == {"v1", "v9"}


@pytest.mark.parametrize("count", [2, 60], ids=["few", "many"])
def test_an_image_goes_by_the_artifacts_that_it_has_now(
    cloud: Cloud, rules: dict[str, str], count: int
) -> None:
    """Its tag has moved, and kept the artifact's id; the image is there without a tag."""
    many = [old(f"i{number}", f"v{number}", age=f"{40 + number}d") for number in range(count)]
    seed(cloud, registry(repository(*many, {"id": "new", "tags": ["v99"], "age": "1h"})))
    listed = cloud.emulator.state()["cloud_registries"]["crp2"]["repositories"]["app"]["images"]
    digest = next(image["digest"] for image in listed if image["id"] == "new")
    move = {"put_tag": {"registry_id": "crp2", "repository": "app", "digest": digest, "tag": "v1"}}
    cloud.emulator.behaviour(
        cloud_registry={"retag_keeps_id": True, "untagged_kept": True},
        changes=[{"after": "GET */registries/crp2:listArtifacts", "do": move}],
    )

    report = cloud.clean(**rules)

    assert cloud.emulator.artifact_ids() == {"new.v99", "i1.v1"}, report
    assert set(outcomes(report).values()) == {"deleted"}


def test_a_folder_is_never_deleted(cloud: Cloud, rules: dict[str, str]) -> None:
    """Its id comes in a list of artifacts, as a server with a fault might tell it."""
    seed(cloud, registry(repository(old("one", "v1")), repository(old("two", "v1"), name="app/sub")))

    report = cloud.clean(**rules)

    assert outcomes(report) == {"app:v1": "deleted", "app/sub:v1": "deleted"}
    folders = {
        f"{row['id']}" for row in cloud.emulator.state()["cloud_registries"]["crp2"]["repositories"].values()
    }
    assert folders.isdisjoint(deleted(cloud))


def test_what_runs_stays_under_either_host(cloud: Cloud, rules: dict[str, str]) -> None:
    hosts = {"one": "cr.yandex", "two": "registry.yandexcloud.net"}
    containers = [
        {
            "id": f"bba{name}",
            "folder_id": FOLDER,
            "name": name,
            "revisions": [{"id": f"bbr{name}", "status": "ACTIVE", "image": f"{host}/crp2/app:{name}"}],
        }
        for name, host in hosts.items()
    ]
    seed(
        cloud,
        registry(repository(old("one", "one"), old("two", "two"), old("three", "three"))),
        containers=containers,
    )

    report = cloud.clean(**rules)

    assert cloud.emulator.artifact_ids() == {"one.one", "two.two"}, report


# --- faults ---


def test_a_part_that_cannot_be_deleted_leaves_the_image_and_is_told(
    cloud: Cloud, rules: dict[str, str]
) -> None:
    seed(cloud, registry(repository(old("one", "a", "b"), old("two", "c"))))
    cloud.emulator.behaviour(
        faults=[{"match": f"DELETE {ARTIFACTS}/one.b", "status": 400, "code": 9, "message": "no"}]
    )

    report = cloud.clean(**rules)

    assert cloud.emulator.artifact_ids() == {"one.b"}
    assert outcomes(report) == {"app:a,b": "failed", "app:c": "deleted"}
    [error] = report["errors"]
    assert "of its tags a is gone, b is there" in error["message"]
    assert report["status"] == "partial"


@pytest.mark.slow
def test_an_image_that_is_kept_amid_its_deletion_is_told_with_the_tags_that_it_has_lost(
    cloud: Cloud, rules: dict[str, str]
) -> None:
    """The first of its two deletes takes so long that all is looked at again, and then an index holds it."""
    seed(cloud, registry(repository(old("one", "a", "b"), {"id": "new", "tags": ["v9"], "age": "1d"})))
    index = {"id": "multi", "tags": ["multi"], "age": "1h", "index": ["one"]}
    push = {"push_artifact": {"registry_id": "crp2", "repository": "app", "image": index}}
    cloud.emulator.behaviour(
        faults=[{"match": f"DELETE {ARTIFACTS}/one.a", "delay_ms": 10_000}],
        changes=[{"after": f"GET {ARTIFACTS}/one.a", "do": push}],
    )

    report = cloud.clean(**rules)

    assert cloud.emulator.artifact_ids() == {"one.b", "new.v9", "multi.multi"}
    assert outcomes(report) == {"app:a,b": "protected"}
    assert_complains(report, "held-back", "of its tags a is gone, b is there")
    assert codes(report)["partly-deleted"] == 1


def test_an_image_that_gains_a_tag_while_its_others_go_is_not_told_as_deleted_by_an_empty_listing(
    cloud: Cloud, rules: dict[str, str]
) -> None:
    seed(cloud, registry(repository(old("one", "a", "b"), {"id": "new", "tags": ["v9"], "age": "1d"})))
    listed = cloud.emulator.state()["cloud_registries"]["crp2"]["repositories"]["app"]["images"]
    digest = next(image["digest"] for image in listed if image["id"] == "one")
    tag = {"put_tag": {"registry_id": "crp2", "repository": "app", "digest": digest, "tag": "c"}}
    lists = "GET */registries/crp2:listArtifacts"
    cloud.emulator.behaviour(
        faults=[{"match": lists, "body": "{}", "status": 200, "skip": 2, "times": 1}],
        changes=[{"after": f"GET {ARTIFACTS}/one.a", "do": tag}],
    )

    report = cloud.clean(**rules)

    assert cloud.emulator.cloud_image_ids() == {"one", "new"}
    assert outcomes(report) == {"app:a,b": "failed"}
    assert_complains(report, "partial", "of its tags a, b is gone, c is there")


@pytest.mark.parametrize("role", ["cloud-registry.viewer"])
def test_a_refused_delete_names_the_role_and_the_next_one_up(
    cloud: Cloud, rules: dict[str, str], role: str
) -> None:
    cloud.account, key = service_account(roles=[role, "cloud-registry.artifacts.puller", "viewer"])
    seed(cloud, registry(repository(old("one", "v1"))))

    report = cloud.clean(SA_KEY=json.dumps(key), GUARDS_IN_USE="none", **rules)

    assert_complains(report, "partial", "cloud-registry.artifacts.pusher", "cloud-registry.admin")


# --- Container Registry as it ends ---

FIRST = registry(repository(*(old(f"a{number}", f"v{number}") for number in range(120))), registry_id="crp1")


@pytest.mark.parametrize("code", [7, 9, 12])
def test_a_read_only_service_is_one_warning(cloud: Cloud, rules: dict[str, str], code: int) -> None:
    seed(cloud, registry(repository(old("one", "v1"))), registries=[FIRST])
    cloud.emulator.behaviour(container_registry={"read_only": code, "dry_run": True})

    report = cloud.clean(**rules)

    assert codes(report) == {"read-only": 1}
    assert report["errors"] == []
    assert report["status"] == "held-back"
    assert len(cloud.left()) == 120
    assert cloud.emulator.artifact_ids() == set()
    assert len(deleted(cloud)) < 100
    assert report["totals"]["remaining"] == 120
    assert {row["kept_by"] for row in report["images"] if row["outcome"] == "remaining"} == {"read-only"}
    assert "migration" in report["warnings"][0]["message"]
    assert_adds_up(report)


def test_a_plan_says_what_a_read_only_service_will_refuse_and_a_clean_up_tries_all_the_same(
    cloud: Cloud, rules: dict[str, str], tmp_path: Path
) -> None:
    seed(cloud, registries=[FIRST])
    read_only = {"read-only": 1} if datetime.now(UTC) >= READ_ONLY_SINCE else {}

    plan = cloud.clean(CLEANUP_MODE="plan", STATE_DIR=str(tmp_path), **rules)

    assert (plan["status"], plan["totals"]["remaining"]) == ("ok", 0)
    assert codes(plan) == read_only
    assert all("migration" in warning["message"] for warning in plan["warnings"])
    done = cloud.clean(STATE_DIR=str(tmp_path), **rules)
    assert (done["status"], done["totals"]["deleted"], codes(done)) == ("ok", 120, {})


def test_a_refusal_of_some_deletes_is_an_error_for_each(cloud: Cloud, rules: dict[str, str]) -> None:
    seed(cloud, registries=[FIRST])
    cloud.emulator.behaviour(
        faults=[{"match": "DELETE */images/a1", "status": 403, "code": 7, "message": "no"}]
    )

    report = cloud.clean(**rules)

    assert codes(report) == {}
    assert report["status"] == "partial"
    assert (report["totals"]["deleted"], report["totals"]["failed"]) == (119, 1)


@pytest.mark.parametrize("closed", [404, 410])
def test_a_closed_service_is_one_warning(cloud: Cloud, rules: dict[str, str], closed: int) -> None:
    seed(cloud, registry(repository(old("one", "v1"))), registries=[FIRST])
    cloud.emulator.behaviour(container_registry={"closed": closed})

    report = cloud.clean(**rules)

    assert codes(report) == {"service-unavailable": 1}
    assert report["status"] == "ok"
    assert cloud.emulator.artifact_ids() == set()


def test_a_closed_service_whose_registry_is_named_is_an_error(cloud: Cloud, rules: dict[str, str]) -> None:
    seed(cloud, registry(repository(old("one", "v1"))), registries=[FIRST])
    cloud.emulator.behaviour(container_registry={"closed": 410})

    report = cloud.clean(FOLDER_ID="", REGISTRY_IDS="crp1,crp2", **rules)

    assert report["status"] == "failed"
    assert cloud.emulator.artifact_ids() == {"one.v1"}
