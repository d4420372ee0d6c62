"""Cloud Registry as a client with a token sees it, for the emulator's own tests."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import requests

from tests.emulator.client import service_account
from tests.support.rest import FOLDER, TOKEN, Rest

ACCOUNT, _ = service_account()
BASE = "/cloud-registry/v1"
ARTIFACTS = f"{BASE}/artifacts"
REGISTRIES = f"{BASE}/registries"
POLICIES = f"{BASE}/lifecyclePolicies"
RESULTS = f"{BASE}/lifecyclePolicyDryRunResults"
CLOUD_HOST = "/cloud-registry-v2"
ACCEPTED = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json,"
    "application/vnd.docker.distribution.manifest.v2+json"
)

IMAGES: list[dict[str, Any]] = [
    {"id": "img1", "tags": ["v1", "latest"], "age": "1d", "size": 1000, "layers": 2},
    {"id": "img2", "tags": ["v2"], "age": "10d"},
    {"id": "amd", "age": "20d"},
    {"id": "arm", "age": "20d"},
    {"id": "multi", "tags": ["multi"], "age": "20d", "index": ["amd", "arm"]},
    {"id": "bare", "age": "30d"},
]


def seed_of(
    *images: dict[str, Any], account: dict[str, Any] | None = None, **registry: Any
) -> dict[str, Any]:
    """One registry with the repository `team-a/app`; more keys are the registry's."""
    told = account or ACCOUNT
    return {
        "service_accounts": [told],
        "tokens": [{"token": TOKEN, "service_account_id": told["id"]}],
        "cloud_registries": [
            {
                "id": "crp1",
                "folder_id": FOLDER,
                "name": "main",
                "repositories": [{"name": "team-a/app", "images": list(images)}],
                **registry,
            }
        ],
    }


def pages(cloud: Rest, path: str, field: str = "artifacts") -> list[list[dict[str, Any]]]:
    listed, token = [], ""
    while True:
        page = cloud.get(f"{path}&pageToken={token}" if token else path)
        listed.append(page.get(field, []))
        token = page.get("nextPageToken", "")
        if not token:
            return listed


def names(cloud: Rest, query: str = "kind=ARTIFACT") -> list[str]:
    """The names of the artifacts of `crp1` that the query asks for."""
    listed = pages(cloud, f"{ARTIFACTS}?registryId=crp1&{query}")
    return [artifact["name"] for page in listed for artifact in page]


def by_name(cloud: Rest) -> dict[str, dict[str, Any]]:
    artifacts = cloud.get(f"{ARTIFACTS}?registryId=crp1&pageSize=1000").get("artifacts", [])
    return {artifact["name"]: artifact for artifact in artifacts}


def digest(artifact: dict[str, Any]) -> str:
    return str(artifact["content"]["docker"]["manifestDigest"])


def pull(
    cloud: Rest, reference: str, base: str = CLOUD_HOST, name: str = "crp1/team-a/app"
) -> requests.Response:
    """The manifest as a Docker client asks for it, with a token of the host's own."""
    service = "registry.yandexcloud.net" if base else "cr.yandex"
    realm = f"{cloud.running.url}{base}/v2-token?service={service}&scope={quote(f'repository:{name}:pull')}"
    token = requests.get(realm, auth=("iam", cloud.token), timeout=10).json()["token"]
    return requests.get(
        f"{cloud.running.url}{base}/v2/{name}/manifests/{reference}",
        headers={"Authorization": f"Bearer {token}", "Accept": ACCEPTED},
        timeout=10,
    )
