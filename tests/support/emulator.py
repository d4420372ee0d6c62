"""What `test_emulator` and `emulator.tests.test_policies` share."""

from __future__ import annotations

import time
from typing import Any

import jwt
import requests

from tests.emulator.client import RunningEmulator, service_account

ACCOUNT, KEY = service_account()
TOKEN = "t1.test"
POLICIES = "/container-registry/v1/lifecyclePolicies"
DRY_RUN = "/container-registry/v1/dryRunLifecyclePolicy"
RESULTS = "/container-registry/v1/dryRunLifecyclePolicyResults"
BUILD_RULE = {"tag_regexp": "build-.*", "expire_period": "30d"}
AUDIENCE = "https://iam.api.cloud.yandex.net/iam/v1/tokens"
IMAGES = "/container-registry/v1/images"


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


def affected(cloud: Cloud) -> set[str]:
    operation = cloud.json("POST", f"{DRY_RUN}/pol1", json={})
    result_id = operation["metadata"]["dryRunLifecyclePolicyResultId"]
    pages = cloud.pages(f"{RESULTS}/{result_id}:affectedImages?pageSize=2", "affectedImages")
    found = {image["id"] for page in pages for image in page}
    assert int(operation["response"].get("affectedImagesCount", "0")) == len(found)
    return found


def signed(
    key: str = KEY["private_key"], algorithm: str = "PS256", kid: str = KEY["id"], **changed: Any
) -> str:
    now = int(time.time())
    claims = {"iss": ACCOUNT["id"], "aud": AUDIENCE, "iat": now, "exp": now + 3600, **changed}
    private_pem = key[key.find("-----BEGIN") :]
    return jwt.encode(claims, private_pem, algorithm=algorithm, headers={"kid": kid})
