"""What the emulator has beside Container Registry's own API: the workloads, their Kubernetes API, and
manifests.
"""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.emulator.client import RunningEmulator, emulator, service_account
from tests.emulator.manifests import (
    ARTIFACT_TYPE,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
)
from tests.support.docker_registry import docker_registry, is_installed, push_image, push_index

ACCOUNT, _ = service_account()
TOKEN = "t1.test"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PASSWORD = "Basic " + base64.b64encode(f"iam:{TOKEN}".encode()).decode()
ACCEPTED = ", ".join([OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST])

APP = "crp1/team-a/app"
DIGEST = "sha256:" + "a" * 64

CONTAINERS = "/containers/v1/containers"
REVISIONS = "/containers/v1/revisions"
INSTANCES = "/compute/v1/instances"
GROUPS = "/compute/v1/instanceGroups"
CLUSTERS = "/managed-kubernetes/v1/clusters"
IMAGES = "/container-registry/v1/images"

PODS = "/api/v1/pods"


def seed_of(*images: dict[str, Any], roles: list[str] | None = None, **parts: Any) -> dict[str, Any]:
    repository = {"id": "repo1", "name": "team-a/app", "images": list(images)}
    account = ACCOUNT if roles is None else {**ACCOUNT, "roles": roles}
    return {
        "service_accounts": [account],
        "tokens": [{"token": TOKEN, "service_account_id": ACCOUNT["id"]}],
        "registries": [{"id": "crp1", "repositories": [repository, {"name": "other"}]}],
        **parts,
    }


WORKLOADS: dict[str, Any] = {
    "containers": [
        {
            "id": "bba1",
            "name": "web",
            "revisions": [
                {"id": "rev1", "image": "cr.yandex/crp1/team-a/app:v1", "digest": DIGEST, "age": "3d"},
                {"id": "rev2", "image": "cr.yandex/crp1/team-a/app:v0", "status": "OBSOLETE"},
            ],
        },
        {
            "id": "bba2",
            "name": "api",
            "revisions": [{"id": "rev3", "image": "cr.yandex/crp1/team-a/app:v2"}],
        },
        {"id": "bba3", "folder_id": "b1gother", "revisions": [{"id": "rev4", "image": "cr.yandex/a:1"}]},
    ],
    "instances": [
        {"id": "fhm1", "name": "vm1", "metadata": {"docker-compose": "services: {}"}},
        {"id": "fhm2", "name": "vm2", "status": "STOPPED"},
    ],
    "instance_groups": [{"id": "cl1", "name": "group", "metadata": {"docker-compose": "services: {}"}}],
    "clusters": [
        {
            "id": "cat1",
            "name": "production",
            "objects": [
                {
                    "kind": "Deployment",
                    "apiVersion": "apps/v1",
                    "metadata": {"name": "web"},
                    "spec": {"template": {"spec": {"containers": [{"image": "cr.yandex/crp1/app:v1"}]}}},
                }
            ],
            "series": [
                {
                    "kind": "Pod",
                    "count": 25,
                    "image": "cr.yandex/crp1/app:v1",
                    "image_id": f"cr.yandex/crp1/app@{DIGEST}",
                },
                {"kind": "CronJob", "count": 1, "image": "cr.yandex/crp1/app:v{n}"},
            ],
        },
        {"id": "cat2", "status": "STOPPED"},
        {"id": "cat3", "endpoint": "internal", "bearer_needed": False},
    ],
}


class Cloud:
    """The emulator as a client sees it."""

    def __init__(self, running: RunningEmulator, directory: Path) -> None:
        self.running = running
        self._directory = directory

    def get(self, path: str, **headers: str) -> requests.Response:
        return requests.get(self.running.url + path, headers=BEARER | headers, timeout=10)

    def json(self, path: str) -> dict[str, Any]:
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def ids(self, path: str, field: str) -> list[str]:
        return [found["id"] for found in self.json(path).get(field, [])]

    def kubernetes(
        self, path: str, cluster_id: str = "cat1", headers: dict[str, str] = BEARER
    ) -> requests.Response:
        """Ask a cluster's API as a client would that knows of it from the cloud alone."""
        master = self.json(f"{CLUSTERS}/{cluster_id}")["master"]
        endpoints = master["endpoints"]
        authority = self._directory / f"{cluster_id}.pem"
        authority.write_text(master["masterAuth"]["clusterCaCertificate"])
        url = endpoints.get("externalV4Endpoint") or endpoints["internalV4Endpoint"]
        return requests.get(url + path, headers=headers, verify=str(authority), timeout=10)

    def image(self, image_id: str) -> dict[str, Any]:
        return self.json(f"{IMAGES}/{image_id}")

    def manifest(
        self, reference: str, authorization: str = "", repository: str = APP, method: str = "GET"
    ) -> requests.Response:
        headers = {"Accept": ACCEPTED, "Authorization": authorization or f"Bearer {self.registry_token()}"}
        path = f"/v2/{repository}/manifests/{reference}"
        return requests.request(method, self.running.url + path, headers=headers, timeout=10)

    def registry_token(self, repository: str = APP, password: str = PASSWORD) -> str:
        answer = self.get(
            f"/v2-token?service=cr.yandex&scope=repository:{repository}:pull", Authorization=password
        )
        assert answer.json()["expires_in"] == 300
        return str(answer.json()["token"])


@pytest.fixture
def cloud(running_emulator: RunningEmulator, tmp_path: Path) -> Cloud:
    running_emulator.seed(seed_of({"id": "img1", "tags": ["v1"]}, **WORKLOADS))
    return Cloud(running_emulator, tmp_path)


# --- workloads ---


def test_containers_are_listed_and_found(cloud: Cloud) -> None:
    assert cloud.ids(f"{CONTAINERS}?folderId=b1gfolder", "containers") == ["bba1", "bba2"]
    assert cloud.ids(f'{CONTAINERS}?folderId=b1gfolder&filter=name="api"', "containers") == ["bba2"]
    container = cloud.json(f"{CONTAINERS}/bba1")
    assert (container["name"], container["status"]) == ("web", "ACTIVE")
    assert cloud.get(f"{CONTAINERS}/bba9").status_code == 404


def test_revisions_are_listed_by_folder_or_by_container(cloud: Cloud) -> None:
    assert cloud.ids(f"{REVISIONS}?folderId=b1gfolder", "revisions") == ["rev1", "rev2", "rev3"]
    assert cloud.ids(f"{REVISIONS}?containerId=bba1", "revisions") == ["rev1", "rev2"]
    active = f'{REVISIONS}?folderId=b1gfolder&filter=status="ACTIVE"'
    assert cloud.ids(active, "revisions") == ["rev1", "rev3"]
    revision = cloud.json(f"{REVISIONS}/rev1")
    assert revision["image"] == {"imageUrl": "cr.yandex/crp1/team-a/app:v1", "imageDigest": DIGEST}
    assert (revision["containerId"], revision["status"]) == ("bba1", "ACTIVE")


def test_revisions_come_in_pages(cloud: Cloud) -> None:
    first = cloud.json(f"{REVISIONS}?folderId=b1gfolder&pageSize=2")
    assert [revision["id"] for revision in first["revisions"]] == ["rev1", "rev2"]
    second = f"{REVISIONS}?folderId=b1gfolder&pageSize=2&pageToken={first['nextPageToken']}"
    assert cloud.ids(second, "revisions") == ["rev3"]
    assert "nextPageToken" not in cloud.json(second)
    assert cloud.get(f"{REVISIONS}?containerId=bba1&pageToken={first['nextPageToken']}").status_code == 400


@pytest.mark.parametrize(
    ("path", "named"),
    [
        pytest.param(REVISIONS, "exactly one", id="neither folder nor container"),
        pytest.param(f"{REVISIONS}?folderId=b1gfolder&containerId=bba1", "id", id="both of them"),
        pytest.param(f'{REVISIONS}?folderId=b1gfolder&filter=name="a"', "filter", id="unknown filter"),
        pytest.param(CONTAINERS, "folder_id", id="containers of no folder"),
        pytest.param(INSTANCES, "folder_id", id="instances of no folder"),
        pytest.param(f"{INSTANCES}?folderId=b1gfolder&view=FULL", "view", id="no view in a list"),
        pytest.param(f"{GROUPS}?folderId=b1gfolder&view=ALL", "view", id="unknown view"),
        pytest.param(CLUSTERS, "folder_id", id="clusters of no folder"),
    ],
)
def test_a_list_that_the_api_does_not_have_is_an_invalid_argument(
    cloud: Cloud, path: str, named: str
) -> None:
    answer = cloud.get(path)
    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert named in answer.json()["message"]


def test_an_instance_shows_its_metadata_in_full_view_alone(cloud: Cloud) -> None:
    metadata = {"docker-compose": "services: {}"}
    assert cloud.json(f"{INSTANCES}/fhm1?view=FULL")["metadata"] == metadata
    assert "metadata" not in cloud.json(f"{INSTANCES}/fhm1?view=BASIC")
    assert "metadata" not in cloud.json(f"{INSTANCES}/fhm1")
    listed = cloud.json(f"{INSTANCES}?folderId=b1gfolder")["instances"]
    assert [(found["id"], found["status"]) for found in listed] == [("fhm1", "RUNNING"), ("fhm2", "STOPPED")]
    assert not any("metadata" in found for found in listed)
    assert cloud.ids(f'{INSTANCES}?folderId=b1gfolder&filter=status="RUNNING"', "instances") == ["fhm1"]
    assert cloud.ids(f'{INSTANCES}?folderId=b1gfolder&filter=name="vm2"', "instances") == ["fhm2"]


def test_an_instance_group_shows_its_metadata_in_full_view_alone(cloud: Cloud) -> None:
    metadata = {"docker-compose": "services: {}"}
    for path, is_list in ((f"{GROUPS}/cl1?", False), (f"{GROUPS}?folderId=b1gfolder&", True)):
        for view, shown in (("FULL", metadata), ("BASIC", None)):
            answer = cloud.json(f"{path}view={view}")
            group = answer["instanceGroups"][0] if is_list else answer
            assert group["instanceTemplate"].get("metadata") == shown


def test_clusters_tell_where_they_are(cloud: Cloud) -> None:
    assert cloud.ids(f"{CLUSTERS}?folderId=b1gfolder", "clusters") == ["cat1", "cat2", "cat3"]
    external, internal = (
        cloud.json(f"{CLUSTERS}/{name}")["master"]["endpoints"] for name in ("cat1", "cat3")
    )
    assert external["externalV4Endpoint"].startswith("https://127.0.0.1:")
    assert external["internalV4Endpoint"] != external["externalV4Endpoint"]
    assert set(internal) == {"internalV4Endpoint"}


ROLES_OF_PATHS = {
    f"{CONTAINERS}?folderId=b1gfolder": "serverless-containers.viewer",
    f"{CONTAINERS}/bba1": "serverless-containers.viewer",
    f"{REVISIONS}?folderId=b1gfolder": "serverless-containers.viewer",
    f"{REVISIONS}?containerId=bba1": "serverless-containers.viewer",
    f"{REVISIONS}/rev1": "serverless-containers.viewer",
    f"{INSTANCES}?folderId=b1gfolder": "compute.viewer",
    f"{INSTANCES}/fhm1": "compute.viewer",
    f"{GROUPS}?folderId=b1gfolder": "compute.viewer",
    f"{GROUPS}/cl1": "compute.viewer",
    f"{CLUSTERS}?folderId=b1gfolder": "k8s.viewer",
    f"{CLUSTERS}/cat1": "k8s.viewer",
}


@pytest.mark.parametrize("role", ["container-registry.admin", *sorted(set(ROLES_OF_PATHS.values()))])
def test_workloads_are_shown_to_their_viewers(cloud: Cloud, role: str) -> None:
    cloud.running.seed(seed_of(roles=[role], **WORKLOADS))
    for path, needed in ROLES_OF_PATHS.items():
        assert cloud.get(path).status_code == (200 if role == needed else 403), path
    assert cloud.get(f"{CONTAINERS}/bba3").status_code == 403


# --- the Kubernetes API ---


def test_objects_of_a_cluster_are_listed_by_kind(cloud: Cloud) -> None:
    deployments = cloud.kubernetes("/apis/apps/v1/deployments").json()
    assert (deployments["kind"], deployments["apiVersion"]) == ("DeploymentList", "apps/v1")
    (deployment,) = deployments["items"]
    assert deployment["metadata"] == {"namespace": "default", "name": "web"}
    assert not {"kind", "apiVersion"} & set(deployment)
    pods = cloud.kubernetes(PODS).json()
    assert len(pods["items"]) == 25
    assert "continue" not in pods["metadata"]
    assert pods["items"][0]["status"]["containerStatuses"][0]["imageID"].endswith(DIGEST)
    (job,) = cloud.kubernetes("/apis/batch/v1/cronjobs").json()["items"]
    pod_spec = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod_spec["containers"][0]["image"] == "cr.yandex/crp1/app:v1"
    assert cloud.kubernetes("/api/v1/replicationcontrollers").json()["items"] == []


def test_objects_come_in_pages(cloud: Cloud) -> None:
    names, token, left = [], "", []
    while True:
        page = cloud.kubernetes(f"{PODS}?limit=10&continue={token}").json()
        names += [pod["metadata"]["name"] for pod in page["items"]]
        left.append(page["metadata"].get("remainingItemCount"))
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert left == [15, 5, None]
    assert names == [f"pod-{number:06}" for number in range(1, 26)]
    assert len(cloud.running.kubernetes_calls("cat1")) == 3
    assert cloud.running.kubernetes_calls("cat1")[0] == f"{PODS}?limit=10&continue="


def test_a_continue_token_expires(cloud: Cloud) -> None:
    token = cloud.kubernetes(f"{PODS}?limit=10").json()["metadata"]["continue"]
    cloud.running.behaviour(clock_offset_seconds=301)
    expired = cloud.kubernetes(f"{PODS}?limit=10&continue={token}")
    assert (expired.status_code, expired.json()["reason"]) == (410, "Expired")
    assert cloud.kubernetes(f"{PODS}?limit=10&continue=nonsense").status_code == 400


@pytest.mark.parametrize(
    ("path", "headers", "roles", "status", "reason"),
    [
        pytest.param(PODS, {}, None, 401, "Unauthorized", id="no token"),
        pytest.param(PODS, {"Authorization": "Bearer t1.no"}, None, 401, "Unauthorized", id="wrong token"),
        pytest.param(PODS, BEARER, ["k8s.viewer"], 403, "Forbidden", id="no role"),
        pytest.param("/api/v1/nodes", BEARER, None, 404, "NotFound", id="unknown path"),
        pytest.param(f"{PODS}?labelSelector=a", BEARER, None, 400, "BadRequest", id="unknown parameter"),
    ],
)
def test_the_kubernetes_api_refuses_with_a_status_object(
    cloud: Cloud, path: str, headers: dict[str, str], roles: list[str] | None, status: int, reason: str
) -> None:
    cloud.running.seed(seed_of(roles=roles, **WORKLOADS))
    answer = cloud.kubernetes(path, headers=headers)
    refusal = answer.json()
    assert (answer.status_code, refusal["code"]) == (status, status)
    assert (refusal["kind"], refusal["status"], refusal["reason"]) == ("Status", "Failure", reason)


def test_a_cluster_may_ask_for_no_token(cloud: Cloud) -> None:
    assert cloud.kubernetes(PODS, "cat3", headers={}).status_code == 200


def test_a_viewer_of_the_cluster_api_may_list(cloud: Cloud) -> None:
    cloud.running.seed(seed_of(roles=["k8s.viewer", "k8s.cluster-api.viewer"], **WORKLOADS))
    assert cloud.kubernetes(PODS).status_code == 200


def test_a_cluster_is_known_by_its_own_authority_alone(cloud: Cloud) -> None:
    authorities = {
        cluster["id"]: cluster["master"]["masterAuth"]["clusterCaCertificate"]
        for cluster in cloud.json(f"{CLUSTERS}?folderId=b1gfolder")["clusters"]
    }
    assert len(set(authorities.values())) == 3
    url = cloud.json(f"{CLUSTERS}/cat1")["master"]["endpoints"]["externalV4Endpoint"]
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(url + PODS, headers=BEARER, timeout=10)
    cloud.running.seed(seed_of(**WORKLOADS))
    assert (
        cloud.json(f"{CLUSTERS}/cat1")["master"]["masterAuth"]["clusterCaCertificate"] == authorities["cat1"]
    )


def test_a_stopped_cluster_and_one_that_is_no_longer_seeded_do_not_answer(cloud: Cloud) -> None:
    with pytest.raises(requests.ConnectionError):
        cloud.kubernetes(PODS, "cat2")
    url = cloud.json(f"{CLUSTERS}/cat1")["master"]["endpoints"]["externalV4Endpoint"]
    cloud.running.seed(seed_of())
    with pytest.raises(requests.ConnectionError):
        requests.get(url + PODS, headers=BEARER, timeout=10)


def test_faults_and_changes_reach_the_kubernetes_api(cloud: Cloud) -> None:
    fault = {"match": "GET k8s:cat1/api/v1/pods", "skip": 1, "times": 1, "status": 410}
    change = {"after": "GET k8s:cat1/apis/apps/*", "do": {"delete_image": {"image_id": "img1"}}}
    cloud.running.behaviour(faults=[fault], changes=[change])
    answers = [cloud.kubernetes(PODS) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 410, 200]
    assert answers[1].json()["reason"] == "Expired"
    assert cloud.kubernetes(PODS, "cat3").status_code == 200
    cloud.kubernetes("/apis/apps/v1/deployments")
    assert cloud.running.image_ids() == set()
    cloud.running.behaviour(faults=[{"match": "GET k8s:cat1/*", "cut": "body"}])
    with pytest.raises(requests.RequestException):
        cloud.kubernetes(PODS)


def test_thousands_of_pods_are_seeded_and_listed(cloud: Cloud) -> None:
    series = {"kind": "Pod", "count": 5000, "image": "cr.yandex/crp1/app:v{n}"}
    cloud.running.seed(seed_of(clusters=[{"id": "cat1", "series": [series]}]))
    page = cloud.kubernetes(f"{PODS}?limit=500").json()
    assert (len(page["items"]), page["metadata"]["remainingItemCount"]) == (500, 4500)
    assert page["items"][499]["spec"]["containers"][0]["image"] == "cr.yandex/crp1/app:v500"


# --- the Docker Registry API ---


def test_a_client_signs_in_as_the_registry_tells_it_to(cloud: Cloud) -> None:
    path = f"{cloud.running.url}/v2/{APP}/manifests/v1"
    asked = requests.get(path, timeout=10)
    assert (asked.status_code, asked.json()["errors"][0]["code"]) == (401, "UNAUTHORIZED")
    challenge = asked.headers["WWW-Authenticate"]
    given = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    assert challenge.startswith("Bearer ")
    assert given["scope"] == f"repository:{APP}:pull"
    realm = given.pop("realm")
    token = requests.get(realm, params=given, headers={"Authorization": PASSWORD}, timeout=10).json()["token"]
    assert cloud.manifest("v1", f"Bearer {token}").status_code == 200
    assert cloud.manifest("v1", f"Bearer {token}", repository="crp1/other").status_code == 401
    cloud.running.behaviour(clock_offset_seconds=301)
    assert cloud.manifest("v1", f"Bearer {token}").status_code == 401


def test_the_registry_itself_asks_for_a_token_of_no_scope(cloud: Cloud) -> None:
    challenge = requests.get(f"{cloud.running.url}/v2/", timeout=10).headers["WWW-Authenticate"]
    assert challenge == f'Bearer realm="{cloud.running.url}/v2-token",service="cr.yandex"'
    token = cloud.get("/v2-token?service=cr.yandex", Authorization=PASSWORD).json()["token"]
    assert cloud.get("/v2/", Authorization=f"Bearer {token}").status_code == 200
    assert cloud.manifest("v1", f"Bearer {token}").status_code == 401


@pytest.mark.parametrize("user", ["iam:t1.wrong", f"oauth:{TOKEN}", "nonsense"])
def test_registry_tokens_are_for_holders_of_an_iam_token(cloud: Cloud, user: str) -> None:
    password = "Basic " + base64.b64encode(user.encode()).decode()
    for authorization in (password, "", f"Bearer {TOKEN}"):
        answer = requests.get(
            f"{cloud.running.url}/v2-token?service=cr.yandex",
            headers={"Authorization": authorization},
            timeout=10,
        )
        assert answer.status_code == 401


def test_the_registry_may_want_basic_authorization_or_none(cloud: Cloud) -> None:
    cloud.running.behaviour(v2_auth="basic")
    refused = cloud.manifest("v1", "Bearer no")
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == 'Basic realm="cr.yandex"'
    assert cloud.manifest("v1", PASSWORD).status_code == 200
    cloud.running.behaviour(v2_auth="none")
    anonymous = requests.get(
        f"{cloud.running.url}/v2/{APP}/manifests/v1", headers={"Accept": OCI_MANIFEST}, timeout=10
    )
    assert anonymous.status_code == 200
    with pytest.raises(ValueError, match="v2_auth"):
        cloud.running.behaviour(v2_auth="digest")


@pytest.mark.parametrize(
    ("role", "status"),
    [
        ("container-registry.images.puller", 200),
        ("container-registry.images.pusher", 403),
        ("container-registry.editor", 403),
        ("container-registry.viewer", 403),
    ],
)
def test_a_puller_may_read_manifests(cloud: Cloud, role: str, status: int) -> None:
    cloud.running.seed(seed_of({"id": "img1", "tags": ["v1"]}, roles=[role]))
    answer = cloud.manifest("v1")
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["errors"][0]["code"] == "DENIED"


def test_a_digest_is_that_of_the_manifest(cloud: Cloud) -> None:
    docker = {"id": "img2", "media_type": DOCKER_MANIFEST}
    cloud.running.seed(
        seed_of({"id": "img1", "tags": ["v1"]}, docker, {"series": 3, "tags": ["b{n}"], "shared_layers": 2})
    )
    for reference in ("v1", "b1", "b3", cloud.image("img1")["digest"], cloud.image("img2")["digest"]):
        answer = cloud.manifest(reference)
        digest = "sha256:" + hashlib.sha256(answer.content).hexdigest()
        assert answer.headers["Docker-Content-Digest"] == digest
        assert answer.headers["Content-Type"] == answer.json()["mediaType"]
        assert reference in (digest, "v1", "b1", "b3")
    manifest, image = cloud.manifest("v1").json(), cloud.image("img1")
    assert manifest["config"]["digest"] == image["config"]["digest"]
    for described, layer in zip(manifest["layers"], image["layers"], strict=True):
        assert (described["digest"], str(described["size"])) == (layer["digest"], layer["size"])


def test_a_head_tells_what_a_get_would(cloud: Cloud) -> None:
    got, head = cloud.manifest("v1"), cloud.manifest("v1", method="HEAD")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("Content-Length", "Content-Type", "Docker-Content-Digest"):
        assert head.headers[name] == got.headers[name]


def test_what_the_registry_lacks_is_unknown_to_it(cloud: Cloud) -> None:
    cloud.running.seed(seed_of({"id": "img1", "digest": DIGEST, "tags": ["v1"]}))
    for reference in ("v1", DIGEST, "v2"):
        answer = cloud.manifest(reference)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "MANIFEST_UNKNOWN")
    token = f"Bearer {cloud.registry_token('crp1/none')}"
    answer = cloud.manifest("v1", token, repository="crp1/none")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "NAME_UNKNOWN")


def test_a_manifest_is_for_clients_that_accept_its_media_type(cloud: Cloud) -> None:
    answer = cloud.get(
        f"/v2/{APP}/manifests/v1",
        Authorization=f"Bearer {cloud.registry_token()}",
        Accept=f"{DOCKER_MANIFEST}, {OCI_INDEX}",
    )
    assert answer.status_code == 404
    assert OCI_MANIFEST in answer.json()["errors"][0]["message"]


def test_a_deleted_image_has_no_manifest(cloud: Cloud) -> None:
    digest = cloud.image("img1")["digest"]
    assert cloud.manifest(digest).status_code == 200
    requests.delete(f"{cloud.running.url}{IMAGES}/img1", headers=BEARER, timeout=10)
    assert cloud.manifest(digest).status_code == 404
    assert cloud.manifest("v1").status_code == 404


def test_faults_reach_the_registry(cloud: Cloud) -> None:
    cloud.running.behaviour(faults=[{"match": f"GET /v2/{APP}/manifests/*", "status": 429, "retry_after": 3}])
    answer = cloud.manifest("v1")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
    assert answer.json()["errors"][0]["code"] == "TOOMANYREQUESTS"
    assert cloud.running.call_counts()["GET /v2/{name}/manifests/{reference}"] == 1


# --- images that refer to others ---


def test_an_index_names_its_images_in_order_wherever_they_are_seeded(cloud: Cloud) -> None:
    cloud.running.seed(
        seed_of(
            {"id": "multi", "tags": ["v1"], "index": ["arm", "amd", DIGEST]},
            {"id": "amd"},
            {"id": "arm", "media_type": DOCKER_MANIFEST},
            {"id": "list", "index": ["amd"], "platforms": ["windows/amd64"], "media_type": DOCKER_LIST},
        )
    )
    index = cloud.manifest("v1")
    assert index.headers["Content-Type"] == OCI_INDEX
    assert index.headers["Docker-Content-Digest"] == cloud.image("multi")["digest"]
    first, second, third = index.json()["manifests"]
    arm = cloud.manifest(cloud.image("arm")["digest"])
    assert (first["digest"], first["size"]) == (cloud.image("arm")["digest"], len(arm.content))
    assert first["mediaType"] == DOCKER_MANIFEST
    assert first["platform"] == {"os": "linux", "architecture": "amd64"}
    assert second["platform"] == {"os": "linux", "architecture": "arm64"}
    assert third["digest"] == DIGEST
    windows = cloud.manifest(cloud.image("list")["digest"]).json()
    assert windows["mediaType"] == DOCKER_LIST
    assert windows["manifests"][0]["platform"] == {"os": "windows", "architecture": "amd64"}


def test_the_cloud_shows_neither_config_nor_layers_of_an_index(cloud: Cloud) -> None:
    cloud.running.seed(seed_of({"id": "multi", "index": ["amd"]}, {"id": "amd"}))
    assert not {"config", "layers", "compressedSize"} & set(cloud.image("multi"))
    (listed, *_) = [
        image for image in cloud.json(f"{IMAGES}?registryId=crp1")["images"] if image["id"] == "multi"
    ]
    assert listed == cloud.image("multi")


def test_artifacts_and_signatures_point_at_their_subject(cloud: Cloud) -> None:
    cloud.running.seed(
        seed_of(
            {"id": "sig", "signature_of": "img1"},
            {"id": "att", "attestation_of": "img1"},
            {"id": "sbom", "sbom_of": DIGEST},
            {"id": "refs", "index": ["artifact"], "referrers_tag_of": "img1", "tags": ["also"]},
            {"id": "artifact", "subject": "img1"},
            {"id": "img1", "tags": ["v1"]},
        )
    )
    digest = cloud.image("img1")["digest"]
    stem = digest.replace(":", "-")
    assert cloud.image("sig")["tags"] == [f"{stem}.sig"]
    assert cloud.image("att")["tags"] == [f"{stem}.att"]
    assert cloud.image("sbom")["tags"] == [DIGEST.replace(":", "-") + ".sbom"]
    assert cloud.image("refs")["tags"] == ["also", stem]
    artifact = cloud.manifest(cloud.image("artifact")["digest"]).json()
    assert artifact["artifactType"] == ARTIFACT_TYPE
    assert artifact["subject"]["digest"] == digest
    assert artifact["layers"]
    assert cloud.manifest(stem).json()["manifests"][0]["digest"] == cloud.image("artifact")["digest"]


def test_a_manifest_may_be_given_as_it_is(cloud: Cloud) -> None:
    cloud.running.seed(
        seed_of(
            {"id": "odd", "tags": ["odd"], "manifest": {"schemaVersion": 2, "manifests": []}},
            {"id": "bad", "tags": ["bad"], "manifest": "{not json", "digest": DIGEST},
        )
    )
    odd, bad = cloud.manifest("odd"), cloud.manifest("bad")
    assert odd.json() == {"schemaVersion": 2, "manifests": []}
    assert odd.headers["Content-Type"] == OCI_INDEX
    assert cloud.image("odd")["digest"] == "sha256:" + hashlib.sha256(odd.content).hexdigest()
    assert (bad.text, bad.headers["Docker-Content-Digest"]) == ("{not json", DIGEST)


@pytest.mark.parametrize(
    ("seed", "named"),
    [
        (seed_of({"id": "a", "index": ["b"]}, {"id": "b", "index": ["a"]}), "refer to each other"),
        (seed_of({"id": "a", "subject": "nobody"}), "nobody"),
        (seed_of({"id": "a", "index": ["b"], "platforms": ["a/b", "c/d"]}, {"id": "b"}), "platforms"),
        (seed_of({"digest": DIGEST}, {"digest": DIGEST}), DIGEST),
        (seed_of({"id": "a"}, registry_upstream="http://127.0.0.1:1"), "digest"),
        (seed_of(containers=[{"id": "a", "revisions": [{"id": "b"}]}]), "image"),
        (seed_of(containers=[{"id": "a", "status": "ASLEEP"}]), "ASLEEP"),
        (seed_of(clusters=[{"id": "a", "status": "ASLEEP"}]), "ASLEEP"),
        (seed_of(clusters=[{"id": "a", "endpoint": "none"}]), "endpoint"),
        (seed_of(clusters=[{"id": "a", "objects": [{"kind": "Node", "metadata": {"name": "n"}}]}]), "Node"),
        (seed_of(clusters=[{"id": "a", "objects": [{"kind": "Pod", "metadata": {}}]}]), "name"),
    ],
)
def test_a_seed_that_cannot_be_is_refused_by_name(cloud: Cloud, seed: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        cloud.running.seed(seed)


# --- a real registry behind the emulated one ---


needs_registry = pytest.mark.skipif(
    not is_installed(), reason="docker-registry is missing (Debian: apt-get install docker-registry)"
)


@pytest.fixture(scope="module")
def real_registry() -> Iterator[str]:
    with docker_registry() as started:
        yield started.url


def seed_of_real_images(url: str, **parts: Any) -> dict[str, Any]:
    """Two images and an index over them in the registry, and the seed that tells the emulated cloud of
    them.
    """
    amd = push_image(url, APP, None, [b"base", b"app for amd64"], "amd64")
    arm = push_image(url, APP, None, [b"base", b"app for arm64"], "arm64")
    index = push_index(url, APP, "v1", [amd, arm])
    return seed_of(
        {"id": "multi", "digest": index, "tags": ["v1"], "index": [amd, arm]},
        {"id": "amd", "digest": amd},
        {"id": "arm", "digest": arm},
        **parts,
    )


@needs_registry
def test_manifests_and_blobs_come_from_the_upstream(cloud: Cloud, real_registry: str) -> None:
    cloud.running.seed(seed_of_real_images(real_registry, registry_upstream=real_registry))
    index = cloud.manifest("v1")
    assert "sha256:" + hashlib.sha256(index.content).hexdigest() == cloud.image("multi")["digest"]
    amd = cloud.manifest(index.json()["manifests"][0]["digest"]).json()
    blob = cloud.get(
        f"/v2/{APP}/blobs/{amd['config']['digest']}", Authorization=f"Bearer {cloud.registry_token()}"
    )
    assert blob.json()["architecture"] == "amd64"
    head = cloud.manifest("v1", method="HEAD")
    assert (head.content, head.headers["Content-Length"]) == (b"", str(len(index.content)))
    assert cloud.manifest("v1", "Bearer no").status_code == 401


@needs_registry
def test_what_the_cloud_deletes_is_gone_from_the_upstream(cloud: Cloud, real_registry: str) -> None:
    cloud.running.seed(seed_of_real_images(real_registry, registry_upstream=real_registry))

    def status(reference: str) -> int:
        url = f"{real_registry}/v2/{APP}/manifests/{reference}"
        return requests.get(url, headers={"Accept": ACCEPTED}, timeout=10).status_code

    digests = {image_id: cloud.image(image_id)["digest"] for image_id in ("multi", "amd", "arm")}
    assert {status(digest) for digest in digests.values()} == {200}
    requests.delete(f"{cloud.running.url}{IMAGES}/multi", headers=BEARER, timeout=10)
    assert [status(reference) for reference in ("v1", digests["multi"], digests["amd"])] == [404, 404, 200]
    assert cloud.manifest("v1").status_code == 404
    again = requests.delete(f"{cloud.running.url}{IMAGES}/multi", headers=BEARER, timeout=10)
    assert again.status_code == 404


@needs_registry
@pytest.mark.skipif(
    shutil.which("skopeo") is None, reason="skopeo is missing (Debian: apt-get install skopeo)"
)
def test_a_real_client_copies_from_the_emulated_registry(tmp_path: Path, real_registry: str) -> None:
    seed = tmp_path / "seed.json"
    seed.write_text(json.dumps(seed_of_real_images(real_registry)))
    with emulator(None, "--registry-upstream", real_registry, "--seed", str(seed)) as running:
        host = running.url.removeprefix("http://")
        copied = subprocess.run(
            [
                *("skopeo", "--insecure-policy", "copy", "--all", "--src-tls-verify=false"),
                *("--src-creds", f"iam:{TOKEN}", f"docker://{host}/{APP}:v1", f"oci:{tmp_path}/copy:v1"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    assert copied.returncode == 0, copied.stderr
    (named,) = json.loads((tmp_path / "copy" / "index.json").read_text())["manifests"]
    assert named["mediaType"] == OCI_INDEX
    blobs = {path.name for path in (tmp_path / "copy" / "blobs" / "sha256").iterdir()}
    assert named["digest"].removeprefix("sha256:") in blobs
    assert len(blobs) == 1 + 2 * 2 + 3  # the index; manifests and configs; three different layers


def test_custom_kinds_are_discovered_and_listed_as_far_as_they_may_be(cloud: Cloud) -> None:
    kind = {"group": "argoproj.io", "version": "v1", "resource": "rollouts", "kind": "Rollout"}
    secret = {**kind, "resource": "experiments", "kind": "Experiment", "listable": False}
    objects = [{"metadata": {"name": "web"}, "spec": {"replicas": 1}}]
    cluster = {"id": "cat1", "custom": [{**kind, "objects": objects}, secret]}
    cloud.running.seed(seed_of(**{**WORKLOADS, "clusters": [cluster]}))

    groups = [group["name"] for group in cloud.kubernetes("/apis").json()["groups"]]
    served = cloud.kubernetes("/apis/argoproj.io/v1").json()["resources"]
    rollouts = cloud.kubernetes("/apis/argoproj.io/v1/rollouts").json()

    assert groups == ["apps", "argoproj.io", "batch"]
    assert [thing["name"] for thing in served] == [
        "rollouts",
        "experiments",
        "rollouts/status",
        "experiments/status",
    ]
    assert (rollouts["kind"], rollouts["items"][0]["kind"]) == ("RolloutList", "Rollout")
    assert cloud.kubernetes("/apis/argoproj.io/v1/experiments").status_code == 403
    assert cloud.kubernetes("/apis/unknown.io/v1").status_code == 404
