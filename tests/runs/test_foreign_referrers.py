"""Signatures that are kept in another repository than their image, as with cosign's COSIGN_REPOSITORY."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import FOLDER, Cloud, assert_adds_up, outcomes, policy
from tests.support.command_line import run

OLD = {"tag_regexp": ".*", "expire_period": "24h"}


def digests(cloud: Cloud) -> dict[str, str]:
    """The digests of all images by their ids."""
    return {
        image["id"]: image["digest"]
        for registry in cloud.emulator.state()["registries"].values()
        for repository in registry["repositories"].values()
        for image in repository["images"]
    }


def signature(image_id: str, digest: str) -> dict[str, Any]:
    return {"id": f"{image_id}-sig", "age": "40d", "tags": [f"{digest.replace(':', '-')}.sig"]}


def registry(registry_id: str, *repositories: dict[str, Any], folder: str = FOLDER) -> dict[str, Any]:
    return {"id": registry_id, "folder_id": folder, "name": registry_id, "repositories": list(repositories)}


@pytest.fixture
def signed(cloud: Cloud) -> Cloud:
    """Images v1 and v2, their signatures in another repository, and the signature of an image that nobody
    has.
    """
    app = {"name": "app", "images": [{"id": name, "age": "40d", "tags": [name]} for name in ("v1", "v2")]}
    cloud.seed(app)
    known = {name: digest for name, digest in digests(cloud).items() if name in ("v1", "v2")}
    signatures = [signature(name, digest) for name, digest in known.items()]
    orphan = signature("lost", "sha256:" + "d" * 64)
    cloud.seed(app, {"name": "signatures", "policies": [policy(**OLD)], "images": [*signatures, orphan]})
    return cloud


def test_they_stay_while_any_repository_has_their_image(signed: Cloud) -> None:
    report = signed.clean(MAX_SHARE="1")

    assert signed.left() == {"v1", "v2", "v1-sig", "v2-sig"}
    assert outcomes(report) == {"v1-sig": "protected", "v2-sig": "protected", "lost-sig": "deleted"}
    assert {row["guard"] for row in report["images"]} == {"referrer", None}
    assert_adds_up(report)


def test_they_stay_though_the_list_of_their_image_is_empty_once(cloud: Cloud) -> None:
    old = [{"id": name, "age": "40d", "tags": [name]} for name in ("v1", "v2")]
    app = {"name": "app", "policies": [policy("app", tag_regexp="v2", expire_period="24h")], "images": old}
    cloud.seed(app)
    signatures = [signature("v1", digests(cloud)["v1"])]
    cloud.seed(app, {"name": "signatures", "policies": [policy(**OLD)], "images": signatures})
    empty = {"match": "GET /container-registry/v1/images", "query": "repositoryName=crp1/app"}
    cloud.emulator.behaviour(faults=[{**empty, "times": 1, "status": 200, "body": "{}"}])

    report = cloud.clean(MAX_SHARE="1")

    assert cloud.left() == {"v1", "v2", "v1-sig"}
    assert outcomes(report) == {"v2": "remaining", "v1-sig": "protected"}
    assert report["status"] == "held-back"
    assert_adds_up(report)


@pytest.mark.parametrize(
    ("lie", "there"),
    [
        ({"times": 1, "status": 200, "body": "{}"}, "protected"),
        ({"times": 1, "omit": ["v1"]}, "protected"),
        ({"omit": ["v1"]}, "remaining"),
    ],
    ids=["empty once", "partial once", "always partial"],
)
def test_they_stay_though_a_list_lacks_their_image_where_nothing_goes(
    cloud: Cloud, lie: dict[str, Any], there: str
) -> None:
    app = {"name": "app", "images": [{"id": name, "age": "40d", "tags": [name]} for name in ("v1", "v2")]}
    cloud.seed(app)
    signatures = [signature("v1", digests(cloud)["v1"])]
    cloud.seed(app, {"name": "signatures", "policies": [policy(**OLD)], "images": signatures})
    lists = {"match": "GET /container-registry/v1/images", "query": "repositoryName=crp1/app"}
    cloud.emulator.behaviour(faults=[{**lists, **lie}])

    report = cloud.clean(MAX_SHARE="1")

    assert cloud.left() == {"v1", "v2", "v1-sig"}
    assert outcomes(report) == {"v1-sig": there}
    assert report["status"] == ("held-back" if there == "remaining" else "ok")
    assert_adds_up(report)


def test_they_stay_after_a_push_to_their_own_repository_alone(signed: Cloud) -> None:
    event = {
        "messages": [
            {
                "event_metadata": {"event_type": "yandex.cloud.events.containerregistry.CreateImageTag"},
                "details": {"registry_id": "crp1", "repository_name": "crp1/signatures"},
            }
        ]
    }

    report = signed.call("cleanup", event, CLEANUP_MODE="apply", MAX_SHARE="1").results[-1]

    assert signed.left() == {"v1", "v2", "v1-sig", "v2-sig"}
    assert outcomes(report)["lost-sig"] == "deleted"


def test_they_stay_if_their_image_cannot_be_looked_for(signed: Cloud) -> None:
    signed.emulator.behaviour(
        faults=[{"match": "GET /container-registry/v1/registries", "status": 403, "code": 7, "message": "no"}]
    )

    report = signed.clean(MAX_SHARE="1", FOLDER_ID="", REGISTRY_IDS="crp1")

    assert signed.left() == {"v1", "v2", "v1-sig", "v2-sig", "lost-sig"}
    assert report["status"] == "held-back"
    assert outcomes(report)["lost-sig"] == "remaining"
    assert_adds_up(report)


def test_their_image_may_be_in_a_registry_that_is_not_cleaned(cloud: Cloud) -> None:
    app = {"name": "app", "images": [{"id": "v1", "age": "40d", "tags": ["v1"]}]}
    cloud.seed(registries=[registry("crp1", app), registry("crp2")])
    signatures = {
        "name": "signatures",
        "policies": [policy(**OLD)],
        "images": [signature("v1", digests(cloud)["v1"])],
    }
    cloud.seed(registries=[registry("crp1", app), registry("crp2", signatures)])

    report = cloud.clean(MAX_SHARE="1", FOLDER_ID="", REGISTRY_IDS="crp2")

    assert cloud.left() == {"v1", "v1-sig"}
    assert outcomes(report) == {"v1-sig": "protected"}


def test_validate_finds_nothing_wrong_with_them(signed: Cloud) -> None:
    ended = run(signed, "validate", "--json")

    assert "lost-sig" not in ended.stdout or "orphaned-referrer" in ended.stdout
    assert ended.stdout.count("orphaned-referrer") == 1
