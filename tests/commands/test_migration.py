"""``migration``: what has arrived in Cloud Registry, and what has not. It changes nothing."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FOLDER, Cloud, policy
from tests.support.command_line import run
from tests.support.in_use import cluster, pod

MANY = 20_000
APP = "team-a/app"


def image(name: str, *tags: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "tags": list(tags), "age": "9d", **more}


def seed(cloud: Cloud, *images: dict[str, Any], policies: list[Any] | None = None, **more: Any) -> None:
    """The registry ``crp1``, migrated; the two copies are independent unless ``more`` says otherwise."""
    target = {
        "id": "crp1",
        "folder_id": FOLDER,
        "migrated": True,
        "redirects": False,
        **more.pop("target", {}),
    }
    repository = {"name": APP, "images": list(images), "policies": policies or []}
    cloud.seed(repository, cloud_registries=[target], **more)
    cloud.environment["LOG_LEVEL"] = "WARN"


def lose(cloud: Cloud, *names: str) -> None:
    """Deletes the artifacts of Cloud Registry that have these tags or, without a tag, are of these images."""
    contents = cloud.emulator.state()["cloud_registries"]["crp1"]["repositories"][APP]
    artifacts = {artifact["path"].rpartition("/")[2]: artifact["id"] for artifact in contents["artifacts"]}
    ids = {artifact["id"] for artifact in contents["artifacts"]}
    for name in names:
        cloud.emulator.change(
            delete_artifact={"artifact_id": artifacts.get(name) or (name if name in ids else "")}
        )


def told(cloud: Cloud, *, status: int = 0, **settings: str) -> dict[str, Any]:
    """What the command says of the registry ``crp1``."""
    ended = run(cloud, "migration", "--json", **settings)
    assert ended.returncode == status, ended.stdout + ended.stderr
    document: dict[str, Any] = json.loads(ended.stdout)
    assert document["errors"] == []
    (registry,) = [row for row in document["registries"] if row["registry_id"] == "crp1"]
    return dict(registry)


def counted(registry: dict[str, Any]) -> dict[str, int]:
    return {what: count for what, count in registry["missing"].items() if count}


def digests(cloud: Cloud) -> dict[str, str]:
    images = cloud.emulator.state()["registries"]["crp1"]["repositories"][APP]["images"]
    return {row["id"]: row["digest"] for row in images}


SPECIAL = [
    image("amd"),
    image("arm"),
    image("arm7"),
    image("multi", "latest", index=["amd", "arm", "arm7"]),
    image("signed", "v1"),
    image("signature", signature_of="signed"),
]


@pytest.mark.slow
@pytest.mark.parametrize("redirects", [False, True])
def test_exactly_what_has_not_arrived_is_found_among_many(cloud: Cloud, redirects: bool) -> None:
    series = {"series": MANY - 3, "tags": ["t{n}"], "step": "1m", "layers": 1}
    seed(cloud, *SPECIAL, series, target={"redirects": redirects})
    known = digests(cloud)
    signature = f"{known['signed'].replace(':', '-')}.sig"
    lost = [f"t{number}" for number in range(1000, 1037)]
    moved = [f"t{number}" for number in range(5000, 5003)]
    lose(cloud, *lost, "arm", "arm7", signature)
    for tag in moved:
        cloud.emulator.change(
            put_tag={"registry_id": "crp1", "repository": APP, "tag": tag, "digest": known["amd"]}
        )

    registry = told(cloud, status=1)

    assert counted(registry) == {"tag": 37, "other-digest": 3, "index-child": 2, "signature": 1}
    found = {
        what: {row["tag"] for row in registry["differences"] if row["what"] == what}
        for what in counted(registry)
    }
    assert found == {
        "tag": set(lost),
        "other-digest": set(moved),
        "index-child": {""},
        "signature": {signature},
    }
    children = {row["digest"] for row in registry["differences"] if row["what"] == "index-child"}
    assert children == {known["arm"], known["arm7"]}
    assert (registry["state"], registry["arrived"], registry["creation_times"]) == ("moved", False, "kept")
    assert registry["source"]["tags"] == MANY
    routes = cloud.emulator.call_counts()
    assert sum(count for route, count in routes.items() if "manifests" in route) < 20
    assert [call for call in cloud.emulator.changing_calls() if not call.startswith("HEAD ")] == []


def test_a_registry_that_has_arrived_is_said_to(cloud: Cloud) -> None:
    seed(cloud, *SPECIAL)

    registry = told(cloud)

    assert (registry["arrived"], counted(registry)) == (True, {})
    assert registry["creation_times"] == "kept"
    assert registry["source"]["images"] == registry["target"]["images"] == len(SPECIAL)


@pytest.mark.parametrize("listed", [True, False])
def test_parts_of_an_index_that_are_there_but_not_listed_have_arrived(cloud: Cloud, listed: bool) -> None:
    seed(cloud, *SPECIAL)
    cloud.emulator.behaviour(cloud_registry={"children_listed": listed})

    assert told(cloud)["arrived"] is True


def test_untagged_images_and_signatures_with_a_subject_are_told_apart(cloud: Cloud) -> None:
    seed(cloud, image("a", "v1"), image("sbom", subject="a"), image("bare"), image("kept"))
    lose(cloud, "sbom", "bare")

    registry = told(cloud, status=1)

    assert counted(registry) == {"digest": 1, "signature": 1}
    assert registry["differences"][1]["of"] == digests(cloud)["a"]


def test_what_runs_is_named_by_either_host(cloud: Cloud) -> None:
    pods = [
        pod("one", f"cr.yandex/crp1/{APP}:v1"),
        pod("two", f"registry.yandexcloud.net/crp1/{APP}:v2"),
        pod("three", f"registry.yandexcloud.net/crp1/{APP}:v3"),
    ]
    seed(cloud, image("a", "v1"), image("b", "v2"), image("c", "v3"), clusters=[cluster(*pods)])
    lose(cloud, "v1", "v2")

    registry = told(cloud, status=1)

    assert registry["in_use"] == {"known": True, "images": 3, "arrived": 1}
    assert [
        "one" in registry["differences"][0]["used_by"],
        "two" in registry["differences"][1]["used_by"],
    ] == [
        True,
        True,
    ]


def test_creation_times_that_are_lost_are_said_to_be(cloud: Cloud) -> None:
    series = {"series": 30, "tags": ["t{n}"], "step": "1d"}
    seed(cloud, series, target={"migrated_at": "2026-11-20T10:00:00Z"})

    registry = told(cloud)

    assert (registry["creation_times"], registry["created_on"]) == ("lost", "2026-11-20")


def test_before_the_migration_it_says_what_would_move_and_what_nobody_needs(
    cloud: Cloud, tmp_path: Path
) -> None:
    old = policy("builds", tag_regexp="b-.*", retained_top=2)
    repository = {"name": APP, "policies": [old], "images": [{"series": 10, "tags": ["b-{n}"], "step": "1d"}]}
    cloud.seed(repository, {"name": "team-a/app2", "images": [image("x", "v1")]})

    registry = told(cloud)

    assert (registry["state"], registry["arrived"], registry["target"]) == ("to-move", None, None)
    assert (registry["source"]["repositories"], registry["source"]["tags"]) == (2, 11)
    assert [(row["reason"], row["images"]) for row in registry["left_behind"]] == [("policy builds", 8)]
    assert tomllib.loads(registry["rules"])["rules"][0]["keep_newest"] == 2
    assert "team-a/app2" in registry["policies"][0]["no_policy"][0]
    assert registry["new_policies"] == []
    assert not any("lifecyclePolicies" in call for call in cloud.emulator.changing_calls())


def test_a_policy_becomes_a_body_that_cloud_registry_takes(cloud: Cloud) -> None:
    seed(cloud, image("a", "b-1"), policies=[policy("builds", tag_regexp="b-.*", expire_period="720h")])

    (body,) = told(cloud)["new_policies"]

    assert body["state"] == "DISABLED"
    assert body["registryId"] == "crp1"
    assert body["rules"][0]["delete"] == {"type": "HARD_DELETE", "olderThanDays": "30"}


def test_a_registry_that_cloud_registry_alone_has_is_not_compared(cloud: Cloud) -> None:
    repository = {"name": APP, "images": [image("a", "v1")]}
    cloud.emulator.seed(
        {
            "service_accounts": [cloud.account],
            "cloud_registries": [{"id": "crp1", "folder_id": FOLDER, "repositories": [repository]}],
        }
    )

    registry = told(cloud)

    assert (registry["state"], registry["arrived"], registry["source"]) == ("target-only", None, None)


def test_when_the_old_service_is_closed_the_new_one_is_looked_at_alone(cloud: Cloud) -> None:
    seed(cloud, image("a", "v1"))
    cloud.emulator.behaviour(container_registry={"closed": 410})

    ended = run(cloud, "migration")

    assert ended.returncode == 0
    assert "nothing to compare" in ended.stdout
    assert "Container Registry cannot be asked" in ended.stdout


def test_what_cannot_be_read_is_not_said_to_be_missing(cloud: Cloud) -> None:
    seed(cloud, *SPECIAL)
    lose(cloud, "arm")
    faults = [{"match": "* /cloud-registry-v2/*", "status": 403, "code": 7}]
    cloud.emulator.behaviour(faults=faults)

    ended = run(cloud, "migration", "--json")

    document = json.loads(ended.stdout)
    assert ended.returncode == 1
    assert document["registries"][0]["arrived"] is None
    assert document["registries"][0]["differences"] == []
    assert document["errors"]


def test_the_registries_may_be_named_and_one_that_nobody_has_is_an_error(cloud: Cloud) -> None:
    seed(cloud, image("a", "v1"))

    assert told(cloud, FOLDER_ID="", REGISTRY_IDS="crp1")["arrived"] is True

    ended = run(cloud, "migration", FOLDER_ID="", REGISTRY_IDS="crp9")
    assert ended.returncode == 2
    assert "Neither service has a registry" in ended.stdout + ended.stderr


def test_it_is_a_table_and_a_page_too(cloud: Cloud, tmp_path: Path) -> None:
    seed(cloud, *SPECIAL, policies=[policy("builds", tag_regexp="b-.*", expire_period="720h")])
    lose(cloud, "v1")

    shown = run(cloud, "migration")
    written = run(cloud, "migration", "--html", str(tmp_path / "page.html"))
    refused = run(cloud, "migration", "--html", str(tmp_path / "missing" / "page.html"))

    assert "Not everything is in Cloud Registry: 1 tag" in shown.stdout
    assert "[[rules]]" in shown.stdout
    assert (shown.returncode, written.returncode, refused.returncode) == (1, 1, 2)
    assert "page.html: " in written.stdout
    assert "Not everything is in Cloud Registry: 1 tag" in (tmp_path / "page.html").read_text()
    assert "name another file" in refused.stderr


def warned(cloud: Cloud, **settings: str) -> list[str]:
    report = cloud.dry_run(**settings)
    return [row["message"] for row in report["warnings"] if row["code"] == "migration"]


def test_a_dry_run_says_how_far_the_migration_is(cloud: Cloud) -> None:
    app = {"name": APP, "images": [image("a", "v1")]}
    lost = {"name": "team-b/app", "images": [image("b", "v1")]}
    waiting = {"id": "crp2", "folder_id": FOLDER, "name": "waiting", "repositories": []}
    moved = {"id": "crp1", "folder_id": FOLDER, "name": "moved", "repositories": [app, lost]}
    target = {"id": "crp1", "folder_id": FOLDER, "repositories": [app]}
    cloud.emulator.seed(
        {
            "service_accounts": [cloud.account],
            "registries": [moved, waiting],
            "cloud_registries": [target],
        }
    )

    (message,) = warned(cloud)

    assert "1 of the 2 registries" in message
    assert "crp2" in message
    assert "1 repositories are not there, or are empty, such as crp1/team-b/app" in message
    assert warned(cloud, SERVICES="cloud-registry") == []
    cloud.emulator.behaviour(container_registry={"closed": 404})
    assert warned(cloud) == []


def test_a_dry_run_says_nothing_of_a_migration_that_has_not_begun(cloud: Cloud) -> None:
    cloud.seed({"name": APP, "images": [image("a", "v1")]})

    assert warned(cloud) == []
