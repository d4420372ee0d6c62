"""The services in which a deployment makes things: accounts, access bindings, functions, triggers, buckets,
secrets.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import pytest

from tests.emulator.client import RunningEmulator, service_account
from tests.support.rest import (
    ACCOUNTS,
    BUCKETS,
    FOLDER,
    FOLDERS,
    FUNCTIONS,
    REGISTRIES,
    SECRETS,
    TOKEN,
    TRIGGERS,
    VERSIONS,
    Rest,
    archive,
    registry_rule,
    timer,
    version,
)

OWNER, _ = service_account(folder_id=FOLDER)
REPOSITORIES = "/container-registry/v1/repositories"
MIB = 1024**2
LONG = "a" * 5000


@pytest.fixture
def cloud(running_emulator: RunningEmulator) -> Rest:
    running_emulator.behaviour()
    running_emulator.seed(
        {
            "folders": [FOLDER, "b1gother"],
            "service_accounts": [
                OWNER,
                {"id": "ajeother", "name": "other", "roles": ["container-registry.viewer"]},
            ],
            "tokens": [
                {"token": TOKEN, "service_account_id": OWNER["id"]},
                {"token": "t1.other", "service_account_id": "ajeother"},
            ],
            "registries": [
                {"id": "crp1", "folder_id": FOLDER, "repositories": [{"id": "repo1", "name": "app"}]}
            ],
            "secrets": [{"id": "e6qold", "name": "old", "folder_id": FOLDER, "entries": {"key": "text"}}],
            "buckets": [{"name": "old-bucket", "folder_id": FOLDER, "objects": {"a/b.txt": "text"}}],
        }
    )
    return Rest(running_emulator)


@pytest.fixture
def function_id(cloud: Rest) -> str:
    return cloud.made(FUNCTIONS, name="cleaner")


# --- what all of them have in common ---

KINDS = [
    pytest.param(ACCOUNTS, {"name": "first"}, "serviceAccounts", id="service accounts"),
    pytest.param(FUNCTIONS, {"name": "first"}, "functions", id="functions"),
    pytest.param(SECRETS, {"name": "first"}, "secrets", id="secrets"),
    pytest.param(BUCKETS, {"name": "first-bucket"}, "buckets", id="buckets"),
    pytest.param(TRIGGERS, {"name": "first", "rule": timer("FUNCTION")}, "triggers", id="triggers"),
]


def filled(body: dict[str, Any], function_id: str) -> dict[str, Any]:
    return {**body, "rule": timer(function_id)} if "rule" in body else body


@pytest.mark.parametrize(("path", "body", "field"), KINDS)
def test_what_is_made_is_listed_changed_and_deleted(
    cloud: Rest, function_id: str, path: str, body: dict[str, Any], field: str
) -> None:
    body = filled(body, function_id)
    before = {found["id"] for found in cloud.get(f"{path}?folderId={FOLDER}").get(field, [])}
    operation = cloud.operation("POST", path, {"folderId": FOLDER, **body})
    made = operation["response"]["id"]
    assert made in [*operation["metadata"].values()]
    assert operation["createdBy"] == OWNER["id"]
    after = {found["id"] for found in cloud.get(f"{path}?folderId={FOLDER}")[field]}
    assert after == before | {made}
    assert made not in str(cloud.get(f"{path}?folderId=b1gother"))
    if path != BUCKETS:
        changed = cloud.done(
            "PATCH", f"{path}/{made}", {"updateMask": "labels", "name": "kept", "labels": {"a": "b"}}
        )
        assert (changed["labels"], changed["name"]) == ({"a": "b"}, "first")
        assert cloud.get(f"{path}/{made}")["labels"] == {"a": "b"}
    cloud.done("DELETE", f"{path}/{made}")
    assert {found["id"] for found in cloud.get(f"{path}?folderId={FOLDER}").get(field, [])} == before
    assert cloud.refusal("GET", f"{path}/{made}")[:2] == (404, 5)
    assert cloud.refusal("DELETE", f"{path}/{made}")[:2] == (404, 5)


@pytest.mark.parametrize(("path", "body", "field"), KINDS)
def test_a_name_is_had_by_one(
    cloud: Rest, function_id: str, path: str, body: dict[str, Any], field: str
) -> None:
    body = {"folderId": FOLDER, **filled(body, function_id)}
    cloud.running.behaviour(operation_ms=50)
    first, second = (cloud.call("POST", path, body).json() for _ in range(2))
    ended = []
    for begun in (first, second):
        while not (operation := cloud.get(f"/operations/{begun['id']}")).get("done"):
            pass
        ended.append(operation)
    assert "response" in ended[0]
    assert ended[1]["error"]["code"] == 6
    assert cloud.refusal("POST", path, body)[:2] == (409, 6)


@pytest.mark.parametrize(("path", "body", "field"), KINDS)
def test_lists_come_in_pages(
    cloud: Rest, function_id: str, path: str, body: dict[str, Any], field: str
) -> None:
    for number in range(3):
        cloud.made(path, **{**filled(body, function_id), "name": f"page-{number}"})
    found, token = [], ""
    while True:
        page = cloud.get(f"{path}?folderId={FOLDER}&pageSize=2&pageToken={token}")
        assert len(page[field]) <= 2
        found += [item["name"] for item in page[field]]
        if not (token := page.get("nextPageToken", "")):
            break
    assert {"page-0", "page-1", "page-2"} <= set(found)
    assert len(set(found)) == len(found) > 2
    if path not in (SECRETS, BUCKETS):
        asked = f'{path}?folderId={FOLDER}&filter=name="page-1"'
        assert [item["name"] for item in cloud.get(asked)[field]] == ["page-1"]
        assert cloud.refusal("GET", f'{path}?folderId={FOLDER}&filter=colour="red"')[1] == 3


@pytest.mark.parametrize(("path", "body", "field"), KINDS)
def test_an_operation_that_fails_makes_nothing(
    cloud: Rest, function_id: str, path: str, body: dict[str, Any], field: str
) -> None:
    before = cloud.running.resources()
    wanted = {"code": 13, "message": "out of luck"}
    cloud.running.behaviour(faults=[{"match": f"POST {path}", "operation_error": wanted}])
    operation = cloud.operation("POST", path, {"folderId": FOLDER, **filled(body, function_id)})
    assert operation["error"] == wanted
    assert cloud.running.resources() == before


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "named"),
    [
        pytest.param("POST", ACCOUNTS, {"folderId": FOLDER}, 400, "name", id="an account without a name"),
        pytest.param("POST", ACCOUNTS, {"folderId": FOLDER, "name": "A"}, 400, "name", id="a capital"),
        pytest.param("POST", ACCOUNTS, {"folderId": "b1gnone", "name": "a"}, 404, "Folder", id="no folder"),
        pytest.param("POST", ACCOUNTS, {"name": "aa"}, 400, "folder_id", id="folder not named"),
        pytest.param("POST", FUNCTIONS, {"folderId": FOLDER, "name": "ab"}, 400, "name", id="a short name"),
        pytest.param(
            "POST", FUNCTIONS, {"folderId": FOLDER, "labels": {"A": "b"}}, 400, "labels", id="a label's key"
        ),
        pytest.param(
            "POST", FUNCTIONS, {"folderId": FOLDER, "labels": {"a": "B"}}, 400, "labels", id="its value"
        ),
        pytest.param(
            "POST", FUNCTIONS, {"folderId": FOLDER, "descriptoin": "a"}, 400, "descriptoin", id="misspelt"
        ),
        pytest.param(
            "PATCH", f"{ACCOUNTS}/{OWNER['id']}", {"name": "a", "updateMask": "id"}, 400, "id", id="the id"
        ),
        pytest.param(
            "PATCH", f"{SECRETS}/e6qold", {"name": "a"}, 400, "update_mask", id="a secret without mask"
        ),
        pytest.param(
            "PATCH", f"{SECRETS}/e6qold", {"updateMask": "status"}, 400, "status", id="a field not offered"
        ),
        pytest.param(
            "POST", BUCKETS, {"folderId": FOLDER, "name": "Ab-c"}, 400, "name", id="a bucket's capital"
        ),
        pytest.param(
            "POST", BUCKETS, {"folderId": FOLDER, "name": "ab"}, 400, "name", id="a bucket's short name"
        ),
        pytest.param(
            "POST", BUCKETS, {"folderId": FOLDER, "name": "-abc"}, 400, "name", id="its first letter"
        ),
        pytest.param(
            "POST", BUCKETS, {"folderId": FOLDER, "name": "a.-b"}, 400, "name", id="beside a period"
        ),
        pytest.param(
            "POST", BUCKETS, {"folderId": FOLDER, "name": "10.1.3.9"}, 400, "name", id="an IP address"
        ),
        pytest.param(
            "POST",
            BUCKETS,
            {"folderId": FOLDER, "name": "abc", "defaultStorageClass": "WARM"},
            400,
            "class",
            id="class",
        ),
        pytest.param(
            "POST",
            BUCKETS,
            {"folderId": FOLDER, "name": "old-bucket"},
            409,
            "old-bucket",
            id="a bucket twice",
        ),
        pytest.param("DELETE", f"{BUCKETS}/old-bucket", None, 400, "not empty", id="a bucket with objects"),
        pytest.param(
            "POST",
            SECRETS,
            {"folderId": FOLDER, "versionPayloadEntries": [{"textValue": "a"}]},
            400,
            "key",
            id="an entry without a key",
        ),
        pytest.param("GET", f"{FOLDERS}/b1gnone", None, 404, "b1gnone", id="a folder that isn't there"),
    ],
)
def test_what_the_cloud_refuses(
    cloud: Rest, method: str, path: str, body: dict[str, Any] | None, status: int, named: str
) -> None:
    before = cloud.running.resources()
    refused, _, message = cloud.refusal(method, path, body)
    assert (refused, named in message) == (status, True), message
    assert cloud.running.resources() == before


# --- access bindings ---


@pytest.mark.parametrize(
    ("path", "role", "method"),
    [
        pytest.param(f"{FOLDERS}/{FOLDER}", "compute.viewer", "POST", id="folder"),
        pytest.param(f"{REGISTRIES}/crp1", "container-registry.editor", "POST", id="registry"),
        pytest.param(f"{REPOSITORIES}/repo1", "container-registry.editor", "POST", id="repository"),
        pytest.param(f"{ACCOUNTS}/{OWNER['id']}", "iam.serviceAccounts.user", "POST", id="service account"),
        pytest.param(f"{SECRETS}/e6qold", "lockbox.payloadViewer", "POST", id="secret"),
        pytest.param(f"{BUCKETS}/old-bucket", "storage.uploader", "PATCH", id="bucket"),
    ],
)
def test_roles_are_bound_and_taken_away(cloud: Rest, path: str, role: str, method: str) -> None:
    before = cloud.bindings(path)
    binding = {"roleId": role, "subject": {"type": "serviceAccount", "id": "ajeother"}}

    def change(action: str) -> None:
        deltas = [{"action": action, "accessBinding": binding}]
        cloud.done(method, f"{path}:updateAccessBindings", {"accessBindingDeltas": deltas})

    change("ADD")
    change("ADD")
    assert cloud.bindings(path) == sorted([*before, (role, "ajeother")])
    change("REMOVE")
    change("REMOVE")
    assert cloud.bindings(path) == before
    cloud.done("POST", f"{path}:setAccessBindings", {"accessBindings": [binding]})
    assert cloud.bindings(path) == [(role, "ajeother")]


def test_a_change_of_a_folders_bindings_says_what_it_changed(cloud: Rest) -> None:
    binding = {"roleId": "compute.viewer", "subject": {"type": "serviceAccount", "id": "ajeother"}}
    body = {"accessBindingDeltas": [{"action": "ADD", "accessBinding": binding}]}
    told = cloud.done("POST", f"{FOLDERS}/{FOLDER}:updateAccessBindings", body)
    assert told["effectiveDeltas"] == body["accessBindingDeltas"]


def test_bindings_come_in_pages(cloud: Rest) -> None:
    cloud.bind(f"{FOLDERS}/{FOLDER}", "compute.viewer", "ajeother")
    cloud.bind(f"{FOLDERS}/{FOLDER}", "k8s.viewer", "ajeother")
    first = cloud.get(f"{FOLDERS}/{FOLDER}:listAccessBindings?pageSize=2")
    second = cloud.get(f"{FOLDERS}/{FOLDER}:listAccessBindings?pageSize=2&pageToken={first['nextPageToken']}")
    roles = [binding["roleId"] for page in (first, second) for binding in page["accessBindings"]]
    assert roles == ["compute.viewer", "container-registry.viewer", "k8s.viewer"]
    assert "nextPageToken" not in second


@pytest.mark.parametrize(
    ("path", "role", "kind", "subject", "status", "named"),
    [
        pytest.param(FOLDER, "compute.overseer", "serviceAccount", "ajeother", 400, "overseer", id="role"),
        pytest.param(FOLDER, "", "serviceAccount", "ajeother", 400, "role_id", id="no role"),
        pytest.param(FOLDER, "compute.viewer", "serviceAccount", "ajenone", 404, "ajenone", id="account"),
        pytest.param(FOLDER, "compute.viewer", "robot", "ajeother", 400, "subject.type", id="type"),
        pytest.param(FOLDER, "compute.viewer", "system", "everyone", 400, "everyone", id="group"),
        pytest.param(
            "b1gnone", "compute.viewer", "serviceAccount", "ajeother", 404, "b1gnone", id="resource"
        ),
    ],
)
def test_bindings_that_the_cloud_refuses(  # noqa: PLR0913 - the columns of the table
    cloud: Rest, path: str, role: str, kind: str, subject: str, status: int, named: str
) -> None:
    binding = {"roleId": role, "subject": {"type": kind, "id": subject}}
    deltas = {"accessBindingDeltas": [{"action": "ADD", "accessBinding": binding}]}
    refused, _, message = cloud.refusal("POST", f"{FOLDERS}/{path}:updateAccessBindings", deltas)
    assert (refused, named in message) == (status, True), message


def test_a_role_counts_on_what_it_is_bound_to_and_on_what_that_holds(cloud: Rest) -> None:
    other = Rest(cloud.running, "t1.other")
    images = "/container-registry/v1/images/img1"
    cloud.running.change(add_image={"registry_id": "crp1", "repository": "app", "image": {"id": "img1"}})
    assert other.refusal("DELETE", images)[:2] == (403, 7)
    cloud.bind(f"{REPOSITORIES}/repo1", "container-registry.images.pusher", "ajeother")
    other.done("DELETE", images)
    assert other.refusal("POST", f"{REPOSITORIES}", {"name": "crp1/new"})[:2] == (403, 7)
    cloud.bind(f"{REGISTRIES}/crp1", "container-registry.images.pusher", "ajeother")
    other.done("POST", f"{REPOSITORIES}", {"name": "crp1/new"})
    assert other.refusal("POST", FUNCTIONS, {"folderId": FOLDER})[:2] == (403, 7)
    cloud.bind(f"{FOLDERS}/{FOLDER}", "editor", "ajeother")
    other.made(FUNCTIONS)
    nobody: dict[str, Any] = {"accessBindings": []}
    assert other.refusal("POST", f"{FOLDERS}/{FOLDER}:setAccessBindings", nobody)[:2] == (403, 7)


def test_a_token_of_a_deleted_account_is_worth_nothing(cloud: Rest) -> None:
    cloud.done("DELETE", f"{ACCOUNTS}/ajeother")
    assert Rest(cloud.running, "t1.other").refusal("GET", f"{REGISTRIES}/crp1")[:2] == (401, 16)
    assert ("container-registry.viewer", "ajeother") in cloud.bindings(f"{FOLDERS}/{FOLDER}")


def test_who_may_act_as_an_account_gets_a_token_of_it(cloud: Rest) -> None:
    path, body = "/iam/v1/tokens:createForServiceAccount", {"serviceAccountId": OWNER["id"]}
    other = Rest(cloud.running, "t1.other")
    assert other.refusal("POST", path, body)[:2] == (403, 7)
    cloud.bind(f"{ACCOUNTS}/{OWNER['id']}", "iam.serviceAccounts.tokenCreator", "ajeother")
    issued = other.call("POST", path, body).json()
    as_owner = Rest(cloud.running, issued["iamToken"])
    assert as_owner.get(f"{ACCOUNTS}?folderId={FOLDER}")["serviceAccounts"]
    assert cloud.refusal("POST", path, {"serviceAccountId": "ajenone"})[:2] == (404, 5)


def test_a_folder_is_of_the_cloud(cloud: Rest) -> None:
    folder = cloud.get(f"{FOLDERS}/{FOLDER}")
    assert (folder["id"], folder["status"]) == (FOLDER, "ACTIVE")
    listed = cloud.get(f"{FOLDERS}?cloudId={folder['cloudId']}")["folders"]
    assert [found["id"] for found in listed] == [FOLDER, "b1gother"]


# --- versions ---


def test_a_version_is_what_was_asked_for(cloud: Rest, function_id: str) -> None:
    account_id = cloud.made(ACCOUNTS, name="runner")
    asked = version(
        function_id,
        description="first",
        serviceAccountId=account_id,
        environment={"A": "b"},
        logOptions={"folderId": FOLDER, "minLevel": "INFO"},
        tag=["stable"],
    )
    made = cloud.done("POST", VERSIONS, asked)
    same = ("functionId", "runtime", "entrypoint", "resources", "description", "environment", "logOptions")
    assert {name: made[name] for name in same} == {name: asked[name] for name in same}
    assert made["executionTimeout"] == "10s"
    assert (made["status"], sorted(made["tags"])) == ("ACTIVE", ["$latest", "stable"])
    assert int(made["imageSize"]) == len(base64.b64decode(asked["content"]))
    assert cloud.get(f"{VERSIONS}/{made['id']}")["id"] == made["id"]
    assert [one["id"] for one in cloud.get(f"{VERSIONS}?functionId={function_id}")["versions"]] == [
        made["id"]
    ]
    assert [one["id"] for one in cloud.get(f"{VERSIONS}?folderId={FOLDER}")["versions"]] == [made["id"]]


def test_a_tag_is_on_one_version(cloud: Rest, function_id: str) -> None:
    first = cloud.done("POST", VERSIONS, version(function_id, tag=["stable"]))["id"]
    second = cloud.done("POST", VERSIONS, version(function_id))["id"]

    def tagged(tag: str) -> str:
        return str(cloud.get(f"{VERSIONS}:byTag?functionId={function_id}&tag={tag}")["id"])

    assert (tagged("$latest"), tagged("stable")) == (second, first)
    cloud.done("POST", f"{VERSIONS}/{second}:setTag", {"tag": "stable"})
    assert tagged("stable") == second
    assert "tags" not in cloud.get(f"{VERSIONS}/{first}")
    cloud.done("POST", f"{VERSIONS}/{second}:removeTag", {"tag": "stable"})
    assert cloud.refusal("GET", f"{VERSIONS}:byTag?functionId={function_id}&tag=stable")[:2] == (404, 5)
    history = cloud.get(f"{FUNCTIONS}/{function_id}:tagHistory?tag=stable")["functionTagHistoryRecord"]
    assert [record["functionVersionId"] for record in history] == [first, second]
    assert all("effectiveTo" in record for record in history)
    operations = cloud.get(f"{FUNCTIONS}/{function_id}/operations")["operations"]
    assert {operation["description"] for operation in operations} == {
        "Create function",
        "Create function version",
        "Set tag",
        "Remove tag",
    }


def test_a_version_with_tags_stays(cloud: Rest, function_id: str) -> None:
    first, second = (cloud.done("POST", VERSIONS, version(function_id))["id"] for _ in range(2))
    cloud.done("POST", f"{VERSIONS}/{first}:setTag", {"tag": "stable"})
    assert cloud.refusal("DELETE", f"{VERSIONS}/{first}")[:2] == (400, 9)
    assert cloud.refusal("DELETE", f"{VERSIONS}/{second}?force=true")[:2] == (400, 9)
    cloud.done("DELETE", f"{VERSIONS}/{first}?force=true")
    assert cloud.refusal("GET", f"{VERSIONS}/{first}")[:2] == (404, 5)
    cloud.done("DELETE", f"{FUNCTIONS}/{function_id}")
    assert cloud.running.resources()["versions"] == {}


def test_a_version_takes_its_code_from_another_or_from_a_bucket(cloud: Rest, function_id: str) -> None:
    first = cloud.done("POST", VERSIONS, version(function_id))
    copied = version(function_id, versionId=first["id"])
    del copied["content"]
    assert cloud.done("POST", VERSIONS, copied)["imageSize"] == first["imageSize"]
    package = {"bucketName": "old-bucket", "objectName": "a/b.txt"}
    packed = {**{name: value for name, value in copied.items() if name != "versionId"}, "package": package}
    assert "zip" in cloud.refusal("POST", VERSIONS, packed)[2]
    package["sha256"] = hashlib.sha256(b"other").hexdigest()
    assert "sha256" in cloud.refusal("POST", VERSIONS, packed)[2]
    package["objectName"] = "none"
    assert cloud.refusal("POST", VERSIONS, packed)[:2] == (404, 5)


SECRET = {"id": "e6qold", "key": "key", "environmentVariable": "KEY"}
MOUNT = {"name": "state", "mode": "READ_WRITE", "objectStorage": {"bucketId": "old-bucket"}}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param({"functionId": "d4enone"}, "d4enone", id="no function"),
        pytest.param({"runtime": "python311"}, "runtime", id="a runtime that is no longer supported"),
        pytest.param({"runtime": ""}, "runtime", id="no runtime"),
        pytest.param({"entrypoint": "handler"}, "entrypoint", id="an entry point without a file"),
        pytest.param({"entrypoint": "a.b.handler"}, "entrypoint", id="an entry point in a package"),
        pytest.param({"resources": {"memory": "134217729"}}, "memory", id="memory"),
        pytest.param({"resources": {"memory": str(64 * MIB)}}, "memory", id="too little memory"),
        pytest.param({"resources": None}, "resources", id="no memory"),
        pytest.param({"executionTimeout": "601s"}, "execution_timeout", id="a long timeout"),
        pytest.param({"executionTimeout": "3601s"}, "execution_timeout", id="an endless timeout"),
        pytest.param({"content": None}, "package_source", id="no code"),
        pytest.param({"content": base64.b64encode(b"text").decode()}, "zip", id="not a zip"),
        pytest.param({"content": archive(a="x" * 3_700_000)}, "3670016", id="a large archive"),
        pytest.param({"content": archive(**{"../a": ""})}, "outside", id="a file outside"),
        pytest.param({"environment": {"A": "a" * 4096}}, "4096", id="a large environment"),
        pytest.param({"environment": {"A": LONG}}, "environment", id="a long value"),
        pytest.param({"environment": {"1A": ""}}, "environment", id="a variable's name"),
        pytest.param({"environment": {"PATH": "/"}}, "PATH", id="a reserved variable"),
        pytest.param({"environment": {"A": "a" * 4089}, "secrets": [SECRET]}, "4096", id="with secrets"),
        pytest.param({"environment": {"KEY": "a"}, "secrets": [SECRET]}, "KEY", id="a variable twice"),
        pytest.param({"secrets": [{**SECRET, "id": "e6qnone"}]}, "e6qnone", id="no secret"),
        pytest.param({"secrets": [{**SECRET, "key": "none"}]}, "none", id="no such key"),
        pytest.param({"secrets": [{**SECRET, "versionId": "e6qv"}]}, "e6qv", id="no such version"),
        pytest.param({"secrets": [{**SECRET, "environmentVariable": ""}]}, "variable", id="no variable"),
        pytest.param({"mounts": [MOUNT, MOUNT]}, "unique", id="a mount twice"),
        pytest.param({"mounts": [{**MOUNT, "objectStorage": {"bucketId": "none"}}]}, "none", id="no bucket"),
        pytest.param({"mounts": [{**MOUNT, "name": "a/b"}]}, "name", id="a mount's name"),
        pytest.param({"mounts": [{"name": "state"}]}, "target", id="a mount of nothing"),
        pytest.param({"serviceAccountId": "ajenone"}, "ajenone", id="no account"),
        pytest.param({"tag": ["Stable"]}, "tag", id="a tag"),
        pytest.param({"tag": ["$latest"]}, "tag", id="the latest tag"),
        pytest.param({"concurrency": 2}, "concurrency", id="concurrency"),
        pytest.param({"tmpfsSize": str(512 * MIB)}, "tmpfs", id="a RAM disk"),
        pytest.param({"logOptions": {"folderId": "b1gnone"}}, "b1gnone", id="logs nowhere"),
        pytest.param({"logOptions": {"minLevel": "WARNING"}}, "WARNING", id="a level of Python's"),
        pytest.param({"description": "a" * 601}, "description", id="a long description"),
    ],
)
def test_versions_that_the_cloud_refuses(
    cloud: Rest, function_id: str, change: dict[str, Any], named: str
) -> None:
    asked = {name: value for name, value in {**version(function_id), **change}.items() if value is not None}
    status, _, message = cloud.refusal("POST", VERSIONS, asked)
    assert status in (400, 404)
    assert named in message
    assert cloud.running.resources()["versions"] == {}


@pytest.mark.parametrize(
    ("needs", "path", "too_little", "enough"),
    [
        pytest.param(
            {"secrets": [SECRET]}, f"{SECRETS}/e6qold", "lockbox.viewer", "lockbox.payloadViewer", id="secret"
        ),
        pytest.param(
            {"mounts": [MOUNT]}, f"{BUCKETS}/old-bucket", "storage.viewer", "storage.uploader", id="bucket"
        ),
    ],
)
def test_a_version_needs_its_account_to_reach_what_it_uses(
    cloud: Rest, function_id: str, needs: dict[str, Any], path: str, too_little: str, enough: str
) -> None:
    asked = version(function_id, **needs)
    assert cloud.operation("POST", VERSIONS, asked)["error"]["code"] == 9
    asked["serviceAccountId"] = cloud.made(ACCOUNTS, name="runner")
    cloud.bind(path, too_little, asked["serviceAccountId"])
    refused = cloud.operation("POST", VERSIONS, asked)["error"]
    assert (refused["code"], enough in refused["message"]) == (7, True)
    cloud.bind(path, enough, asked["serviceAccountId"])
    cloud.done("POST", VERSIONS, asked)


def test_requirements_that_cannot_be_installed_fail_the_build(cloud: Rest, function_id: str) -> None:
    asked = version(function_id, content=archive(index__py="", requirements__txt="no such thing!\n"))
    error = cloud.operation("POST", VERSIONS, asked)["error"]
    assert (error["code"], "requirements.txt" in error["message"]) == (9, True)
    assert cloud.running.resources()["versions"] == {}


def test_an_account_that_something_runs_as_stays(cloud: Rest, function_id: str) -> None:
    account_id = cloud.made(ACCOUNTS, name="runner")
    cloud.done("POST", VERSIONS, version(function_id, serviceAccountId=account_id))
    status, code, message = cloud.refusal("DELETE", f"{ACCOUNTS}/{account_id}")
    assert (status, code, function_id in message) == (400, 9, True)
    cloud.done("DELETE", f"{FUNCTIONS}/{function_id}")
    cloud.done("DELETE", f"{ACCOUNTS}/{account_id}")


def test_only_who_may_use_an_account_has_things_run_as_it(cloud: Rest, function_id: str) -> None:
    other = Rest(cloud.running, "t1.other")
    cloud.bind(f"{FOLDERS}/{FOLDER}", "functions.admin", "ajeother")
    asked = version(function_id, serviceAccountId=OWNER["id"])
    assert other.refusal("POST", VERSIONS, asked)[:2] == (403, 7)
    cloud.bind(f"{ACCOUNTS}/{OWNER['id']}", "iam.serviceAccounts.user", "ajeother")
    other.done("POST", VERSIONS, asked)


def test_there_are_ten_functions_at_most(cloud: Rest) -> None:
    for _ in range(10):
        cloud.made(FUNCTIONS)
    assert cloud.refusal("POST", FUNCTIONS, {"folderId": FOLDER})[:2] == (429, 8)


def test_the_runtimes_are_listed(cloud: Rest) -> None:
    runtimes = cloud.get("/functions/v1/runtimes")["runtimes"]
    assert "python312" in runtimes
    assert "python313" not in runtimes


# --- triggers ---


def test_a_trigger_is_paused_and_resumed(cloud: Rest, function_id: str) -> None:
    trigger_id = cloud.made(TRIGGERS, name="nightly", rule=timer(function_id, payload='{"a": 1}'))
    assert cloud.get(f"{TRIGGERS}/{trigger_id}")["rule"]["timer"]["payload"] == '{"a": 1}'
    assert cloud.done("POST", f"{TRIGGERS}/{trigger_id}:pause", {})["status"] == "PAUSED"
    changed = {"updateMask": "rule", "rule": timer(function_id, "5 3 ? * * *")}
    assert cloud.done("PATCH", f"{TRIGGERS}/{trigger_id}", changed)["status"] == "PAUSED"
    assert cloud.done("POST", f"{TRIGGERS}/{trigger_id}:resume", {})["status"] == "ACTIVE"
    assert cloud.get(f"{TRIGGERS}/{trigger_id}")["rule"]["timer"]["cronExpression"] == "5 3 ? * * *"
    other_kind = {"updateMask": "rule", "rule": registry_rule(function_id)}
    assert cloud.refusal("PATCH", f"{TRIGGERS}/{trigger_id}", other_kind)[:2] == (400, 3)


RETRIES = {"retryAttempts": "2", "interval": "10s"}
QUEUE = {"queueId": "yrn:yc:ymq:ru-central1:b1gfolder:dead", "serviceAccountId": OWNER["id"]}


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        pytest.param(timer("F", "0 3 * * *"), "cron_expression", id="a crontab"),
        pytest.param(timer("F", "0 3 ? * * *" + " " * 100), "cron_expression", id="a long schedule"),
        pytest.param(timer("F", ""), "cron_expression", id="no schedule"),
        pytest.param(timer("F", payload=LONG), "payload", id="a long payload"),
        pytest.param(timer("d4enone"), "d4enone", id="no function"),
        pytest.param(timer("F", serviceAccountId="ajenone"), "ajenone", id="no account"),
        pytest.param(
            timer("F", retrySettings={**RETRIES, "retryAttempts": "6"}), "retry_attempts", id="attempts"
        ),
        pytest.param(
            timer("F", retrySettings={**RETRIES, "interval": "5s"}), "interval", id="a short interval"
        ),
        pytest.param(
            timer("F", retrySettings={**RETRIES, "interval": "61s"}), "interval", id="a long interval"
        ),
        pytest.param(timer("F", retrySettings={"retryAttempts": "1"}), "interval", id="no interval"),
        pytest.param(
            timer("F", deadLetterQueue={"queueId": "q"}), "service_account_id", id="a queue's account"
        ),
        pytest.param(
            timer("F", deadLetterQueue={**QUEUE, "queueId": "q.fifo"}), "standard", id="a FIFO queue"
        ),
        pytest.param({"timer": {"cronExpression": "0 3 ? * * *"}}, "action", id="no action"),
        pytest.param({}, "rule", id="no rule"),
        pytest.param(registry_rule("F", registry_id="crpnone"), "crpnone", id="no registry"),
        pytest.param(registry_rule("F", eventType=[]), "event_type", id="no events"),
        pytest.param(registry_rule("F", "PUSH"), "PUSH", id="an event that there isn't"),
        pytest.param(
            registry_rule("F", batchSettings={"size": "1", "cutoff": "61s"}), "cutoff", id="a long cutoff"
        ),
        pytest.param(registry_rule("F", batchSettings={"size": "1"}), "cutoff", id="no cutoff"),
        pytest.param(
            registry_rule("F", batchSettings={"size": "1001", "cutoff": "1s"}), "size", id="a large batch"
        ),
    ],
)
def test_triggers_that_the_cloud_refuses(
    cloud: Rest, function_id: str, rule: dict[str, Any], named: str
) -> None:
    for inner in rule.values():
        for action in ("invokeFunctionWithRetry", "invokeFunction"):
            if inner.get(action, {}).get("functionId") == "F":
                inner = {**inner, action: {**inner[action], "functionId": function_id}}
        rule = {next(iter(rule)): inner}
    status, _, message = cloud.refusal("POST", TRIGGERS, {"folderId": FOLDER, "name": "abc", "rule": rule})
    assert status in (400, 404)
    assert named in message
    assert cloud.running.resources()["triggers"] == {}


def test_a_registrys_events_are_for_those_who_may_pull(cloud: Rest, function_id: str) -> None:
    other = Rest(cloud.running, "t1.other")
    cloud.bind(f"{FOLDERS}/{FOLDER}", "functions.editor", "ajeother")
    asked = {"folderId": FOLDER, "name": "pushes", "rule": registry_rule(function_id)}
    assert other.refusal("POST", TRIGGERS, asked)[:2] == (403, 7)
    cloud.bind(f"{REGISTRIES}/crp1", "container-registry.images.puller", "ajeother")
    other.done("POST", TRIGGERS, asked)


# --- buckets and secrets ---


def test_a_buckets_tags_are_shown_in_full_alone(cloud: Rest) -> None:
    tags = [{"key": "managed-by", "value": "janitor"}]
    cloud.made(BUCKETS, name="state", tags=tags, maxSize="1000", versioning="VERSIONING_ENABLED")
    assert "tags" not in cloud.get(f"{BUCKETS}/state")
    assert cloud.get(f"{BUCKETS}/state?view=VIEW_FULL")["tags"] == tags
    changed = cloud.done("PATCH", f"{BUCKETS}/state", {"updateMask": "maxSize", "maxSize": "2000"})
    assert (changed["maxSize"], changed["tags"]) == ("2000", tags)
    assert cloud.get(f"{BUCKETS}/state")["defaultStorageClass"] == "STANDARD"


def test_a_secret_has_versions(cloud: Rest) -> None:
    entries = [{"key": "a", "textValue": "1"}, {"key": "b", "textValue": "2"}]
    made = cloud.done("POST", SECRETS, {"folderId": FOLDER, "name": "hook", "versionPayloadEntries": entries})
    assert made["currentVersion"]["payloadEntryKeys"] == ["a", "b"]
    assert "textValue" not in str(made)
    first = made["currentVersion"]["id"]
    changes = [{"key": "a", "textValue": "3"}, {"key": "b"}, {"key": "c", "textValue": "4"}]
    added = cloud.done("POST", f"{SECRETS}/{made['id']}:addVersion", {"payloadEntries": changes})["id"]

    def payload(query: str = "") -> dict[str, str]:
        entries = cloud.get(f"{SECRETS}/{made['id']}/payload{query}")["entries"]
        return {entry["key"]: entry["textValue"] for entry in entries}

    assert payload() == {"a": "3", "c": "4"}
    assert payload(f"?versionId={first}") == {"a": "1", "b": "2"}
    versions = cloud.get(f"{SECRETS}/{made['id']}/versions")["versions"]
    assert {found["id"] for found in versions} == {first, added}
    assert cloud.get(f"{SECRETS}/{made['id']}")["currentVersion"]["id"] == added


def test_a_secret_that_is_not_active_is_not_told(cloud: Rest) -> None:
    assert cloud.done("POST", f"{SECRETS}/e6qold:deactivate")["status"] == "INACTIVE"
    assert cloud.refusal("GET", f"{SECRETS}/e6qold/payload")[:2] == (400, 9)
    cloud.done("POST", f"{SECRETS}/e6qold:activate")
    assert cloud.get(f"{SECRETS}/e6qold/payload")["entries"]


def test_a_protected_secret_stays(cloud: Rest) -> None:
    made = cloud.made(SECRETS, name="hook", deletionProtection=True)
    assert cloud.refusal("DELETE", f"{SECRETS}/{made}")[:2] == (400, 9)
    cloud.done("PATCH", f"{SECRETS}/{made}", {"updateMask": "deletionProtection"})
    cloud.done("DELETE", f"{SECRETS}/{made}")


def test_objects_are_listed_and_read_with_a_token(cloud: Rest) -> None:
    for key in ("runs/1/report.json", "runs/2/report.json", "runs/last"):
        assert cloud.call("PUT", f"/s3/old-bucket/{key}", key).status_code == 200
    listed = cloud.call("GET", "/s3/old-bucket?list-type=2&prefix=runs/&delimiter=/").text
    assert re.findall("<Prefix>(.*?)</Prefix>", listed) == ["runs/1/", "runs/2/"]
    assert re.findall("<Key>(.*?)</Key>", listed) == ["runs/last"]
    first = cloud.call("GET", "/s3/old-bucket?list-type=2&max-keys=3").text
    [token] = re.findall("<NextContinuationToken>(.*?)</NextContinuationToken>", first)
    second = cloud.call("GET", f"/s3/old-bucket?list-type=2&continuation-token={token}").text
    assert re.findall("<Key>(.*?)</Key>", first + second) == sorted(
        ["a/b.txt", "runs/1/report.json", "runs/2/report.json", "runs/last"]
    )
    assert cloud.call("GET", "/s3/old-bucket/a/b.txt").text == "text"
    assert cloud.call("DELETE", "/s3/old-bucket/a/b.txt").status_code == 204
    assert cloud.call("GET", "/s3/old-bucket/a/b.txt").status_code == 404
    assert "NoSuchBucket" in cloud.call("GET", "/s3/none?list-type=2").text
    refused = Rest(cloud.running, "t1.other").call("GET", "/s3/old-bucket?list-type=2")
    assert (refused.status_code, "AccessDenied" in refused.text) == (403, True)


# --- what tests ask of the emulator ---


def test_changing_calls_are_told_apart(cloud: Rest, function_id: str) -> None:
    cloud.running.clear_calls()
    cloud.get(f"{FUNCTIONS}/{function_id}")
    cloud.done("DELETE", f"{FUNCTIONS}/{function_id}")
    assert cloud.running.changing_calls() == [f"DELETE {FUNCTIONS}/{function_id}"]


def test_one_changing_call_in_turn_can_be_made_to_fail(cloud: Rest) -> None:
    fault = {"match": "POST /*", "skip": 1, "times": 1, "status": 503, "code": 14}
    cloud.running.behaviour(faults=[fault])
    statuses = [cloud.call("POST", FUNCTIONS, {"folderId": FOLDER}).status_code for _ in range(3)]
    assert statuses == [200, 503, 200]
