"""Cloud Registry in the emulator: registries, artifacts, and what becomes of images whose artifacts go."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from google.protobuf import json_format
from yandex.cloud.cloudregistry.v1.artifact_pb2 import Artifact

from tests.emulator.client import RunningEmulator
from tests.support.cloud_registry import (
    ARTIFACTS,
    IMAGES,
    REGISTRIES,
    by_name,
    digest,
    names,
    pages,
    pull,
    seed_of,
)
from tests.support.rest import FOLDER, Rest


@pytest.fixture
def cloud(running_emulator: RunningEmulator) -> Rest:
    running_emulator.seed(seed_of(*IMAGES))
    return Rest(running_emulator)


# --- registries ---


def test_registries_are_listed_by_kind_type_status_and_name(cloud: Rest) -> None:
    seed = seed_of()
    seed["cloud_registries"] += [
        {"id": "crp2", "name": "maven", "kind": "MAVEN"},
        {"id": "crp3", "name": "proxy", "type": "REMOTE"},
        {"id": "crp4", "name": "gone", "status": "DELETING"},
        {"id": "crp5", "name": "elsewhere", "folder_id": "b1gother"},
    ]
    cloud.running.seed(seed)

    def listed(query: str) -> list[str]:
        page = cloud.get(f"{REGISTRIES}?folderId={FOLDER}&{query}")
        return [registry["id"] for registry in page.get("registries", [])]

    assert listed("") == ["crp1", "crp2", "crp3", "crp4"]
    assert listed("kind=DOCKER&type=LOCAL&type=VIRTUAL&status=ACTIVE") == ["crp1"]
    assert listed("nameFilter=" + quote('name != "maven"')) == ["crp1", "crp3", "crp4"]
    assert cloud.get(f"{REGISTRIES}/crp3")["type"] == "REMOTE"
    assert cloud.refusal("GET", f"{REGISTRIES}/crp9")[:2] == (404, 5)
    assert cloud.refusal("GET", REGISTRIES)[:2] == (400, 3)


def test_ten_registries_are_a_page(cloud: Rest) -> None:
    registries = [{"id": f"crp{number:02}"} for number in range(11)]
    cloud.running.seed(seed_of() | {"cloud_registries": registries})
    counts = [len(page) for page in pages(cloud, f"{REGISTRIES}?folderId={FOLDER}", "registries")]
    assert counts == [10, 1]


# --- artifacts ---


def test_an_artifact_is_one_name_of_an_image(cloud: Rest) -> None:
    artifacts = by_name(cloud)
    assert artifacts["v1"]["id"] == "img1.v1"
    assert artifacts["v1"]["path"] == "/team-a/app/v1"
    assert artifacts["v1"]["registryId"] == "crp1"
    assert digest(artifacts["v1"]) == digest(artifacts["latest"])
    manifest = artifacts["v1"]["content"]["docker"]["imageManifest"]
    assert [layer["size"] for layer in manifest["layers"]] == ["500", "500"]
    assert manifest["config"]["size"] == "4096"
    assert {"team-a", "app"} <= artifacts.keys()
    assert artifacts["app"]["kind"] == "FOLDER"


def test_an_index_names_its_children_with_their_platforms(cloud: Rest) -> None:
    artifacts = by_name(cloud)
    children = artifacts["multi"]["content"]["docker"]["manifestList"]["manifests"]
    digests = [child["manifestDescriptor"]["digest"] for child in children]
    assert digests == [digest(artifacts[name]) for name in digests]
    assert children[0]["platform"] == {"os": "linux", "architecture": "amd64"}
    assert int(children[0]["manifestDescriptor"]["size"]) == len(pull(cloud, digests[0]).content)


def test_the_rendered_json_is_what_protobuf_would_write(cloud: Rest) -> None:
    for artifact in by_name(cloud).values():
        message = json_format.ParseDict(artifact, Artifact())
        assert json_format.MessageToDict(message) == artifact
        assert cloud.get(f"{ARTIFACTS}/{artifact['id']}") == artifact
        path = quote(artifact["path"])
        assert cloud.get(f"{REGISTRIES}/crp1/artifacts:getByPath?path={path}") == artifact


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param('nameFilter=name = "v1"', ["v1"], id="name"),
        pytest.param('pathFilter=path = "/team-a/app/v2"', ["v2"], id="path"),
        pytest.param("orderBy=created_at desc&pageSize=2", ["latest", "v1", "v2", "multi"], id="order"),
        pytest.param("orderBy=name", ["latest", "multi", "v1", "v2"], id="by name"),
        pytest.param("status=DELETED", [], id="status"),
        pytest.param("registryKind=MAVEN", [], id="kind of registry"),
        pytest.param("labels=a=b", [], id="labels, of which there are none"),
    ],
)
def test_filters_and_orders(cloud: Rest, query: str, expected: list[str]) -> None:
    fields = "&".join(f"{key}={quote(text)}" for key, _, text in (f.partition("=") for f in query.split("&")))
    listed = [name for name in names(cloud, f"kind=ARTIFACT&{fields}") if ":" not in name]
    assert listed == expected


@pytest.mark.parametrize(
    "query",
    [
        "registryId=crp1&folderId=b1gfolder",
        "kind=ARTIFACT",
        'registryId=crp1&nameFilter=name : "v"',
        'registryId=crp1&nameFilter=name = "a" AND name != "b"',
        'registryId=crp1&nameFilter=path = "a"',
        "registryId=crp1&orderBy=size",
        "registryId=crp1&pageSize=1001",
        "registryId=crp1&registryType=VIRTUAL",
        "registryId=crp1&pageToken=invented",
    ],
)
def test_what_the_definitions_do_not_have_is_refused(cloud: Rest, query: str) -> None:
    assert cloud.refusal("GET", f"{ARTIFACTS}?{quote(query, safe='=&')}")[:2] == (400, 3)


def test_ten_artifacts_are_a_page_and_slices_of_time_make_up_the_whole(cloud: Rest) -> None:
    cloud.running.seed(
        seed_of({"series": 25, "tags": ["b-{n}"], "newest": "1h", "step": "1h"})
        | {"now": "2026-11-26T00:00:00Z"}
    )
    whole = f"{ARTIFACTS}?registryId=crp1&kind=ARTIFACT"
    assert [len(page) for page in pages(cloud, whole)] == [10, 10, 5]
    cut = "2026-11-25T12:00:00Z"
    before = names(cloud, f"kind=ARTIFACT&createdBefore={cut}")
    after = names(cloud, f"kind=ARTIFACT&createdAfter={cut}")
    assert (len(before), len(after)) == (13, 12)
    assert "b-12" in after


def test_a_list_that_changes_between_two_pages_skips_nothing_else(cloud: Rest) -> None:
    listed = cloud.get(f"{ARTIFACTS}?registryId=crp1&kind=ARTIFACT&pageSize=2&orderBy=name")
    [first, second] = listed["artifacts"]
    cloud.running.change(delete_artifact={"artifact_id": first["id"]})
    rest = cloud.get(
        f"{ARTIFACTS}?registryId=crp1&kind=ARTIFACT&pageSize=100&orderBy=name&pageToken={listed['nextPageToken']}"
    )
    assert {artifact["name"] for artifact in rest["artifacts"]} == set(names(cloud)) - {second["name"]}


def test_one_node_lists_its_children(cloud: Rest) -> None:
    def children(path: str) -> list[tuple[str, str]]:
        page = cloud.get(f"{REGISTRIES}/crp1:listArtifacts?path={path}")
        return [(node["name"], node["kind"]) for node in page["artifacts"]]

    assert children("") == [("team-a", "FOLDER")]
    assert children("team-a") == [("app", "FOLDER")]
    assert ("v1", "ARTIFACT") in children("/team-a/app")
    assert cloud.refusal("GET", f"{REGISTRIES}/crp1:listArtifacts?path=none")[:2] == (404, 5)


@pytest.mark.parametrize(
    ("switches", "missing"),
    [
        pytest.param({"children_listed": False}, {"amd", "arm"}, id="children"),
        pytest.param({"untagged_kept": False}, {"bare"}, id="untagged"),
    ],
)
def test_what_has_no_tag_may_not_be_listed(cloud: Rest, switches: dict[str, Any], missing: set[str]) -> None:
    before = {
        artifact["id"]: digest(artifact) for artifact in by_name(cloud).values() if "content" in artifact
    }
    cloud.running.behaviour(cloud_registry=switches)
    assert before.keys() - {artifact["id"] for artifact in by_name(cloud).values()} == missing
    pulled = {pull(cloud, before[image_id]).status_code for image_id in missing}
    assert pulled == ({200} if "amd" in missing else {404})
    assert cloud.refusal("GET", f"{ARTIFACTS}/{min(missing)}")[:2] == (404, 5)


def test_older_servers_do_not_name_the_registry(cloud: Rest) -> None:
    named = by_name(cloud)
    cloud.running.behaviour(cloud_registry={"registry_id_told": False})
    unnamed = by_name(cloud)
    assert unnamed == {
        name: {key: value for key, value in artifact.items() if key != "registryId"}
        for name, artifact in named.items()
    }
    assert cloud.get(f"{ARTIFACTS}/img1.v1") == unnamed["v1"]


# --- deleting ---


def test_an_image_goes_with_its_last_artifact(cloud: Rest) -> None:
    wanted = digest(by_name(cloud)["v1"])
    operation = cloud.operation("DELETE", f"{ARTIFACTS}/img1.v1")
    assert operation["metadata"]["artifactId"] == "img1.v1"
    assert operation["response"] == {"@type": "type.googleapis.com/google.protobuf.Empty"}
    assert pull(cloud, wanted).status_code == 200
    assert "img1" in cloud.running.cloud_image_ids()
    cloud.operation("DELETE", f"{ARTIFACTS}/img1.latest?withHistory=true")
    assert pull(cloud, wanted).status_code == 404
    assert "img1" not in cloud.running.cloud_image_ids()
    assert cloud.refusal("DELETE", f"{ARTIFACTS}/img1.latest")[:2] == (404, 5)
    kinds = [entry["kind"] for entry in cloud.running.history()]
    assert (kinds.count("artifact-removed"), kinds.count("removed")) == (2, 1)


def test_the_id_of_a_folder_takes_the_whole_tree(cloud: Rest) -> None:
    folder = by_name(cloud)["team-a"]
    cloud.operation("DELETE", f"{ARTIFACTS}/{folder['id']}")
    assert by_name(cloud) == {}
    assert cloud.running.artifact_ids() == set()


def test_an_operation_takes_its_time(cloud: Rest) -> None:
    cloud.running.behaviour(operation_ms=200)
    operation = cloud.call("DELETE", f"{ARTIFACTS}/img2.v2").json()
    assert not operation.get("done")
    assert "img2.v2" in cloud.running.artifact_ids()


def test_an_immutable_registry_takes_a_path_once(cloud: Rest) -> None:
    cloud.running.seed(seed_of(*IMAGES, immutable=True))
    push = {"registry_id": "crp1", "repository": "team-a/app"}
    for tag in ("v1", "v2", "multi"):
        with pytest.raises(ValueError, match="immutable"):
            cloud.running.change(push_artifact={**push, "image": {"id": "again", "tags": [tag]}})
        cloud.operation(
            "DELETE", f"{ARTIFACTS}/{by_name(cloud)[tag]['id']}?withHistory={str(tag == 'v2').lower()}"
        )
    cloud.running.change(push_artifact={**push, "image": {"id": "again", "tags": ["v2"]}})
    with pytest.raises(ValueError, match="immutable"):
        cloud.running.change(push_artifact={**push, "image": {"id": "third", "tags": ["v1"]}})


def test_deleted_artifacts_may_be_listed(cloud: Rest) -> None:
    cloud.running.behaviour(cloud_registry={"deleted_listed": True})
    cloud.operation("DELETE", f"{ARTIFACTS}/img1.v1")
    cloud.operation("DELETE", f"{ARTIFACTS}/img2.v2?withHistory=true")
    assert names(cloud, "status=DELETED") == ["v1"]
    assert "v1" not in names(cloud, "status=ACTIVE")


# --- what others do meanwhile ---


@pytest.mark.parametrize("keeps_id", [True, False])
def test_a_tag_that_moves_leaves_its_image_without_one(cloud: Rest, keeps_id: bool) -> None:
    cloud.running.behaviour(cloud_registry={"retag_keeps_id": keeps_id})
    before = by_name(cloud)
    wanted = digest(before["v1"])
    move = {"registry_id": "crp1", "repository": "team-a/app", "tag": "v2", "digest": wanted}
    cloud.running.change(put_tag=move)
    after = by_name(cloud)
    assert digest(after["v2"]) == wanted
    assert (after["v2"]["id"] == "img2.v2") == keeps_id
    assert after[digest(before["v2"])]["id"] == "img2"


def test_a_push_makes_the_repository_and_moves_the_tag(cloud: Rest) -> None:
    push = {"registry_id": "crp1", "repository": "new/one", "image": {"id": "fresh", "tags": ["latest"]}}
    cloud.running.change(push_artifact=push)
    assert cloud.running.artifact_ids("new/one") == {"fresh.latest"}
    cloud.running.change(push_artifact={**push, "image": {"id": "fresher", "tags": ["latest"]}})
    assert cloud.running.artifact_ids("new/one") == {"fresh.latest", "fresh"}
    assert cloud.running.cloud_image_ids("new/one") == {"fresh", "fresher"}


# --- seeds ---


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"migrated": True}, "migrated"),
        ({"kind": "SHOES"}, "SHOES"),
        ({"repository": []}, "repository"),
        ({"repositories": [{"name": "a", "images": [{"tags": ["v1"]}, {"tags": ["v1"]}]}]}, "v1"),
        ({"repositories": [{"name": name, "images": [{"id": "img1"}]} for name in "ab"]}, "img1"),
    ],
)
def test_a_seed_that_cannot_be_read_is_refused(cloud: Rest, change: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        cloud.running.seed(seed_of(**change))


def test_ids_kinds_and_statuses_may_be_given(cloud: Rest) -> None:
    image = {"tags": ["v1", "v2"], "artifact_ids": {"v1": "cra1"}, "status": "DELETING", "id": "img1"}
    repositories = [{"name": "app", "kind": "PACKAGE", "images": [image]}]
    cloud.running.seed(seed_of(repositories=repositories))
    artifacts = by_name(cloud)
    assert artifacts["app"]["kind"] == "PACKAGE"
    assert (artifacts["v1"]["id"], artifacts["v1"]["status"]) == ("cra1", "DELETING")
    assert artifacts["v2"]["id"] == "img1.v2"
