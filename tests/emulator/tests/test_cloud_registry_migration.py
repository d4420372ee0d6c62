"""A registry that both services have: with redirects and without, and a Container Registry that ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import requests
from yandex.cloud.cloudregistry.v1 import migration_pb2 as messages
from yandex.cloud.cloudregistry.v1 import migration_service_pb2 as service
from yandex.cloud.cloudregistry.v1.migration_service_pb2_grpc import MigrationServiceStub

from tests.emulator.client import RunningEmulator, emulator, service_account
from tests.support.cloud_registry import ACCOUNT, ARTIFACTS, by_name, digest, pull
from tests.support.emulator import BUILD_RULE
from tests.support.rest import FOLDER, TOKEN, Rest

OLD = "/container-registry/v1"
SIGNED_IN = (("authorization", f"Bearer {TOKEN}"),)
IMAGES: list[dict[str, Any]] = [
    {"id": "img1", "tags": ["v1", "latest"], "age": "1d"},
    {"id": "amd", "age": "20d"},
    {"id": "multi", "tags": ["multi"], "age": "20d", "index": ["amd"]},
    {"series": 3, "tags": ["build-{n}"]},
]


def seed_of(*cloud_registries: dict[str, Any], account: dict[str, Any] = ACCOUNT) -> dict[str, Any]:
    policy = {"id": "pol1", "name": "old", "rules": [BUILD_RULE]}
    repository = {"name": "team-a/app", "images": IMAGES, "policies": [policy]}
    return {
        "service_accounts": [account],
        "tokens": [{"token": TOKEN, "service_account_id": account["id"]}],
        "registries": [{"id": "crp1", "folder_id": FOLDER, "name": "main", "repositories": [repository]}],
        "cloud_registries": list(cloud_registries),
    }


@pytest.fixture
def cloud(running_emulator: RunningEmulator) -> Rest:
    running_emulator.seed(seed_of({"id": "crp1", "migrated": True}))
    return Rest(running_emulator)


def test_a_migrated_registry_holds_the_same(cloud: Rest) -> None:
    old = {image["id"]: image for image in cloud.get(f"{OLD}/images?registryId=crp1")["images"]}
    assert cloud.running.cloud_image_ids() == cloud.running.image_ids() == set(old)
    artifacts = by_name(cloud)
    assert digest(artifacts["v1"]) == digest(artifacts["latest"]) == old["img1"]["digest"]
    assert artifacts["v1"]["createdAt"] == old["img1"]["createdAt"]
    assert artifacts[old["amd"]["digest"]]["id"] == "amd"
    assert pull(cloud, "multi").content == pull(cloud, "multi", base="").content


def test_the_times_of_creation_may_be_lost(cloud: Rest) -> None:
    moved = "2026-11-20T00:00:00Z"
    cloud.running.seed(seed_of({"id": "crp1", "migrated": True, "migrated_at": moved}))
    images = [artifact for artifact in by_name(cloud).values() if artifact["kind"] == "ARTIFACT"]
    assert {artifact["createdAt"] for artifact in images} == {moved}


def test_redirects_decide_who_answers_for_cr_yandex(cloud: Rest) -> None:
    cloud.running.change(delete_artifact={"artifact_id": "img1.v1"})
    assert pull(cloud, "v1").status_code == 404
    assert pull(cloud, "v1", base="").status_code == 404
    cloud.running.change(toggle_redirects={"registry_id": "crp1", "enabled": False})
    assert pull(cloud, "v1").status_code == 404
    assert pull(cloud, "v1", base="").status_code == 200
    assert "img1" in cloud.running.image_ids()


def test_what_is_deleted_in_the_old_service_stays_in_the_new_one(cloud: Rest) -> None:
    cloud.operation("DELETE", f"{OLD}/images/img1")
    assert pull(cloud, "v1", base="").status_code == 200
    assert "img1.v1" in cloud.running.artifact_ids()


@pytest.mark.parametrize(
    ("roles", "statuses"),
    [
        (["container-registry.images.puller"], (403, 200)),
        (["cloud-registry.artifacts.puller"], (200, 200)),
        (["container-registry.viewer"], (403, 403)),
    ],
)
def test_the_old_role_pulls_through_a_redirect(
    cloud: Rest, roles: list[str], statuses: tuple[int, int]
) -> None:
    account, _ = service_account(roles=roles)
    cloud.running.seed(seed_of({"id": "crp1", "migrated": True}, account=account))
    assert (pull(cloud, "v1").status_code, pull(cloud, "v1", base="").status_code) == statuses


# --- read-only, and closed ---


@pytest.mark.parametrize(("code", "status"), [(7, 403), (9, 400), (12, 501)])
def test_a_read_only_registry_refuses_every_write(cloud: Rest, code: int, status: int) -> None:
    cloud.running.behaviour(container_registry={"read_only": code})
    dry_run = f"{OLD}/dryRunLifecyclePolicy/pol1"
    assert cloud.refusal("DELETE", f"{OLD}/images/img1")[:2] == (status, code)
    assert cloud.refusal("DELETE", f"{OLD}/lifecyclePolicies/pol1")[:2] == (status, code)
    assert cloud.refusal("POST", dry_run, {})[:2] == (status, code)
    assert cloud.get(f"{OLD}/images/img1")["id"] == "img1"
    assert cloud.operation("DELETE", f"{ARTIFACTS}/img1.v1")["done"]
    cloud.running.behaviour(container_registry={"read_only": code, "dry_run": True})
    assert cloud.operation("POST", dry_run, {})["done"]


@pytest.mark.parametrize("status", [404, 410])
def test_a_closed_registry_knows_nothing_any_more(cloud: Rest, status: int) -> None:
    cloud.running.behaviour(container_registry={"closed": status})
    for path in (f"{OLD}/registries?folderId={FOLDER}", f"{OLD}/images/img1"):
        assert cloud.call("GET", path).status_code == status
    assert pull(cloud, "v1", base="").status_code == 200
    cloud.running.change(toggle_redirects={"registry_id": "crp1", "enabled": False})
    assert pull(cloud, "v1", base="").status_code == status
    assert pull(cloud, "v1").status_code == 200


def test_a_closed_registry_may_give_no_answer_at_all(cloud: Rest) -> None:
    cloud.running.behaviour(container_registry={"closed": "no-answer"})
    with pytest.raises(requests.ConnectionError):
        cloud.call("GET", f"{OLD}/images/img1")
    assert by_name(cloud)


@pytest.mark.parametrize(
    "switches",
    [
        {"container_registry": {"closed": 500}},
        {"container_registry": {"shut": True}},
        {"cloud_registry": {"children": False}},
    ],
)
def test_unknown_switches_are_refused(cloud: Rest, switches: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"closed|shut|children"):
        cloud.running.behaviour(**switches)


# --- the migration itself, over gRPC ---


@pytest.fixture(scope="module")
def started() -> Iterator[RunningEmulator]:
    with emulator(None, "--grpc") as running:
        yield running


@pytest.fixture
def migration(started: RunningEmulator) -> Iterator[Any]:
    with grpc.insecure_channel(started.grpc) as channel:
        yield MigrationServiceStub(channel)


def dashboard(migration: Any) -> Any:
    request = service.GetFolderMigrationStatusDashboardRequest(folder_id=FOLDER)
    return migration.GetFolderMigrationStatusDashboard(request, metadata=SIGNED_IN, timeout=10)


def test_a_folder_is_migrated_and_its_redirects_are_toggled(started: RunningEmulator, migration: Any) -> None:
    started.seed(seed_of())
    before = dashboard(migration)
    assert (before.status, before.progress.tags.total, before.progress.tags.completed) == (
        messages.CREATED,
        6,
        0,
    )
    operation = migration.StartFolder(
        service.StartFolderMigrationRequest(folder_id=FOLDER), metadata=SIGNED_IN, timeout=10
    )
    metadata = service.StartFolderMigrationMetadata()
    operation.metadata.Unpack(metadata)
    assert (operation.done, list(metadata.registry_ids)) == (True, ["crp1"])
    after = dashboard(migration)
    assert (after.status, after.progress.tags.completed) == (messages.COMPLETED, 6)
    assert started.state()["cloud_registries"]["crp1"]["redirects"] is True
    migration.ToggleRegistryRedirects(
        service.ToggleRegistryRedirectsRequest(registry_id="crp1", enabled=False),
        metadata=SIGNED_IN,
        timeout=10,
    )
    assert started.state()["cloud_registries"]["crp1"]["redirects"] is False


def test_the_migration_needs_its_role(started: RunningEmulator, migration: Any) -> None:
    account, _ = service_account(roles=["cloud-registry.editor", "cloud-registry.registries.migrationViewer"])
    started.seed(seed_of(account=account))
    assert dashboard(migration).status == messages.CREATED
    with pytest.raises(grpc.RpcError, match="PERMISSION_DENIED"):
        migration.StartFolder(
            service.StartFolderMigrationRequest(folder_id=FOLDER), metadata=SIGNED_IN, timeout=10
        )
