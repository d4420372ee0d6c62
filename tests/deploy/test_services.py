"""Deploying for registries of Container Registry and of Cloud Registry, also when one of the two is gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import images, policy
from tests.emulator.client import RunningEmulator
from tests.support.deployments import FOLDER, SIMPLE, Folder, applied

PULLER, PUSHER = "cloud-registry.artifacts.puller", "cloud-registry.artifacts.pusher"
OLD_ROLES = {"container-registry.editor", "container-registry.images.puller"}
TRIGGERS = SIMPLE + "[deploy]\nregistry_trigger = true\n"
NO_TRIGGERS = "Cloud Registry has no triggers for pushes; let your CI call the signed webhook after a push"
CLOSED: list[dict[str, Any]] = [{"closed": 404}, {"closed": 410}, {"closed": "no-answer"}]


@pytest.fixture
def folder(running_emulator: RunningEmulator, tmp_path: Path) -> Folder:
    """``crp1`` was migrated and is in both services, ``crp2`` is in the old one, ``crp3`` in the new one."""
    folder = Folder(running_emulator, tmp_path)
    keep = {"keepByVersion": {"keepVersionsCount": 1}}
    delete = {"delete": {"type": "HARD_DELETE", "always": True}}
    policies = [{"id": "crl3", "name": "old", "state": "ENABLED", "rules": [keep, delete]}]
    folder.seed(
        registries=[
            {
                "id": "crp1",
                "folder_id": FOLDER,
                "name": "one",
                "repositories": [{"name": "app", "policies": [policy()], "images": images("new", "old")}],
            },
            {"id": "crp2", "folder_id": FOLDER, "name": "two"},
        ],
        cloud_registries=[
            {"id": "crp1", "folder_id": FOLDER, "name": "one", "migrated": True},
            {
                "id": "crp3",
                "folder_id": FOLDER,
                "name": "three",
                "repositories": [{"name": "site", "images": images("young", "aged")}],
                "policies": policies,
            },
            {"id": "crp4", "folder_id": FOLDER, "name": "union", "type": "VIRTUAL"},
            {"id": "crp5", "folder_id": FOLDER, "name": "jars", "kind": "MAVEN"},
        ],
    )
    return folder


def ours(folder: Folder, target: str) -> set[str]:
    """The roles of the functions' account there."""
    bound = [role.split() for role in folder.roles().get(target, ())]
    return {role for role, holder in bound if holder == "registry-janitor"}


def line(text: str, *words: str) -> str:
    """The one line that has all these words."""
    (found,) = [one for one in text.splitlines() if all(word in one for word in words)]
    return found


def test_each_registry_gets_the_roles_of_the_services_that_know_it(folder: Folder) -> None:
    before = folder.snapshot()
    applied(folder, SIMPLE)

    assert ours(folder, "crp1") == {*OLD_ROLES, PULLER, PUSHER}
    assert ours(folder, "crp2") == OLD_ROLES
    assert ours(folder, "crp3") == {PULLER, PUSHER}
    assert ours(folder, "crp4") == ours(folder, "crp5") == set()
    assert {"container-registry.viewer", "cloud-registry.viewer"} <= ours(folder, FOLDER)

    folder.changes()
    applied(folder, SIMPLE)
    assert folder.changes() == []
    assert folder.run("destroy", "--yes").status == 0
    assert folder.snapshot() == before


def test_registries_that_are_named_may_be_of_either_service(folder: Folder) -> None:
    applied(
        folder, f'registries = ["crp2", "crp3"]\nguards.in_use = "none"\n[deploy]\nfolder_id = "{FOLDER}"\n'
    )

    assert ours(folder, "crp2") == OLD_ROLES
    assert ours(folder, "crp3") == {"cloud-registry.viewer", PULLER, PUSHER}
    assert ours(folder, "crp1") == set()
    assert ours(folder, FOLDER) == {"container-registry.viewer", "cloud-registry.viewer"}
    (call,) = folder.cloud.wind()
    assert call["result"]["status"] == "ok", call["result"]


def test_a_service_that_is_not_wanted_gets_and_keeps_no_role(folder: Folder) -> None:
    applied(folder, SIMPLE)
    applied(folder, SIMPLE + 'services = ["cloud-registry"]\n')

    assert ours(folder, "crp1") == ours(folder, "crp3") == {PULLER, PUSHER}
    assert ours(folder, "crp2") == set()
    assert "container-registry.viewer" not in ours(folder, FOLDER)


def test_what_is_deployed_cleans_both(folder: Folder) -> None:
    folder.environment["YC_CLOUD_REGISTRY_ENDPOINT"] = f"{folder.cloud.url}/cloud-registry-v2"
    applied(folder, SIMPLE + 'mode = "apply"\n')

    (call,) = folder.cloud.wind()

    assert call["status"] == "ok", call
    assert call["result"]["errors"] == [], call["result"]
    assert call["result"]["totals"]["deleted"] > 0
    told = folder.run("status")
    assert told.status == 0, told.out
    assert "works" in line(told.out, PUSHER, "crp3", "to delete images, and to run policies dry")
    assert "works" in line(told.out, PULLER, "crp3")
    assert "works" in line(told.out, "cloud-registry.viewer", FOLDER)


def test_a_role_in_cloud_registry_that_is_missing_is_named(folder: Folder) -> None:
    applied(folder, SIMPLE)
    account = {"id": folder.named("service_accounts")["registry-janitor"]["id"], "type": "serviceAccount"}
    delta = {"action": "REMOVE", "accessBinding": {"roleId": PUSHER, "subject": account}}
    path = "/cloud-registry/v1/registries/crp3:updateAccessBindings"
    folder.post(path, {"accessBindingDeltas": [delta]})

    told = folder.run("status")

    assert told.status == 1
    assert "REFUSED" in line(told.out, PUSHER, "crp3")
    assert "+ roles on cloud registry crp3" in told.out


@pytest.mark.parametrize("role", ["cloud-registry.editor", "cloud-registry.admin"])
def test_a_greater_role_that_somebody_has_bound_by_hand_stays_until_destroy(
    folder: Folder, role: str
) -> None:
    applied(folder, SIMPLE)
    account = {"id": folder.named("service_accounts")["registry-janitor"]["id"], "type": "serviceAccount"}
    delta = {"action": "ADD", "accessBinding": {"roleId": role, "subject": account}}
    path = "/cloud-registry/v1/registries/crp3:updateAccessBindings"
    folder.post(path, {"accessBindingDeltas": [delta]})
    folder.changes()

    applied(folder, SIMPLE)

    assert folder.changes() == []
    assert folder.run("destroy", "--yes").status == 0
    assert ours(folder, "crp3") == set()


def test_pushes_to_cloud_registry_have_no_trigger_and_the_plan_says_what_to_do(folder: Folder) -> None:
    told = applied(folder, TRIGGERS)

    assert folder.named("triggers").keys() == {
        "registry-janitor-timer",
        "registry-janitor-push-crp1",
        "registry-janitor-push-crp2",
    }
    assert f"= pushes to crp1, crp3: {NO_TRIGGERS}" in told
    assert NO_TRIGGERS not in applied(folder, SIMPLE)


@pytest.mark.parametrize("switches", CLOSED)
def test_a_service_that_is_closed_does_not_break_a_deployment(
    folder: Folder, switches: dict[str, Any]
) -> None:
    folder.cloud.behaviour(container_registry=switches)

    told = applied(folder, SIMPLE)

    assert "= Container Registry: left: it cannot be asked any more" in told
    assert ours(folder, "crp1") == ours(folder, "crp3") == {PULLER, PUSHER}
    assert "container-registry.viewer" not in ours(folder, FOLDER)
    assert folder.run("status").status == 0
    assert folder.run("destroy", "--yes").status == 0


def test_what_was_made_before_a_service_was_closed_is_left(folder: Folder) -> None:
    applied(folder, TRIGGERS)
    triggers, roles = folder.named("triggers").keys(), folder.roles()
    folder.cloud.behaviour(container_registry={"closed": 404})
    folder.changes()

    applied(folder, TRIGGERS)

    assert folder.changes() == []
    assert (folder.named("triggers").keys(), folder.roles()) == (triggers, roles)


def test_the_old_service_does_without_the_new_one(folder: Folder) -> None:
    folder.cloud.behaviour(faults=[{"match": "* /cloud-registry/*", "status": 404}])

    assert "= Cloud Registry: left: it cannot be asked any more" in applied(folder, SIMPLE)

    assert ours(folder, "crp1") == OLD_ROLES


def test_when_no_service_answers_nothing_is_changed(folder: Folder) -> None:
    folder.cloud.behaviour(
        container_registry={"closed": 404}, faults=[{"match": "* /cloud-registry/*", "status": 404}]
    )
    folder.settings(SIMPLE)
    folder.changes()

    assert folder.run("apply", "--yes").status == 1
    assert folder.changes() == []


def test_a_registry_that_only_a_closed_service_may_know_is_an_error_that_says_so(folder: Folder) -> None:
    folder.cloud.behaviour(container_registry={"closed": 410})
    folder.settings(f'registries = ["crp2"]\n[deploy]\nfolder_id = "{FOLDER}"\n')

    ended = folder.run("plan")

    assert ended.status == 2
    assert "The registry crp2, named by registries, does not exist" in ended.err
    assert "Container Registry cannot be asked" in ended.err


@pytest.mark.parametrize("code", [9, 12])
def test_roles_that_a_read_only_service_refuses_are_told_and_the_rest_is_deployed(
    folder: Folder, code: int
) -> None:
    folder.cloud.behaviour(container_registry={"read_only": code})

    told = applied(folder, SIMPLE)

    left = line(told, "left: + roles on registry crp2")
    assert "Container Registry is read-only" in left
    assert 'services = ["cloud-registry"]' in left
    assert ours(folder, "crp2") == set()
    assert ours(folder, "crp3") == {PULLER, PUSHER}
    assert folder.named("triggers").keys() == {"registry-janitor-timer"}
    folder.cloud.behaviour()
    applied(folder, SIMPLE)
    assert ours(folder, "crp2") == OLD_ROLES
    folder.cloud.behaviour(container_registry={"read_only": code})
    assert folder.run("destroy", "--yes").status == 0
    assert ours(folder, "crp3") == set()


def test_a_refusal_that_may_mean_read_only_says_so(folder: Folder) -> None:
    folder.cloud.behaviour(container_registry={"read_only": 7})
    folder.settings(SIMPLE)

    ended = folder.run("apply", "--yes")

    assert ended.status == 1
    assert "container-registry.admin" in ended.err
    assert 'services = ["cloud-registry"]' in ended.err
