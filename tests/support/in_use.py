"""What `test_in_use` and `runs.test_in_use_unavailable` share."""

from __future__ import annotations

from typing import Any

import requests

from tests.conftest import Cloud
from tests.emulator.client import service_account

REPOSITORY = "team-a/app"
APP = f"cr.yandex/crp1/{REPOSITORY}"


def everything(name: str = "all", status: str = "ACTIVE") -> dict[str, Any]:
    """A policy that takes every image, tagged or not."""
    rules = [{"tag_regexp": ".*", "expire_period": "24h"}, {"untagged": True, "expire_period": "24h"}]
    return {"id": f"pol-{name}", "name": name, "status": status, "rules": rules}


def tagged(*names: str) -> list[dict[str, Any]]:
    return [{"id": name, "tags": [name], "age": "9d"} for name in names]


def repository(*contents: dict[str, Any], name: str = REPOSITORY, **more: Any) -> dict[str, Any]:
    return {"name": name, "policies": [everything(name.replace("/", "-"))], "images": list(contents), **more}


def registry(
    registry_id: str, folder_id: str, *repositories: dict[str, Any], name: str = ""
) -> dict[str, Any]:
    return {
        "id": registry_id,
        "folder_id": folder_id,
        "name": name or registry_id,
        "repositories": list(repositories),
    }


def pod_spec(*containers: str, **more: Any) -> dict[str, Any]:
    return {"containers": [{"name": f"c{n}", "image": image} for n, image in enumerate(containers)], **more}


def pod(name: str, image: str, image_id: str = "", phase: str = "Running", **spec: Any) -> dict[str, Any]:
    status = {"name": "c0", "image": image, "imageID": image_id}
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "prod"},
        "spec": pod_spec(image, **spec),
        "status": {"phase": phase, "containerStatuses": [status]},
    }


def cluster(*objects: dict[str, Any], cluster_id: str = "cat1", **more: Any) -> dict[str, Any]:
    return {"id": cluster_id, "name": "production", "objects": list(objects), **more}


TOKEN = "t1.looking-from-outside"
LOOKING: dict[str, Any] = {"tokens": [{"token": TOKEN, "service_account_id": service_account()[0]["id"]}]}


def looked_at(cloud: Cloud, path: str) -> dict[str, Any]:
    """What the cloud's API shows somebody else, in a cloud that is seeded with ``LOOKING``."""
    answer = requests.get(cloud.emulator.url + path, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


SOURCES = ("serverless-containers", "compute", "instance-groups", "kubernetes")
IN_EACH: dict[str, Any] = {
    "containers": [{"id": "bba1", "revisions": [{"id": "rev1", "image": f"{APP}:serverless-containers"}]}],
    "instances": [{"id": "fhm1", "metadata": {"docker-compose": f"image: {APP}:compute"}}],
    "instance_groups": [{"id": "cl1", "metadata": {"docker-compose": f"image: {APP}:instance-groups"}}],
    "clusters": [cluster(pod("a", f"{APP}:kubernetes"))],
}
