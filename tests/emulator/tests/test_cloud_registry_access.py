"""Who may do what in the emulated Cloud Registry, and its host for Docker clients."""

from __future__ import annotations

import pytest

from tests.emulator.client import RunningEmulator, service_account
from tests.support.cloud_registry import ARTIFACTS, IMAGES, by_name, pull, seed_of
from tests.support.rest import Rest


@pytest.fixture
def cloud(running_emulator: RunningEmulator) -> Rest:
    running_emulator.seed(seed_of(*IMAGES))
    return Rest(running_emulator)


# --- roles ---


@pytest.mark.parametrize(
    ("roles", "allowed"),
    [
        (["cloud-registry.viewer"], {"list", "pull"}),
        (["cloud-registry.artifacts.puller"], {"pull"}),
        (["cloud-registry.artifacts.pusher"], {"pull", "delete"}),
        (["cloud-registry.admin"], {"list", "pull", "delete"}),
        (["container-registry.admin", "container-registry.images.puller"], set()),
    ],
)
def test_each_call_needs_its_role(cloud: Rest, roles: list[str], allowed: set[str]) -> None:
    account, _ = service_account(roles=roles)
    cloud.running.seed(seed_of(*IMAGES, account=account))
    answers = {
        "list": cloud.call("GET", f"{ARTIFACTS}?registryId=crp1"),
        "pull": pull(cloud, "v1"),
        "delete": cloud.call("DELETE", f"{ARTIFACTS}/img1.v1"),
    }
    assert {name for name, answer in answers.items() if answer.status_code == 200} == allowed
    assert {answer.status_code for answer in answers.values()} <= {200, 403}


@pytest.mark.parametrize("name", ["v1", "app", "team-a"])
def test_a_role_may_be_given_on_a_node_of_the_tree(cloud: Rest, name: str) -> None:
    other, _ = service_account("ajeother000000000000", roles=[])
    seed = seed_of(*IMAGES)
    seed["service_accounts"].append(other)
    seed["tokens"].append({"token": "t1.other", "service_account_id": other["id"]})
    cloud.running.seed(seed)
    limited = Rest(cloud.running, "t1.other")
    assert limited.refusal("DELETE", f"{ARTIFACTS}/img1.v1")[:2] == (403, 7)
    subject = {"id": other["id"], "type": "serviceAccount"}
    binding = {"roleId": "cloud-registry.artifacts.pusher", "subject": subject}
    path = f"{ARTIFACTS}/{by_name(cloud)[name]['id']}:setAccessBindings"
    cloud.operation("POST", path, {"accessBindings": [binding]})
    assert limited.call("DELETE", f"{ARTIFACTS}/img1.v1").status_code == 200
    assert (limited.call("DELETE", f"{ARTIFACTS}/img2.v2").status_code == 403) == (name == "v1")


def test_a_delete_may_need_the_administrator(cloud: Rest) -> None:
    account, _ = service_account(roles=["cloud-registry.editor"])
    cloud.running.seed(seed_of(*IMAGES, account=account))
    cloud.running.behaviour(cloud_registry={"delete_role": "cloud-registry.admin"})
    assert cloud.refusal("DELETE", f"{ARTIFACTS}/img1.v1")[:2] == (403, 7)


# --- the Docker Registry API ---


def test_tags_and_manifests_are_served_below_the_base_path(cloud: Rest) -> None:
    cloud.running.behaviour(v2_auth="none")
    path = "/cloud-registry-v2/v2/crp1/team-a/app/tags/list"
    assert cloud.get(path)["tags"] == ["latest", "multi", "v1", "v2"]
    page = cloud.call("GET", f"{path}?n=1")
    assert page.headers["Link"].startswith(f"<{path}?")
    assert cloud.call("GET", "/v2/crp1/team-a/app/tags/list").status_code == 404
    cloud.running.behaviour()
    refused = cloud.call("GET", path)
    assert refused.status_code == 401
    assert 'service="registry.yandexcloud.net"' in refused.headers["WWW-Authenticate"]
    assert "/cloud-registry-v2/v2-token" in refused.headers["WWW-Authenticate"]
