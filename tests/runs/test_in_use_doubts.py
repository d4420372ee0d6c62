"""That a source shows nothing is a doubt, not a proof: it is asked again, and if the doubt stays nothing is
deleted.
"""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from tests.conftest import FOLDER, Cloud, assert_complains
from tests.runs.test_in_use import warnings, workload
from tests.runs.test_in_use_unavailable import CALLS, seed_two_folders
from tests.support.in_use import APP, LOOKING, cluster, looked_at, pod, repository, tagged

METADATA = {"ssh-keys": "me"}
USED = {"user-data": f"run {APP}:used"}
INSTANCES, GROUPS = "/compute/v1/instances", "/compute/v1/instanceGroups"
CONTAINERS, REVISIONS = "/containers/v1/containers", "/containers/v1/revisions"
CLUSTERS, PODS = "/managed-kubernetes/v1/clusters", "k8s:cat1/api/v1/pods"


def seed(cloud: Cloud, **running: Any) -> None:
    cloud.seed(repository(*tagged("used", "spare")), **LOOKING, **running)


def answers(cloud: Cloud, match: str, body: Any = "{}", **when: Any) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    cloud.emulator.behaviour(faults=[{"match": f"GET {match}", "body": text, **when}])


def calls(cloud: Cloud, path: str) -> int:
    return sum(call["path"] == path for call in cloud.emulator.calls())


def assert_blind(cloud: Cloud, report: dict[str, Any], *named: str) -> None:
    assert cloud.left() == {"used", "spare"}
    assert warnings(report, "guard-unavailable")
    assert_complains(report, "held-back", "GUARDS_IN_USE", FOLDER, *named)


# --- Compute instances ---


def seed_machines(cloud: Cloud) -> None:
    machines = [{"id": "fhm1", "name": "vm1", "metadata": USED}, {"id": "fhm2", "metadata": METADATA}]
    seed(cloud, instances=machines)


HIDDEN: dict[str, dict[str, Any]] = {
    "it answers 404": {"status": 404, "code": 5},
    "it answers nothing": {"body": "{}"},
    "it answers with another": {"body": json.dumps({"id": "fhm2", "metadata": METADATA})},
    "it answers without metadata": {"body": json.dumps({"id": "fhm1", "name": "vm1"})},
}


@pytest.mark.parametrize("fault", HIDDEN.values(), ids=HIDDEN)
def test_an_instance_that_is_listed_and_not_shown_stops_the_run(cloud: Cloud, fault: dict[str, Any]) -> None:
    seed_machines(cloud)
    cloud.emulator.behaviour(faults=[{"match": f"GET {INSTANCES}/fhm1", **fault}])

    report = cloud.clean()

    assert_blind(cloud, report, "fhm1")
    assert calls(cloud, f"{INSTANCES}/fhm1") == 2


@pytest.mark.parametrize("fault", HIDDEN.values(), ids=HIDDEN)
def test_an_instance_that_is_not_shown_for_a_moment_stops_nothing(
    cloud: Cloud, fault: dict[str, Any]
) -> None:
    seed_machines(cloud)
    cloud.emulator.behaviour(faults=[{"match": f"GET {INSTANCES}/fhm1", "times": 1, **fault}])

    report = cloud.clean()

    assert (cloud.left(), report["status"]) == ({"used"}, "ok")


def test_an_instance_that_is_gone_when_it_is_listed_again_is_gone(cloud: Cloud) -> None:
    seed_machines(cloud)
    listed = {"instances": [{"id": "fhm0"}, {"id": "fhm1"}, {"id": "fhm2"}]}
    answers(cloud, INSTANCES, listed, times=1)

    report = cloud.clean()

    assert (cloud.left(), report["status"]) == ({"used"}, "ok")


def test_a_list_that_is_suddenly_empty_does_not_prove_that_an_instance_is_gone(cloud: Cloud) -> None:
    seed_machines(cloud)
    cloud.emulator.behaviour(
        faults=[
            {"match": f"GET {INSTANCES}/fhm1", "status": 404, "code": 5},
            {"match": f"GET {INSTANCES}", "skip": 1, "body": "{}"},
        ]
    )

    assert_blind(cloud, cloud.clean(), "no Compute instance")


def test_an_instance_that_never_has_metadata_is_named_with_the_remedy(cloud: Cloud) -> None:
    seed(cloud, instances=[{"id": "fhm1", "name": "vm1", "metadata": {}}])

    report = cloud.clean()

    assert_blind(cloud, report, "vm1", "yc compute instance add-metadata vm1", "registry-janitor=none")


def test_metadata_that_unpacks_to_too_much_stops_the_run(cloud: Cloud) -> None:
    bomb = base64.b64encode(gzip.compress(bytes(64 << 20))).decode()
    seed(cloud, instances=[{"id": "fhm1", "name": "vm1", "metadata": {"user-data": bomb}}])

    invocation = cloud.call("cleanup", CLEANUP_MODE="apply")

    assert_blind(cloud, invocation.results[0], "vm1", "unpacks to more than 4 MB")
    assert invocation.peak_kb < 128 * 1024


# --- lists that are empty, or whose pages are odd ---

RUNNING: dict[str, dict[str, Any]] = {
    CONTAINERS: {"containers": [{"id": "bba1", "revisions": [{"id": "rev1", "image": f"{APP}:used"}]}]},
    REVISIONS: {"containers": [{"id": "bba1", "revisions": [{"id": "rev1", "image": f"{APP}:used"}]}]},
    INSTANCES: {"instances": [{"id": "fhm1", "metadata": USED}]},
    GROUPS: {"instance_groups": [{"id": "cl1", "metadata": USED}]},
    CLUSTERS: {"clusters": [cluster(pod("a", f"{APP}:used"))]},
    PODS: {"clusters": [cluster(pod("a", f"{APP}:used"))]},
}
EMPTY_PODS = {"kind": "PodList", "metadata": {}, "items": []}


@pytest.mark.parametrize("path", RUNNING)
def test_a_list_that_is_empty_for_a_moment_is_asked_again(cloud: Cloud, path: str) -> None:
    seed(cloud, **RUNNING[path])
    answers(cloud, path, EMPTY_PODS if path == PODS else {}, times=1)

    report = cloud.clean()

    assert (cloud.left(), report["status"]) == ({"used"}, "ok")
    assert calls(cloud, path) == 2


@pytest.mark.parametrize("path", [path for path in RUNNING if path != PODS])
@pytest.mark.parametrize("second", ["empty", "the first again"])
def test_a_page_that_is_empty_or_repeats_stops_the_run(cloud: Cloud, path: str, second: str) -> None:
    seed(cloud, **RUNNING[path])
    view = "&view=FULL" if path == GROUPS else ""
    whole = looked_at(cloud, f"{path}?folderId={FOLDER}{view}")
    first = json.dumps({**whole, "nextPageToken": "more"})
    rest = "{}" if second == "empty" else json.dumps(whole)
    cloud.emulator.behaviour(
        faults=[
            {"match": f"GET {path}", "times": 1, "body": first},
            {"match": f"GET {path}", "times": 1, "body": rest},
            {"match": f"GET {path}", "times": 1, "body": first},
            {"match": f"GET {path}", "body": rest},
        ]
    )

    assert_blind(cloud, cloud.clean(), "page" if second == "empty" else "twice")


# --- what does not fit what is next to it ---


def test_containers_without_a_revision_stop_the_run(cloud: Cloud) -> None:
    seed(cloud, **RUNNING[REVISIONS])
    answers(cloud, REVISIONS)

    assert_blind(cloud, cloud.clean(), "bba1", "not one revision", "deploy one or delete")


@pytest.mark.parametrize(
    ("status", "stops"), [("ACTIVE", True), ("CREATING", True), ("ERROR", False), ("DELETING", False)]
)
def test_a_container_without_a_revision_beside_others(cloud: Cloud, status: str, stops: bool) -> None:
    (other,) = RUNNING[REVISIONS]["containers"]
    seed(cloud, containers=[other, {"id": "bba2", "name": "empty", "status": status, "revisions": []}])

    report = cloud.clean()

    if stops:
        assert_blind(cloud, report, "empty")
    else:
        assert (cloud.left(), report["status"]) == ({"used"}, "ok")


@pytest.mark.parametrize(("status", "stops"), [("ACTIVE", True), ("CREATING", True), ("OBSOLETE", False)])
def test_a_revision_without_an_image(cloud: Cloud, status: str, stops: bool) -> None:
    (other,) = RUNNING[REVISIONS]["containers"]
    bare = {"id": "rev2", "image": "", "status": status}
    seed(cloud, containers=[{**other, "revisions": [*other["revisions"], bare]}])

    report = cloud.clean()

    if stops:
        assert_blind(cloud, report, "rev2", "no image")
    else:
        assert (cloud.left(), report["status"]) == ({"used"}, "ok")


@pytest.mark.parametrize(("status", "stops"), [("ACTIVE", True), ("STOPPED", True), ("DELETING", False)])
def test_an_instance_group_without_metadata(cloud: Cloud, status: str, stops: bool) -> None:
    groups = [{"id": "cl1", "metadata": USED}, {"id": "cl2", "name": "bare", "status": status}]
    seed(cloud, instance_groups=groups)

    report = cloud.clean()

    if stops:
        assert_blind(cloud, report, "bare", "metadata key")
    else:
        assert (cloud.left(), report["status"]) == ({"used"}, "ok")


@pytest.mark.parametrize(("status", "stops"), [("RUNNING", True), ("RECONCILING", False)])
def test_a_cluster_without_a_pod(cloud: Cloud, status: str, stops: bool) -> None:
    seed(cloud, clusters=[cluster(status=status)])
    answers(cloud, PODS, EMPTY_PODS)

    report = cloud.clean()

    if stops:
        assert_blind(cloud, report, "production", "not one pod")
    else:
        assert (cloud.left(), report["status"]) == (set(), "ok")
        assert "production" in " ".join(warnings(report, "nothing-in-use"))


def test_a_folder_where_nothing_could_run_is_not_doubtful(cloud: Cloud) -> None:
    seed(cloud, instances=[{"id": "fhm1", "metadata": METADATA}], clusters=[cluster(pod("a", "x"))])

    report = cloud.clean()

    assert (cloud.left(), report["warnings"]) == (set(), [])


# --- Kubernetes ---

ODD_LISTS: dict[str, Any] = {
    "items that are null": {"kind": "DeploymentList", "metadata": {}, "items": None},
    "no items": {"kind": "DeploymentList", "metadata": {}},
    "more that is not shown": {
        "kind": "DeploymentList",
        "metadata": {"remainingItemCount": 5},
        "items": [{"metadata": {"name": "a"}}],
    },
    "another kind": {"kind": "ServiceList", "metadata": {}, "items": [{"metadata": {"name": "a"}}]},
    "a status": {"kind": "Status", "status": "Success", "metadata": {}},
    "no kind": {"items": []},
    "an empty page": {"kind": "DeploymentList", "metadata": {"continue": "more"}, "items": []},
    "the same page for ever": {
        "kind": "DeploymentList",
        "metadata": {"continue": "more"},
        "items": [{"metadata": {"name": "a"}}],
    },
}


DEPLOYMENTS = "k8s:cat1/apis/apps/v1/deployments"


@pytest.mark.parametrize("odd", ODD_LISTS.values(), ids=ODD_LISTS)
def test_a_list_of_a_cluster_that_is_odd_stops_the_run(cloud: Cloud, odd: Any) -> None:
    seed(cloud, **RUNNING[PODS])
    answers(cloud, DEPLOYMENTS, odd)

    assert_blind(cloud, cloud.clean(), "production", "answers oddly")


@pytest.mark.parametrize("odd", [odd for name, odd in ODD_LISTS.items() if "for ever" not in name])
def test_a_list_of_a_cluster_that_is_odd_for_a_moment_stops_nothing(cloud: Cloud, odd: Any) -> None:
    seed(cloud, clusters=[cluster(workload("Deployment", f"{APP}:used"))])
    answers(cloud, DEPLOYMENTS, odd, times=1)

    report = cloud.clean()

    assert (cloud.left(), report["status"]) == ({"used"}, "ok")


@pytest.mark.parametrize(
    ("call", "status", "stops"),
    [
        ("/apis/apps/v1/controllerrevisions", 404, False),
        ("/apis/apps/v1/controllerrevisions", 403, True),
        ("/apis/apps/v1/controllerrevisions", 500, True),
        ("/api/v1/configmaps", 404, False),
        ("/api/v1/configmaps", 403, False),
        ("/api/v1/configmaps", 500, True),
        ("/apis", 404, False),
        ("/apis", 403, False),
        ("/apis", 500, True),
        ("/apis/argoproj.io/v1", 404, False),
        ("/apis/argoproj.io/v1", 403, False),
        ("/apis/argoproj.io/v1/rollouts", 404, False),
        ("/apis/argoproj.io/v1/rollouts", 403, False),
        ("/apis/argoproj.io/v1/rollouts", 500, True),
        ("/apis/apps/v1/deployments", 404, True),
    ],
)
def test_a_kind_that_cannot_be_listed(cloud: Cloud, call: str, status: int, stops: bool) -> None:
    rollouts = {"group": "argoproj.io", "version": "v1", "resource": "rollouts", "kind": "Rollout"}
    seed(cloud, clusters=[cluster(pod("a", f"{APP}:used"), custom=[rollouts])])
    cloud.emulator.behaviour(faults=[{"match": f"GET k8s:cat1{call}", "status": status}])

    report = cloud.clean()

    if stops:
        assert_blind(cloud, report)
    else:
        assert (cloud.left(), report["status"]) == ({"used"}, "ok")
        assert bool(warnings(report, "nothing-in-use")) == (status == 403)


def test_what_fails_for_a_moment_is_asked_for_once_more_and_no_oftener(cloud: Cloud) -> None:
    seed_two_folders(cloud)

    assert cloud.clean()["status"] == "ok"
    for path in [call.removeprefix("GET ") for of_source in CALLS.values() for call in of_source]:
        assert calls(cloud, path) <= 2, path
