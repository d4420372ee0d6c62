"""The emulator answers as the cloud is documented to, and misbehaves when asked to."""

import base64
import itertools
import json
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jwt
import pytest
import requests
from google.protobuf import json_format
from yandex.cloud.containerregistry.v1.image_service_pb2 import ListImagesResponse

from tests.emulator.client import PROJECT_ROOT, RunningEmulator, service_account
from tests.emulator.images import Blob, Image, ImageSet
from tests.emulator.keys import key_pair

ACCOUNT, KEY = service_account()
TOKEN = "t1.test"
AUDIENCE = "https://iam.api.cloud.yandex.net/iam/v1/tokens"

IMAGES = "/container-registry/v1/images"
POLICIES = "/container-registry/v1/lifecyclePolicies"
REPOSITORIES = "/container-registry/v1/repositories"
REGISTRIES = "/container-registry/v1/registries"
DRY_RUN = "/container-registry/v1/dryRunLifecyclePolicy"
RESULTS = "/container-registry/v1/dryRunLifecyclePolicyResults"

BUILD_RULE = {"tag_regexp": "build-.*", "expire_period": "30d"}


def seed_of(images: list[dict[str, Any]], rules: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """One registry with one repository and one policy."""
    policy = {"id": "pol1", "name": "old-builds", "status": "ACTIVE", "rules": rules or [BUILD_RULE]}
    repository = {"id": "repo1", "name": "team-a/app", "policies": [policy], "images": images}
    return {
        "service_accounts": [ACCOUNT],
        "tokens": [{"token": TOKEN, "service_account_id": ACCOUNT["id"]}],
        "secrets": [{"id": "e6qsecret", "entries": {"key": "text"}}],
        "registries": [
            {"id": "crp1", "folder_id": "b1gfolder", "name": "main", "repositories": [repository]},
            {"id": "crp2", "folder_id": "b1gfolder", "name": "second", "repositories": [{"name": "app"}]},
        ],
    }


class Cloud:
    """The emulator as a client sees it, with the emulator's own controls beside."""

    def __init__(self, running: RunningEmulator) -> None:
        self.running = running
        self.session = requests.Session()
        self.token = TOKEN

    def call(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}", **kwargs.pop("headers", {})}
        return self.session.request(
            method, self.running.url + path, headers=headers, timeout=kwargs.pop("timeout", 10), **kwargs
        )

    def get(self, path: str, **kwargs: Any) -> requests.Response:
        return self.call("GET", path, **kwargs)

    def json(self, method: str, path: str, **kwargs: Any) -> dict[str, Any]:
        response = self.call(method, path, **kwargs)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def refusal(self, method: str, path: str, **kwargs: Any) -> tuple[int, int, str]:
        response = self.call(method, path, **kwargs)
        error = response.json()
        assert error["details"][0]["@type"] == "type.googleapis.com/google.rpc.RequestInfo"
        return response.status_code, error["code"], error["message"]

    def pages(self, path: str, field: str) -> list[list[dict[str, Any]]]:
        found, token = [], ""
        while True:
            page = self.json("GET", f"{path}&pageToken={token}")
            found.append(page.get(field, []))
            token = page.get("nextPageToken", "")
            if not token:
                return found


@pytest.fixture
def cloud(running_emulator: RunningEmulator) -> Cloud:
    running_emulator.seed(
        seed_of(
            [
                {"id": "img1", "tags": ["build-1"], "age": "40d", "size": 1000},
                {"id": "img2", "tags": ["build-2"], "age": "10d"},
                {"id": "img3", "tags": [], "age": "40d"},
            ]
        )
    )
    return Cloud(running_emulator)


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


def signed(
    key: str = KEY["private_key"], algorithm: str = "PS256", kid: str = KEY["id"], **changed: Any
) -> str:
    now = int(time.time())
    claims = {"iss": ACCOUNT["id"], "aud": AUDIENCE, "iat": now, "exp": now + 3600, **changed}
    private_pem = key[key.find("-----BEGIN") :]
    return jwt.encode(claims, private_pem, algorithm=algorithm, headers={"kid": kid})


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
        pytest.param(signed(iat=now + 600, exp=now + 900), "iat", id="from the future"),
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


# --- policies and dry runs ---


def affected(cloud: Cloud) -> set[str]:
    operation = cloud.json("POST", f"{DRY_RUN}/pol1", json={})
    result_id = operation["metadata"]["dryRunLifecyclePolicyResultId"]
    pages = cloud.pages(f"{RESULTS}/{result_id}:affectedImages?pageSize=2", "affectedImages")
    found = {image["id"] for page in pages for image in page}
    assert int(operation["response"].get("affectedImagesCount", "0")) == len(found)
    return found


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


# --- misbehaviour ---

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


# --- races and controls ---


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
