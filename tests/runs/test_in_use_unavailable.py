"""What runs somewhere is never deleted, wherever it runs and however it is named; and what cannot be seen
stops the run.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FOLDER, Cloud, assert_adds_up, assert_complains
from tests.emulator.client import emulator, service_account
from tests.support.command_line import run
from tests.support.in_use import (
    APP,
    IN_EACH,
    LOOKING,
    SOURCES,
    cluster,
    looked_at,
    pod,
    registry,
    repository,
    tagged,
)

CALLS = {
    "serverless-containers": ["GET /containers/v1/containers", "GET /containers/v1/revisions"],
    "compute": ["GET /compute/v1/instances", "GET /compute/v1/instances/*"],
    "instance-groups": ["GET /compute/v1/instanceGroups"],
    "kubernetes": [
        "GET /managed-kubernetes/v1/clusters",
        "GET k8s:cat1/api/v1/pods",
        "GET k8s:cat1/apis/apps/v1/replicasets",
        "GET k8s:cat1/apis/batch/v1/cronjobs",
    ],
}
ROLES = {
    "serverless-containers": "serverless-containers.viewer",
    "compute": "compute.viewer",
    "instance-groups": "compute.viewer",
    "kubernetes": "k8s.viewer",
    "k8s:": "k8s.cluster-api.viewer",
}
# calls for one instance or one cluster concern its folder alone, so that the other folder's registry is
# cleaned
LEFT_BY = {
    call: {*SOURCES, "spare"} | (set() if call.endswith("/*") or "k8s:" in call else {"quiet"})
    for calls in CALLS.values()
    for call in calls
}
PLACE_OF = {
    "serverless-containers": "serverless containers",
    "compute": "Compute instances",
    "instance-groups": "instance groups",
    "kubernetes": "Managed Kubernetes clusters",
}


def seed_two_folders(cloud: Cloud) -> None:
    """A registry whose folder has something in every place, and a registry in a folder where nothing runs."""
    cloud.seed(
        registries=[
            registry("crp1", FOLDER, repository(*tagged(*SOURCES, "spare"))),
            registry("crp2", "b1gquiet", repository(*tagged("quiet"), name="quiet")),
        ],
        **IN_EACH,
    )


def assert_stopped(report: dict[str, Any], source: str, *named: str) -> None:
    assert_complains(report, "held-back", PLACE_OF[source], source, "GUARDS_IN_USE", FOLDER, *named)
    assert report["totals"]["deleted"] == 0 or {
        row["image_id"] for row in report["images"] if row["outcome"] == "deleted"
    } == {"quiet"}
    assert_adds_up(report)


@pytest.mark.parametrize(
    ("source", "call"), [(source, call) for source, calls in CALLS.items() for call in calls]
)
def test_a_source_that_refuses_stops_its_folder_and_names_the_role(
    cloud: Cloud, source: str, call: str
) -> None:
    seed_two_folders(cloud)
    cloud.emulator.behaviour(faults=[{"match": call, "status": 403, "code": 7, "message": "no"}])

    report = cloud.clean(FOLDER_ID="", REGISTRY_IDS="crp1,crp2")

    assert cloud.left() == LEFT_BY[call]
    assert_stopped(report, source, ROLES["k8s:" if "k8s:" in call else source])
    assert report["totals"]["remaining"] == len(LEFT_BY[call])


def test_a_folder_that_may_use_all_registries_stops_all_of_them(cloud: Cloud) -> None:
    seed_two_folders(cloud)
    cloud.emulator.behaviour(faults=[{"match": CALLS["compute"][0], "status": 403, "code": 7}])

    report = cloud.clean(REGISTRY_IDS="crp1,crp2")

    assert cloud.left() == {*SOURCES, "spare", "quiet"}
    assert_stopped(report, "compute")


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_that_is_left_out_stops_nothing(cloud: Cloud, source: str) -> None:
    seed_two_folders(cloud)
    cloud.emulator.behaviour(faults=[{"match": call, "status": 403, "code": 7} for call in CALLS[source]])
    others = [other for other in SOURCES if other != source]

    report = cloud.clean(GUARDS_IN_USE=",".join(others))

    assert cloud.left("team-a/app") == set(others)
    assert report["status"] == "ok"


def test_a_missing_role_on_the_folder_stops_the_run(cloud: Cloud) -> None:
    cloud.account, key = service_account(
        folder_id=FOLDER,
        roles=["container-registry.admin", "container-registry.images.puller", "compute.viewer"],
    )
    cloud.environment["SA_KEY"] = json.dumps(key)
    seed_two_folders(cloud)

    report = cloud.clean()

    assert "spare" in cloud.left()
    assert_stopped(report, "serverless-containers", "serverless-containers.viewer", "k8s.viewer")


def test_the_command_line_ends_with_3(cloud: Cloud) -> None:
    seed_two_folders(cloud)
    cloud.emulator.behaviour(faults=[{"match": CALLS["kubernetes"][0], "status": 403, "code": 7}])

    ended = run(cloud, "cleanup", CLEANUP_MODE="apply", LOG_LEVEL="ERROR")

    assert (ended.returncode, len(cloud.left())) == (3, len(SOURCES) + 2)
    assert "GUARDS_IN_USE" in ended.stdout


def test_a_dry_run_says_refused_too(cloud: Cloud) -> None:
    seed_two_folders(cloud)
    cloud.emulator.behaviour(faults=[{"match": CALLS["kubernetes"][0], "status": 403, "code": 7}])

    assert_stopped(cloud.dry_run(), "kubernetes")


def test_a_stopped_cluster_stops_the_run(cloud: Cloud) -> None:
    cloud.seed(repository(*tagged("spare")), clusters=[cluster(status="STOPPED")])

    report = cloud.clean()

    assert cloud.left() == {"spare"}
    assert_stopped(report, "kubernetes", "production", "STOPPED", "start it")


def test_a_cluster_that_is_being_deleted_is_passed_over(cloud: Cloud) -> None:
    cloud.seed(
        repository(*tagged("spare")),
        clusters=[cluster(status="DELETING"), cluster(pod("a", "nginx"), cluster_id="cat2")],
    )

    assert cloud.clean()["status"] == "ok"
    assert cloud.left() == set()


def test_a_cluster_without_a_public_address_is_asked_inside(cloud: Cloud) -> None:
    cloud.seed(
        repository(*tagged("used", "spare")),
        clusters=[cluster(pod("a", f"{APP}:used"), endpoint="internal")],
    )

    assert cloud.clean()["status"] == "ok"
    assert cloud.left() == {"used"}


def clusters_answer(cloud: Cloud, **changed: Any) -> str:
    """What the API says of the clusters, with other parts of the master."""
    answer = looked_at(cloud, f"/managed-kubernetes/v1/clusters?folderId={FOLDER}")
    for found in answer["clusters"]:
        found["master"] |= changed
    return json.dumps(answer)


def test_a_master_that_cannot_be_reached_stops_the_run_and_names_the_network(cloud: Cloud) -> None:
    cloud.seed(repository(*tagged("spare")), clusters=[cluster(pod("a", "nginx"))], **LOOKING)
    nowhere = clusters_answer(cloud, endpoints={"internalV4Endpoint": "https://127.0.0.1:1"})
    cloud.emulator.behaviour(faults=[{"match": CALLS["kubernetes"][0], "body": nowhere}])

    report = cloud.clean()

    assert cloud.left() == {"spare"}
    assert_stopped(report, "kubernetes", "127.0.0.1:1", "--network-id", "no connection")


def test_a_master_of_another_authority_gets_no_token(cloud: Cloud) -> None:
    two = [cluster(pod("a", "nginx")), cluster(pod("a", "nginx"), cluster_id="cat2")]
    cloud.seed(repository(*tagged("spare")), clusters=two, **LOOKING)
    answer = json.loads(clusters_answer(cloud))
    first, second = answer["clusters"]
    first["master"]["masterAuth"] = second["master"]["masterAuth"]
    cloud.emulator.behaviour(faults=[{"match": CALLS["kubernetes"][0], "body": json.dumps(answer)}])

    report = cloud.clean()

    assert cloud.left() == {"spare"}
    assert_stopped(report, "kubernetes", "certificate is not trusted")
    assert cloud.emulator.kubernetes_calls("cat1") == []
    assert cloud.emulator.kubernetes_calls("cat2")


@pytest.mark.parametrize(
    "authority", ["not PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_an_authority_that_is_no_certificate_stops_the_run(cloud: Cloud, authority: str) -> None:
    cloud.seed(repository(*tagged("spare")), clusters=[cluster(pod("a", "nginx"))], **LOOKING)
    broken = clusters_answer(cloud, masterAuth={"clusterCaCertificate": authority})
    cloud.emulator.behaviour(faults=[{"match": CALLS["kubernetes"][0], "body": broken}])

    report = cloud.clean()

    assert cloud.left() == {"spare"}
    assert_stopped(report, "kubernetes", "certificate")


@pytest.mark.parametrize(
    "address",
    [
        *("https://[::1", "https://", "127.0.0.1:99999", "https://a b/"),
        *(
            "http://127.0.0.1:1",
            "https://me@127.0.0.1:1",
            "https://localhost\\@127.0.0.1:1",
            "https://127.0.0.1/x",
        ),
    ],
)
def test_an_address_that_is_none_stops_the_run(cloud: Cloud, address: str) -> None:
    cloud.seed(repository(*tagged("spare")), clusters=[cluster(pod("a", "nginx"))], **LOOKING)
    odd = clusters_answer(cloud, endpoints={"externalV4Endpoint": address})
    cloud.emulator.behaviour(faults=[{"match": CALLS["kubernetes"][0], "body": odd}])

    report = cloud.clean()

    assert cloud.left() == {"spare"}
    assert_stopped(report, "kubernetes")


def test_a_list_whose_continuation_ran_out_is_read_again(cloud: Cloud) -> None:
    series = {"kind": "Pod", "count": 2500, "image": "nginx"}
    cloud.seed(
        repository(*tagged("used", "spare")),
        clusters=[cluster(pod("zzz", f"{APP}:used"), series=[series])],
    )
    expired = {"match": "GET k8s:cat1/api/v1/pods", "skip": 1, "times": 1, "status": 410}
    cloud.emulator.behaviour(faults=[expired])

    report = cloud.clean()

    assert cloud.left() == {"used"}
    assert report["status"] == "ok"
    asked = [path for path in cloud.emulator.kubernetes_calls("cat1") if "/pods" in path]
    assert ["continue=" in path for path in asked] == [False, True, False, True, True]


def test_a_list_whose_continuation_always_runs_out_stops_the_run(cloud: Cloud) -> None:
    series = {"kind": "Pod", "count": 1500, "image": "nginx"}
    cloud.seed(repository(*tagged("spare")), clusters=[cluster(series=[series])])
    cloud.emulator.behaviour(faults=[{"match": "GET k8s:cat1/api/v1/pods", "skip": 1, "status": 410}])

    report = cloud.clean()

    assert cloud.left() == {"spare"}
    assert_stopped(report, "kubernetes")


GARBAGE = {
    "an empty object": {"body": "{}"},
    "no object": {"body": "[]"},
    "an error that says 200": {"body": '{"kind": "Status", "status": "Failure", "code": 403}'},
    "items that are none": {"body": '{"items": {}, "metadata": {}}'},
    "an item that is none": {"body": '{"items": ["a"], "metadata": {}}'},
    "HTML": {"html": 200},
    "half an answer": {"cut": "body"},
    "nothing": {"cut": "before"},
    "500": {"status": 500, "code": 13},
    "a redirect": {"status": 302, "code": 2},
}


@pytest.mark.parametrize("fault", GARBAGE.values(), ids=GARBAGE)
def test_garbage_from_a_cluster_stops_the_run(cloud: Cloud, fault: dict[str, Any]) -> None:
    cloud.seed(repository(*tagged("used", "spare")), clusters=[cluster(pod("a", f"{APP}:used"))])
    cloud.emulator.behaviour(faults=[{"match": "GET k8s:cat1/apis/apps/v1/deployments", **fault}])

    report = cloud.clean()

    assert cloud.left() == {"used", "spare"}
    assert_stopped(report, "kubernetes")


LASTING: dict[str, dict[str, Any]] = {
    "500": {"status": 500, "code": 13},
    "nothing": {"cut": "before"},
    "HTML": {"html": 200},
}
API_CALLS = [(source, call) for source, calls in CALLS.items() for call in calls if "k8s:" not in call]


@pytest.mark.slow
def test_a_source_that_keeps_failing_stops_its_folder(bundle: Path, subtests: pytest.Subtests) -> None:
    """With each lasting fault of each source; all of them run at once, for each is tried again for half a
    minute.
    """

    def one(case: tuple[tuple[str, str], str]) -> tuple[dict[str, Any], set[str]]:
        (_, call), fault = case
        with emulator() as running:
            cloud = Cloud(running, bundle)
            seed_two_folders(cloud)
            running.behaviour(faults=[{"match": call, **LASTING[fault]}])
            return cloud.clean(FOLDER_ID="", REGISTRY_IDS="crp1,crp2"), cloud.left()

    cases = list(product(API_CALLS, LASTING))
    with ThreadPoolExecutor(len(cases)) as pool:
        ended = list(pool.map(one, cases))

    for ((source, call), fault), (report, left) in zip(cases, ended, strict=True):
        with subtests.test(call=call, fault=fault):
            assert left == LEFT_BY[call]
            assert_stopped(report, source)


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_that_fails_for_a_moment_stops_nothing(cloud: Cloud, source: str) -> None:
    seed_two_folders(cloud)
    cloud.emulator.behaviour(
        faults=[{"match": call, "status": 503, "code": 14, "times": 1} for call in CALLS[source]]
    )

    report = cloud.clean()

    assert (report["status"], cloud.left("team-a/app")) == ("ok", set(SOURCES))
