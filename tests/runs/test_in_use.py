"""What runs somewhere is never deleted, wherever it runs and however it is named; and what cannot be seen
stops the run.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FOLDER, Cloud, assert_adds_up, outcomes
from tests.support.in_use import (
    APP,
    IN_EACH,
    LOOKING,
    REPOSITORY,
    SOURCES,
    cluster,
    everything,
    looked_at,
    pod,
    pod_spec,
    registry,
    repository,
    tagged,
)


def digests(cloud: Cloud, registry_id: str = "crp1") -> dict[str, str]:
    """The digest of every image of the registry, by id."""
    repositories = cloud.emulator.state()["registries"][registry_id]["repositories"].values()
    return {image["id"]: image["digest"] for contents in repositories for image in contents["images"]}


def workload(kind: str, image: str, name: str = "", **spec: Any) -> dict[str, Any]:
    template = {"template": {"spec": pod_spec(image)}}
    inner = {"jobTemplate": {"spec": template}} if kind == "CronJob" else template
    return {"kind": kind, "metadata": {"name": name or kind.lower()}, "spec": {**spec, **inner}}


def kept_by(report: dict[str, Any]) -> dict[str, str]:
    """Where each image that is in use runs, as the report tells it."""
    return {row["image_id"]: row["kept_by"] for row in report["images"] if row["guard"] == "in-use"}


def warnings(report: dict[str, Any], code: str) -> list[str]:
    return [row["message"] for row in report["warnings"] if row["code"] == code]


def write_settings(cloud: Cloud, directory: Path, text: str) -> None:
    file = directory / "janitor.toml"
    file.write_text(text)
    cloud.environment["JANITOR_CONFIG"] = str(file)


# --- the four places ---

PLACES = {
    "active": "serverless container web, revision rev-active (ACTIVE)",
    "active-digest": "serverless container web2, revision rev-digest (ACTIVE)",
    "creating": "serverless container web3, revision rev-new (CREATING)",
    "rollback1": "serverless container web, revision rev-old1 (OBSOLETE)",
    "rollback2": "serverless container web, revision rev-old2 (OBSOLETE)",
    "rollback3": "serverless container web, revision rev-old3 (OBSOLETE)",
    "vm-compose": "Compute instance vm1 (docker-compose)",
    "vm-declared": "Compute instance vm2 (docker-container-declaration)",
    "vm-script": "Compute instance fhm3 (user-data)",
    "group": "instance group workers (docker-compose)",
    "pod": "pod prod/pod of the Kubernetes cluster production",
    "pod-init": "pod prod/init of the Kubernetes cluster production",
    "pod-debug": "pod prod/debug of the Kubernetes cluster production",
    "pod-pending": "pod prod/pending of the Kubernetes cluster production",
    "resolved": "pod prod/resolved of the Kubernetes cluster production",
    "resolved-old": "pod prod/resolved of the Kubernetes cluster production",
    "deployment": "deployment default/deployment of the Kubernetes cluster production",
    "statefulset": "stateful set default/statefulset of the Kubernetes cluster production",
    "daemonset": "daemon set default/daemonset of the Kubernetes cluster production",
    "job": "job default/job of the Kubernetes cluster production",
    "cronjob": "cron job default/cronjob of the Kubernetes cluster production",
    "controller": "replication controller default/replicationcontroller of the Kubernetes cluster production",
    "replicaset": "replica set default/replicaset of the Kubernetes cluster production",
}
SPARE = ("rollback4", "finished", "failed", "elsewhere", "spare", "untagged")

DECLARATION = """\
spec:
  containers:
  - image: {app}:vm-declared
    name: main
  restartPolicy: Always
"""


def workloads(of: dict[str, str]) -> dict[str, Any]:
    """Everything that `PLACES` tells of; ``of`` are the digests of the images."""

    def revision(revision_id: str, image: str, status: str, days: int, digest: str = "") -> dict[str, Any]:
        return {
            "id": revision_id,
            "image": image,
            "status": status,
            "age": f"{days}d",
            **({"digest": digest} if digest else {}),
        }

    init: dict[str, Any] = {"initContainers": [{"name": "i0", "image": f"{APP}:pod-init"}]}
    debug: dict[str, Any] = {"ephemeralContainers": [{"name": "e0", "image": f"{APP}:pod-debug"}]}
    return {
        "containers": [
            {
                "id": "bba1",
                "name": "web",
                "revisions": [
                    revision("rev-old4", f"{APP}:rollback4", "OBSOLETE", 9),
                    revision("rev-active", f"{APP}:active", "ACTIVE", 1),
                    *(revision(f"rev-old{n}", f"{APP}:rollback{n}", "OBSOLETE", n + 1) for n in (3, 1, 2)),
                ],
            },
            {
                "id": "bba2",
                "name": "web2",
                "revisions": [revision("rev-digest", f"{APP}:moved", "ACTIVE", 1, of["active-digest"])],
            },
            {
                "id": "bba3",
                "name": "web3",
                "revisions": [revision("rev-new", f"{APP}:creating", "CREATING", 1)],
            },
        ],
        "instances": [
            {
                "id": "fhm1",
                "name": "vm1",
                "status": "STOPPED",
                "metadata": {"docker-compose": f"services:\n  a:\n    image: '{APP}:vm-compose'\n"},
            },
            {
                "id": "fhm2",
                "name": "vm2",
                "metadata": {"docker-container-declaration": DECLARATION.format(app=APP)},
            },
            {"id": "fhm3", "metadata": {"user-data": f"#!/bin/sh\ndocker run -d {APP}:vm-script; sleep 1"}},
        ],
        "instance_groups": [
            {
                "id": "cl1",
                "name": "workers",
                "metadata": {"docker-compose": f'{{"services": {{"a": {{"image": "{APP}:group"}}}}}}'},
            }
        ],
        "clusters": [
            cluster(
                pod("pod", f"{APP}:pod", f"{APP}@{of['pod']}"),
                pod("init", "nginx", **init),
                pod("debug", "nginx", **debug),
                pod("pending", f"{APP}:pod-pending", phase="Pending"),
                pod("resolved", f"{APP}:resolved", f"docker-pullable://{APP}@{of['resolved-old']}"),
                pod("finished", f"{APP}:finished", phase="Succeeded"),
                pod("failed", f"{APP}:failed", phase="Failed"),
                pod("elsewhere", "cr.yandex/crp1/team-b/app:elsewhere"),
                workload("Deployment", f"{APP}:deployment"),
                workload("StatefulSet", f"{APP}:statefulset"),
                workload("DaemonSet", f"{APP}:daemonset"),
                workload("Job", f"{APP}:job"),
                workload("CronJob", f"{APP}:cronjob"),
                workload("ReplicationController", f"{APP}:controller"),
                workload("ReplicaSet", f"{APP}:replicaset", replicas=0),
            )
        ],
    }


def seed_places(cloud: Cloud) -> dict[str, str]:
    contents = repository(*tagged(*PLACES, *SPARE[:-1]), {"id": "untagged", "age": "9d"})
    cloud.seed(contents)
    found = digests(cloud)
    cloud.seed(contents, **workloads(found))
    return found


def test_nothing_in_use_goes_from_any_of_the_four_places_and_the_rest_goes(cloud: Cloud) -> None:
    seed_places(cloud)

    report = cloud.clean(MAX_SHARE="1")

    assert cloud.left() == set(PLACES)
    assert kept_by(report) == PLACES
    assert outcomes(report) == dict.fromkeys(PLACES, "protected") | dict.fromkeys(SPARE, "deleted")
    assert report["status"] == "ok"
    assert_adds_up(report)


@pytest.mark.parametrize(
    ("entry_point", "settings"),
    [
        pytest.param("cleanup", {"CLEANUP_MODE": "apply"}, id="by a clean-up"),
        pytest.param("dry_run", {}, id="by a dry run"),
        pytest.param(
            "cleanup", {"CLEANUP_MODE": "apply", "APPLY_POLICIES": "drafts"}, id="also when it is not applied"
        ),
        pytest.param("cleanup", {"CLEANUP_MODE": "apply", "MAX_DELETIONS": "0"}, id="also over a limit"),
    ],
)
def test_an_active_policy_that_takes_images_in_use_is_warned_of(
    cloud: Cloud, entry_point: str, settings: dict[str, Any]
) -> None:
    drafts = {**everything("drafts", "DISABLED"), "rules": [{"tag_regexp": "none", "expire_period": "24h"}]}
    contents = repository(*tagged("used", "spare"))
    contents["policies"].append(drafts)
    cloud.seed(contents, clusters=[cluster(workload("Deployment", f"{APP}:used", name="shop"))])
    image = digests(cloud)["used"]

    report = cloud.call(entry_point, **settings).results[0]

    (told,) = warnings(report, "active-policy-takes-image-in-use")
    for text in ("team-a-app", f"crp1/{REPOSITORY}", image, "used", "deployment default/shop", "production"):
        assert text in told
    assert "used" in cloud.left()


def test_a_disabled_policy_is_no_reason_for_the_warning(cloud: Cloud) -> None:
    contents = repository(*tagged("used", "spare"), policies=[everything("drafts", "DISABLED")])
    cloud.seed(contents, clusters=[cluster(workload("Deployment", f"{APP}:used"))])

    report = cloud.clean(APPLY_POLICIES="drafts")

    assert cloud.left() == {"used"}
    assert not warnings(report, "active-policy-takes-image-in-use")


def test_many_images_in_use_are_warned_of_shortly(cloud: Cloud) -> None:
    names = [f"used{n}" for n in range(30)]
    cloud.seed(
        repository(*tagged(*names)),
        clusters=[cluster(*(workload("Deployment", f"{APP}:{name}", name=name) for name in names))],
    )

    report = cloud.clean(MAX_SHARE="1")

    told = warnings(report, "active-policy-takes-image-in-use")
    assert len(told) == 21
    assert "10 more" in told[-1]
    assert cloud.left() == set(names)


# --- spellings ---

SPELLINGS: dict[str, Callable[[str, str], str]] = {
    "tag": lambda tag, digest: f"{APP}:{tag}",
    "digest": lambda tag, digest: f"{APP}@{digest}",
    "tag-and-digest": lambda tag, digest: f"{APP}:{tag}@{digest}",
    "moved-tag-and-digest": lambda tag, digest: f"{APP}:moved@{digest}",
    "port": lambda tag, digest: f"cr.yandex:443/crp1/{REPOSITORY}:{tag}",
    "other-host": lambda tag, digest: f"registry.example.net/crp1/{REPOSITORY}:{tag}",
    "mirror": lambda tag, digest: f"mirror.local:5000/yandex/crp1/{REPOSITORY}:{tag}",
    "capitals": lambda tag, digest: f"CR.YANDEX/crp1/{REPOSITORY}:{tag}",
    "no-host": lambda tag, digest: f"crp1/{REPOSITORY}:{tag}",
    "latest": lambda tag, digest: APP,
}


@pytest.mark.parametrize("place", ["containers", "instances", "instance_groups", "clusters"])
def test_every_spelling_is_understood_in_every_place(cloud: Cloud, place: str) -> None:
    contents = repository(*tagged(*SPELLINGS, "spare", "tags"))
    cloud.seed(contents)
    of = digests(cloud)
    spelled = [spell(name, of[name]) for name, spell in SPELLINGS.items()]
    compose = {"docker-compose": "\n".join(f'  - image: "{text}"' for text in spelled)}
    running: dict[str, Any] = {
        "containers": [
            {"id": f"bba{n}", "revisions": [{"id": f"rev{n}", "image": text}]}
            for n, text in enumerate(spelled)
        ],
        "instances": [{"id": "fhm1", "metadata": compose}],
        "instance_groups": [{"id": "cl1", "metadata": compose}],
        "clusters": [cluster({"kind": "Pod", "metadata": {"name": "all"}, "spec": pod_spec(*spelled)})],
    }
    cloud.seed(contents, **{place: running[place]})

    report = cloud.clean(MAX_SHARE="1")

    assert cloud.left() == set(SPELLINGS)
    assert kept_by(report).keys() == SPELLINGS.keys()
    assert_adds_up(report)


def test_a_tag_that_a_script_makes_up_stands_for_every_tag(cloud: Cloud) -> None:
    script = "REGISTRY=cr.yandex/crp2\ndocker run cr.yandex/crp1/a:${TAG}\ndocker run $REGISTRY/$NAME"
    cloud.seed(
        registries=[
            registry(
                "crp1",
                FOLDER,
                repository(*tagged("a1", "a2"), {"id": "untagged", "age": "9d"}, name="a"),
                repository(*tagged("b1"), name="b"),
            ),
            registry("crp2", FOLDER, repository(*tagged("c1"), name="c")),
        ],
        instances=[{"id": "fhm1", "name": "vm", "metadata": {"user-data": script}}],
    )

    report = cloud.clean()

    assert cloud.left() == {"a1", "a2", "c1"}
    assert set(kept_by(report).values()) == {"Compute instance vm (user-data)"}


def test_an_image_may_run_by_the_digest_of_its_configuration(cloud: Cloud) -> None:
    contents = repository(*tagged("used", "spare"))
    cloud.seed(contents, **LOOKING)
    config = looked_at(cloud, "/container-registry/v1/images/used")["config"]["digest"]
    cloud.seed(contents, clusters=[cluster(pod("a", f"{APP}:moved", config))])

    report = cloud.clean()

    assert cloud.left() == {"used"}
    assert kept_by(report) == {"used": "pod prod/a of the Kubernetes cluster production"}


def test_an_index_in_use_keeps_its_images(cloud: Cloud) -> None:
    contents = repository(
        {"id": "multi", "tags": ["v1"], "age": "9d", "index": ["amd", "arm"]},
        {"id": "amd", "age": "9d"},
        {"id": "arm", "age": "9d"},
        {"id": "spare", "age": "9d"},
    )
    cloud.seed(contents, clusters=[cluster(workload("Deployment", f"{APP}:v1"))])

    report = cloud.clean()

    assert cloud.left() == {"multi", "amd", "arm"}
    guards = {row["image_id"]: row["guard"] for row in report["images"]}
    assert guards == {"multi": "in-use", "amd": "index-child", "arm": "index-child", "spare": None}
    assert warnings(report, "active-policy-takes-index-child")
    assert_adds_up(report)


# --- which folders, which sources, and the other guards that keep by themselves ---


@pytest.mark.parametrize("folders", [[], ["b1gother"]])
def test_other_folders_are_looked_at_when_they_are_named(
    cloud: Cloud, tmp_path: Path, folders: list[str]
) -> None:
    write_settings(cloud, tmp_path, f"[guards]\nfolders = {json.dumps(folders)}\n")
    cloud.seed(
        repository(*tagged("used", "spare")),
        containers=[
            {"id": "bba1", "folder_id": "b1gother", "revisions": [{"id": "rev1", "image": f"{APP}:used"}]}
        ],
    )

    report = cloud.clean()

    assert cloud.left() == ({"used"} if folders else set())
    assert report["status"] == "ok"


def test_the_folder_of_a_registry_that_is_named_is_looked_at(cloud: Cloud) -> None:
    cloud.seed(
        registries=[registry("crp1", "b1gother", repository(*tagged("used", "home", "spare")))],
        containers=[
            {"id": "bba1", "folder_id": "b1gother", "revisions": [{"id": "rev1", "image": f"{APP}:used"}]},
            {"id": "bba2", "folder_id": FOLDER, "revisions": [{"id": "rev2", "image": f"{APP}:home"}]},
        ],
    )
    assert kept_by(cloud.dry_run(REGISTRY_IDS="crp1", FOLDER_ID="")).keys() == {"used"}

    report = cloud.clean(REGISTRY_IDS="crp1")

    assert cloud.left() == {"used", "home"}
    assert kept_by(report).keys() == {"used", "home"}


@pytest.mark.parametrize(
    "looked_at", [*([source] for source in SOURCES), ["compute", "kubernetes"], ["none"]], ids=",".join
)
def test_only_the_sources_that_are_set_are_looked_at(cloud: Cloud, looked_at: list[str]) -> None:
    cloud.seed(repository(*tagged(*SOURCES, "spare")), **IN_EACH)

    report = cloud.clean(GUARDS_IN_USE=",".join(looked_at))

    assert cloud.left() == set(looked_at) - {"none"}
    assert kept_by(report).keys() == set(looked_at) - {"none"}
    paths = {"serverless-containers": "/containers/", "compute": "/instances", "kubernetes": "/managed-kub"}
    for source, path in paths.items():
        assert any(path in call["path"] for call in cloud.emulator.calls()) == (source in looked_at)


def test_tags_and_youth_keep_images_too(cloud: Cloud, tmp_path: Path) -> None:
    write_settings(cloud, tmp_path, '[guards]\nkeep_tags = ["latest", "v\\\\d+"]\ngrace = "36h"\n')
    cloud.seed(
        repository(
            *tagged("latest", "v1", "v1-rc", "xv2"),
            {"id": "young", "age": "35h", "tags": ["a"]},
            {"id": "young-untagged", "age": "30h"},
            {"id": "grown", "age": "37h", "tags": ["b"]},
        )
    )

    report = cloud.clean()

    assert cloud.left() == {"latest", "v1", "young", "young-untagged"}
    assert {row["image_id"]: row["guard"] for row in report["images"] if row["guard"]} == {
        "latest": "keep-tag",
        "v1": "keep-tag",
        "young": "grace",
        "young-untagged": "grace",
    }
    assert_adds_up(report)


# --- the size of it ---


def test_a_big_folder_takes_few_calls_and_little_memory(cloud: Cloud) -> None:
    names = [f"used{n}" for n in range(1, 4)]
    cloud.seed(
        repository(*tagged(*names, "bba", "fhm", "spare")),
        containers=[
            {
                "id": f"bba{n}",
                "revisions": [
                    {"id": f"rev{n}-{age}", "image": f"{APP}:bba", "age": f"{age}d", "status": status}
                    for age, status in enumerate(["ACTIVE", "OBSOLETE", "OBSOLETE"], 1)
                ],
            }
            for n in range(50)
        ],
        instances=[
            {"id": f"fhm{n}", "metadata": {"docker-compose": f"image: {APP}:fhm", "user-data": "x" * 20_000}}
            for n in range(100)
        ],
        clusters=[
            cluster(
                pod("zzz", f"{APP}:used{n}"),
                cluster_id=f"cat{n}",
                series=[
                    {
                        "kind": "Pod",
                        "count": count,
                        "image": "cr.yandex/crp1/other:v{n}",
                        "image_id": "cr.yandex/crp1/other@sha256:" + "a" * 64,
                    }
                ],
            )
            for n, count in enumerate((3000, 1500, 500), 1)
        ],
    )

    invocation = cloud.call("cleanup", CLEANUP_MODE="apply")

    report = invocation.results[0]
    assert cloud.left() == {*names, "bba", "fhm"}
    assert report["status"] == "ok"
    calls = [call["path"] for call in cloud.emulator.calls()]
    in_use = [
        path for path in calls if path.startswith(("/containers/", "/compute/", "/managed-kubernetes/"))
    ]
    of_clusters = [path for path in calls if path.startswith("k8s:")]
    assert len(in_use) <= 108
    assert len(of_clusters) <= 7 + 3 * (2 * 9 + 1)  # pages of pods, empty lists twice, the API groups
    assert invocation.peak_kb < 128 * 1024
