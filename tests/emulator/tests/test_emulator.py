"""The emulator answers as the cloud is documented to, and misbehaves when asked to."""

import base64
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from google.protobuf import json_format
from yandex.cloud.containerregistry.v1.image_service_pb2 import ListImagesResponse

from tests.emulator.client import PROJECT_ROOT, service_account
from tests.emulator.images import Blob, Image, ImageSet
from tests.emulator.keys import key_pair
from tests.support.emulator import (
    ACCOUNT,
    DRY_RUN,
    IMAGES,
    POLICIES,
    RESULTS,
    TOKEN,
    Cloud,
    seed_of,
    signed,
)

REPOSITORIES = "/container-registry/v1/repositories"
REGISTRIES = "/container-registry/v1/registries"


# --- what the API lacks is refused ---


def test_a_path_that_the_api_lacks_is_not_found(cloud: Cloud) -> None:
    assert cloud.refusal("GET", "/container-registry/v1/image")[:2] == (404, 5)
    assert cloud.refusal("GET", f"{IMAGES}/img1:nonsense")[:2] == (404, 5)
    assert cloud.refusal("PUT", f"{IMAGES}/img1")[:2] == (404, 5)


def test_a_method_that_the_emulator_lacks_is_unimplemented(cloud: Cloud) -> None:
    assert cloud.refusal("DELETE", f"{REGISTRIES}/crp1")[:2] == (501, 12)


@pytest.mark.parametrize(
    ("method", "path", "body", "named"),
    [
        pytest.param("GET", f"{IMAGES}?registryId=crp1&colour=red", None, "colour", id="unknown parameter"),
        pytest.param(
            "GET", f"{IMAGES}?registryId=crp1&registryId=crp2", None, "registryId", id="given twice"
        ),
        pytest.param("GET", f"{IMAGES}?registryId=crp1&pageSize=many", None, "pageSize", id="not a number"),
        pytest.param(
            "GET", f"{IMAGES}?registryId=crp1&pageSize=1001", None, "page_size", id="page too large"
        ),
        pytest.param(
            "GET", f"{IMAGES}?registryId=crp1&pageToken=abc", None, "page_token", id="bad page token"
        ),
        pytest.param("GET", f"{IMAGES}?registryId=crp1&orderBy=size", None, "order_by", id="unknown order"),
        pytest.param("GET", f'{IMAGES}?registryId=crp1&filter=id="x"', None, "filter", id="unknown filter"),
        pytest.param("GET", f"{IMAGES}?registryId={'x' * 51}", None, "registry_id", id="too long"),
        pytest.param("GET", f"{IMAGES}?repositoryName=Team", None, "repository_name", id="pattern"),
        pytest.param("GET", IMAGES, None, "registry_id", id="no scope"),
        pytest.param("GET", REGISTRIES, None, "folder_id", id="required parameter"),
        pytest.param("GET", f"{POLICIES}?folderId=b1gfolder", None, "folderId", id="no policies by folder"),
        pytest.param("GET", POLICIES, None, "registry_id", id="neither registry nor repository"),
        pytest.param("GET", f"{POLICIES}?registryId=crp1&repositoryId=repo1", None, "id", id="both of them"),
        pytest.param(
            "DELETE", f"{IMAGES}/img1?force=true", None, "force", id="unknown parameter of a delete"
        ),
        pytest.param("DELETE", f"{IMAGES}/img1", {"a": 1}, "body", id="body of a delete"),
        pytest.param("POST", POLICIES, {"repositoryId": "repo1"}, "status", id="required field"),
        pytest.param(
            "POST",
            POLICIES,
            {"repositoryId": "repo1", "status": "ENABLED"},
            "status",
            id="unknown enum value",
        ),
        pytest.param(
            "POST", POLICIES, {"repositoryId": "repo1", "state": "ACTIVE"}, "state", id="unknown body field"
        ),
    ],
)
def test_what_the_request_message_forbids_is_an_invalid_argument(
    cloud: Cloud, method: str, path: str, body: Any, named: str
) -> None:
    status, code, message = cloud.refusal(method, path, json=body)
    assert (status, code) == (400, 3)
    assert named in message


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        pytest.param({"expirePeriod": "86400s"}, "tag_regexp or untagged", id="no filter"),
        pytest.param({"untagged": True}, "expire_period or retained_top", id="no condition"),
        pytest.param(
            {"untagged": True, "expirePeriod": "48h"}, "expirePeriod", id="hours are not proto JSON"
        ),
        pytest.param({"untagged": True, "expirePeriod": "3600s"}, "expire_period", id="less than a day"),
        pytest.param({"untagged": True, "expirePeriod": "90000s"}, "expire_period", id="not whole days"),
        pytest.param({"untagged": True, "retainedTop": "-1"}, "retained_top", id="negative"),
        pytest.param({"tagRegexp": "(", "retainedTop": "1"}, "tag_regexp", id="bad regexp"),
        pytest.param({"tagRegexp": "a" * 257, "retainedTop": "1"}, "tag_regexp", id="long regexp"),
    ],
)
def test_a_rule_that_the_cloud_would_not_take_is_refused(
    cloud: Cloud, rule: dict[str, Any], named: str
) -> None:
    body = {"repositoryId": "repo1", "status": "DISABLED", "rules": [rule]}
    status, code, message = cloud.refusal("POST", POLICIES, json=body)
    assert (status, code) == (400, 3)
    assert named in message


def test_parameters_may_be_spelt_as_in_the_proto(cloud: Cloud) -> None:
    assert cloud.json("GET", f"{IMAGES}?registry_id=crp1&page_size=2") == cloud.json(
        "GET", f"{IMAGES}?registryId=crp1&pageSize=2"
    )


# --- JSON as proto3 writes it ---


def test_answers_are_proto_json(cloud: Cloud) -> None:
    image = cloud.json("GET", f"{IMAGES}/img1")
    assert image["compressedSize"] == "1000"
    assert image["name"] == "crp1/team-a/app"
    assert sum(int(layer["size"]) for layer in image["layers"]) == 1000
    assert "tags" not in cloud.json("GET", f"{IMAGES}/img3")
    assert cloud.json("GET", f"{IMAGES}?registryId=crp2") == {}


@pytest.mark.parametrize("size", [0, 10])
@pytest.mark.parametrize("tags", [(), ("v1", "v2")])
def test_the_ready_text_of_an_image_is_the_json_of_its_message(size: int, tags: tuple[str, ...]) -> None:
    layers = (Blob("sha256:" + "a" * 64, size), Blob("sha256:" + "b" * 64, 1))
    image = Image(
        "i", "crp1/a", "sha256:" + "c" * 64, size, Blob("sha256:" + "d" * 64, 5), layers, tags, 1e9, 1e9
    )
    assert json.loads(image.json_text) == json_format.MessageToDict(image.message())


def test_the_ready_text_of_a_page_is_the_json_of_its_message(cloud: Cloud) -> None:
    page = cloud.json("GET", f"{IMAGES}?registryId=crp1&pageSize=2")
    parsed = json_format.ParseDict(page, ListImagesResponse())
    assert json_format.MessageToDict(parsed) == page


# --- lists ---


def test_pages_cover_every_image_once(cloud: Cloud) -> None:
    cloud.running.seed(seed_of([{"series": 2500, "tags": ["build-{n}"], "layers": 2}]))
    pages = cloud.pages(f"{IMAGES}?registryId=crp1&pageSize=1000", "images")
    assert [len(page) for page in pages] == [1000, 1000, 500]
    assert {image["id"] for page in pages for image in page} == cloud.running.image_ids()
    assert len(cloud.json("GET", f"{IMAGES}?registryId=crp1")["images"]) == 100


def test_an_image_deleted_between_two_pages_hides_no_other(cloud: Cloud) -> None:
    first = cloud.json("GET", f"{IMAGES}?registryId=crp1&pageSize=1")
    cloud.running.change(delete_image={"image_id": first["images"][0]["id"]})
    second = cloud.json("GET", f"{IMAGES}?registryId=crp1&pageToken={first['nextPageToken']}")
    assert len(second["images"]) == 2


def test_a_page_token_is_good_for_its_query_alone(cloud: Cloud) -> None:
    token = cloud.json("GET", f"{IMAGES}?registryId=crp1&pageSize=1")["nextPageToken"]
    path = f"{IMAGES}?repositoryName=crp1/team-a/app&pageToken={token}"
    assert cloud.refusal("GET", path)[:2] == (400, 3)


def test_the_narrowest_scope_of_an_image_list_wins(cloud: Cloud) -> None:
    def ids(query: str) -> list[str]:
        return [image["id"] for image in cloud.json("GET", f"{IMAGES}?{query}").get("images", [])]

    assert ids("folderId=b1gfolder") == ["img1", "img2", "img3"]
    assert ids("folderId=b1gfolder&registryId=crp2") == []
    assert ids("registryId=crp2&repositoryName=crp1/team-a/app") == ["img1", "img2", "img3"]
    assert ids('registryId=crp1&filter=name="crp1/other"') == []
    assert ids('registryId=crp1&filter=name="crp1/team-a/app"') == ["img1", "img2", "img3"]
    assert ids('registryId=crp2&filter=name="crp1/team-a/app"') == []
    assert ids("registryId=crp1&orderBy=created_at,name") == ["img1", "img3", "img2"]


def test_a_list_in_some_order_stays_in_order_while_images_come_and_go() -> None:
    dice = random.Random(1)
    images = ImageSet()
    for fields in ((), ("created_at",), ("digest", "name")):
        images.ordered(fields)
    for step in range(500):
        blob = Blob(f"sha256:{dice.random()}", 1)
        image = Image(
            f"i{dice.randrange(50)}", "crp1/a", blob.digest, 1, blob, (), (), dice.randrange(9), step
        )
        if image.id in images and dice.random() < 0.5:
            images.remove(image.id)
        else:
            images.put(image)
    for fields in ((), ("created_at",), ("digest", "name")):
        keys, ordered = images.ordered(fields)
        assert keys == sorted(image.sort_key(fields) for image in images.all())
        assert keys == [image.sort_key(fields) for image in ordered]


@pytest.mark.parametrize(
    "path",
    [
        f"{IMAGES}?registryId=crp9",
        f"{IMAGES}?repositoryName=crp1/nothing",
        f"{IMAGES}/img9",
        f"{REGISTRIES}/crp9",
        f"{REPOSITORIES}/repo9",
        f"{POLICIES}/pol9",
        f"{POLICIES}?registryId=crp9",
        f"{RESULTS}/res9",
        "/operations/op9",
        "/lockbox/v1/secrets/e6q9/payload",
    ],
)
def test_what_does_not_exist_is_not_found(cloud: Cloud, path: str) -> None:
    assert cloud.refusal("GET", path)[:2] == (404, 5)


def test_registries_and_repositories_are_listed_and_found(cloud: Cloud) -> None:
    registries = cloud.json("GET", f"{REGISTRIES}?folderId=b1gfolder")["registries"]
    assert [(registry["id"], registry["status"]) for registry in registries] == [
        ("crp1", "ACTIVE"),
        ("crp2", "ACTIVE"),
    ]
    repository = {"id": "repo1", "name": "crp1/team-a/app"}
    assert cloud.json("GET", f"{REPOSITORIES}?registryId=crp1") == {"repositories": [repository]}
    assert cloud.json("GET", f"{REPOSITORIES}/repo1") == repository
    assert cloud.json("GET", f"{REPOSITORIES}/{quote('crp1/team-a/app', safe='')}:byName") == repository


def test_a_repository_is_created_once_and_deleted_with_its_images(cloud: Cloud) -> None:
    made = cloud.json("POST", REPOSITORIES, json={"name": "crp2/new"})["response"]
    assert cloud.json("POST", REPOSITORIES, json={"name": "crp2/new"})["response"] == made
    assert cloud.json("DELETE", f"{REPOSITORIES}/repo1")["done"]
    assert cloud.running.image_ids() == set()


# --- who may call ---


def test_a_jwt_is_exchanged_for_a_token_that_works(cloud: Cloud) -> None:
    cloud.token = ""
    answer = cloud.json("POST", "/iam/v1/tokens", json={"jwt": signed()})
    assert answer["expiresAt"].endswith("Z")
    cloud.token = answer["iamToken"]
    assert cloud.get(f"{IMAGES}/img1").status_code == 200


def bad_jwts() -> list[Any]:
    now = int(time.time())
    header, _, signature = signed().split(".")
    forged = base64.urlsafe_b64encode(b'{"iss": "other"}').decode().rstrip("=")
    return [
        pytest.param(signed(iss="ajeother"), "iss", id="another account"),
        pytest.param(signed(aud="https://iam.api.cloud.yandex.net/"), "aud", id="wrong audience"),
        pytest.param(signed(exp=now + 3700, iat=now), "3600", id="too long a life"),
        pytest.param(signed(exp=now - 10, iat=now - 60), "exp", id="expired"),
        pytest.param(signed(iat=now + 36_000, exp=now + 36_300), "iat", id="from the future"),
        pytest.param(signed(exp="soon"), "exp", id="not a number"),
        pytest.param(signed(kid="ajeother"), "kid", id="unknown key"),
        pytest.param(signed(key=key_pair("other").private_key), "Signature", id="another key"),
        pytest.param(signed(algorithm="RS256"), "PS256", id="wrong algorithm"),
        pytest.param(f"{header}.{forged}.{signature}", "Signature", id="changed claims"),
        pytest.param("nonsense", "segments", id="not a jwt"),
    ]


@pytest.mark.parametrize(("encoded", "reason"), bad_jwts())
def test_a_wrong_jwt_is_refused_with_its_reason(cloud: Cloud, encoded: str, reason: str) -> None:
    status, code, message = cloud.refusal("POST", "/iam/v1/tokens", json={"jwt": encoded})
    assert (status, code) == (401, 16)
    assert reason in message


def test_a_jwt_over_8000_characters_is_invalid(cloud: Cloud) -> None:
    assert cloud.refusal("POST", "/iam/v1/tokens", json={"jwt": "x" * 8001})[:2] == (400, 3)


@pytest.mark.parametrize("header", ["", "Bearer unknown", TOKEN, f"Basic {TOKEN}"])
def test_a_call_without_a_valid_token_is_unauthenticated_before_anything_else(
    cloud: Cloud, header: str
) -> None:
    refusal = cloud.refusal("GET", f"{IMAGES}?colour=red", headers={"Authorization": header})
    assert refusal == (401, 16, "Token is invalid or has expired.")


def test_tokens_expire_by_the_emulators_clock(cloud: Cloud) -> None:
    cloud.running.behaviour(clock_offset_seconds=43_300)
    assert cloud.refusal("GET", f"{IMAGES}/img1")[:2] == (401, 16)


@pytest.mark.parametrize(
    ("roles", "folder_id", "allowed"),
    [
        pytest.param(None, "b1gfolder", {"read", "delete", "dry run", "secret"}, id="all roles"),
        pytest.param([], "b1gfolder", set(), id="none"),
        pytest.param(["container-registry.viewer"], "b1gfolder", {"read"}, id="viewer"),
        pytest.param(["container-registry.editor"], "b1gfolder", {"read", "dry run"}, id="editor"),
        pytest.param(["container-registry.images.pusher"], "b1gfolder", {"delete"}, id="pusher"),
        pytest.param(["lockbox.payloadViewer"], "b1gfolder", {"secret"}, id="payload viewer"),
        pytest.param(["container-registry.editor"], "b1gother", set(), id="on another folder"),
    ],
)
def test_a_service_account_may_do_what_its_roles_allow(
    cloud: Cloud, roles: list[str] | None, folder_id: str, allowed: set[str]
) -> None:
    seed = seed_of([{"id": "img1"}])
    seed["service_accounts"] = [service_account(ACCOUNT["id"], folder_id, roles)[0]]
    cloud.running.seed(seed)
    calls = {
        "read": ("GET", f"{IMAGES}?registryId=crp1"),
        "dry run": ("POST", f"{DRY_RUN}/pol1"),
        "secret": ("GET", "/lockbox/v1/secrets/e6qsecret/payload"),
        "delete": ("DELETE", f"{IMAGES}/img1"),
    }
    statuses = {name: cloud.call(*call).status_code for name, call in calls.items()}
    assert statuses == {name: 200 if name in allowed else 403 for name in calls}


def test_the_metadata_service_gives_a_token_to_whoever_knows_its_header(cloud: Cloud) -> None:
    path = "/computeMetadata/v1/instance/service-accounts/default/token"
    google = {"Metadata-Flavor": "Google"}
    assert cloud.get(path, headers=google).status_code == 404
    cloud.running.seed(
        {**seed_of([{"id": "img1"}]), "metadata_service": {"service_account_id": ACCOUNT["id"]}}
    )
    assert cloud.get(path).status_code == 403
    answer = cloud.json("GET", path, headers=google)
    assert answer["token_type"] == "Bearer"
    cloud.token = answer["access_token"]
    assert cloud.get(f"{IMAGES}/img1").status_code == 200


def test_lockbox_gives_the_entries_of_a_secret(cloud: Cloud) -> None:
    payload = cloud.json("GET", "/lockbox/v1/secrets/e6qsecret/payload")
    assert payload["entries"] == [{"key": "key", "textValue": "text"}]


# --- deletes, operations ---


def test_a_deleted_image_is_gone_with_its_tags(cloud: Cloud) -> None:
    operation = cloud.json("DELETE", f"{IMAGES}/img1")
    assert operation["done"]
    assert operation["metadata"]["imageId"] == "img1"
    assert operation["response"]["@type"] == "type.googleapis.com/google.protobuf.Empty"
    assert cloud.json("GET", f"/operations/{operation['id']}") == operation
    assert cloud.running.image_ids() == {"img2", "img3"}
    assert cloud.refusal("DELETE", f"{IMAGES}/img1")[:2] == (404, 5)


def test_an_operation_takes_effect_when_it_ends(cloud: Cloud) -> None:
    cloud.running.behaviour(operation_ms=150)
    first, second = (cloud.json("DELETE", f"{IMAGES}/img1") for _ in range(2))
    assert "done" not in first
    assert "img1" in cloud.running.image_ids()
    time.sleep(0.2)
    assert "img1" not in cloud.running.image_ids()
    ended = cloud.json("GET", f"/operations/{first['id']}")
    assert ended["done"]
    assert ended["createdBy"] == ACCOUNT["id"]
    assert cloud.json("GET", f"/operations/{second['id']}")["error"]["code"] == 5
    assert cloud.running.image_ids() == {"img2", "img3"}


def test_operations_cannot_be_cancelled(cloud: Cloud) -> None:
    operation = cloud.json("DELETE", f"{IMAGES}/img1")
    assert cloud.refusal("GET", f"/operations/{operation['id']}:cancel")[:2] == (400, 9)


# --- the command line ---


def test_the_command_reads_a_seed_writes_a_key_and_ends_with_its_standard_input(tmp_path: Path) -> None:
    seed, key = tmp_path / "seed.yaml", tmp_path / "key.json"
    seed.write_text("service_accounts: [{id: ajesa1}]\nregistries: [{id: crp1, folder_id: b1gfolder}]\n")
    command = [sys.executable, "-m", "tests.emulator", "--seed", str(seed), "--write-key", str(key)]
    with subprocess.Popen(
        [*command, "--until-stdin-closes"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=PROJECT_ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        written = json.loads(key.read_text())
        assert key.stat().st_mode & 0o777 == 0o600
        assert written["private_key"].startswith("PLEASE DO NOT REMOVE THIS LINE! Yandex.Cloud SA Key ID <")
        encoded = signed(key=written["private_key"], kid=written["id"], iss="ajesa1")
        assert requests.post(f"{url}/iam/v1/tokens", json={"jwt": encoded}, timeout=10).status_code == 200
        process.stdin.close()
        assert process.wait(timeout=10) == 0
