"""``explain IMAGE``: what every policy and guard says of an image, and what runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cloud, policy
from tests.support.command_line import run

APP = "cr.yandex/crp1/team-a/app"
OLD = policy("old", tag_regexp="v.*", expire_period="24h")
DRAFTS = policy("drafts", "DISABLED", untagged=True, expire_period="24h")
IMAGES: list[dict[str, Any]] = [
    {"id": "used", "tags": ["v1", "v1-stable"], "age": "9d"},
    {"id": "spare", "tags": ["v2"], "age": "9d"},
    {"id": "multi", "tags": ["latest"], "index": ["amd"], "age": "9d"},
    {"id": "amd", "age": "9d"},
    {"id": "spare-sig", "signature_of": "spare", "age": "9d"},
    {"id": "used-sig", "signature_of": "used", "age": "9d"},
]
DEPLOYMENT = {
    "kind": "Deployment",
    "metadata": {"name": "shop"},
    "spec": {"template": {"spec": {"containers": [{"name": "a", "image": f"{APP}:v1"}]}}},
}


@pytest.fixture
def stocked(cloud: Cloud) -> Cloud:
    cloud.seed(
        {"name": "team-a/app", "policies": [OLD, DRAFTS], "images": IMAGES},
        {"name": "my.team/app", "images": [{"id": "dotted", "tags": ["v1"]}]},
        clusters=[{"id": "cat1", "name": "production", "objects": [DEPLOYMENT]}],
    )
    cloud.environment["LOG_LEVEL"] = "ERROR"
    return cloud


def digest_of(cloud: Cloud, image_id: str) -> str:
    contents = cloud.emulator.state()["registries"]["crp1"]["repositories"]["team-a/app"]
    return next(str(image["digest"]) for image in contents["images"] if image["id"] == image_id)


def explained(cloud: Cloud, wanted: str) -> list[dict[str, Any]]:
    ended = run(cloud, "explain", wanted, "--json", CLEANUP_MODE="apply")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return list(json.loads(ended.stdout))


NAMES = {
    "its id": "used",
    "a tag": "team-a/app:v1",
    "another tag": "team-a/app:v1-stable",
    "the registry before it": "crp1/team-a/app:v1",
    "a whole reference": f"{APP}:v1",
    "its digest": "{digest}",
    "a repository and its digest": "team-a/app@{digest}",
    "a whole reference by digest": APP + "@{digest}",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_an_image_is_explained_by(stocked: Cloud, name: str) -> None:
    (image,) = explained(stocked, name.format(digest=digest_of(stocked, "used")))

    assert (image["image_id"], image["repository"]) == ("used", "team-a/app")
    assert sorted(image["tags"]) == ["v1", "v1-stable"]
    assert image["outcome"] == "protected"
    where = "deployment default/shop of the Kubernetes cluster production"
    assert image["guards"] == [{"guard": "in-use", "kept_by": where}]
    assert image["used_by"] == where
    assert {(row["policy_name"], row["applied"], row["takes"]) for row in image["policies"]} == {
        ("old", True, True),
        ("drafts", False, False),
    }


def test_no_tag_is_latest_and_a_repository_may_have_a_dot_in_its_name(stocked: Cloud) -> None:
    assert [image["image_id"] for image in explained(stocked, "team-a/app")] == ["multi"]
    assert [image["image_id"] for image in explained(stocked, "my.team/app:v1")] == ["dotted"]


OUTCOMES = {
    "spare": ("would-delete", []),
    "multi": ("not-taken", []),
    "amd": ("not-taken", ["index-child"]),
    "spare-sig": ("would-delete", []),
    "used-sig": ("not-taken", ["referrer"]),
}


@pytest.mark.parametrize(("image_id", "expected"), OUTCOMES.items(), ids=OUTCOMES)
def test_what_would_become_of(stocked: Cloud, image_id: str, expected: tuple[str, list[str]]) -> None:
    (image,) = explained(stocked, image_id)
    assert (image["outcome"], [one["guard"] for one in image["guards"]]) == expected


def test_explaining_deletes_nothing_and_agrees_with_a_clean_up(stocked: Cloud) -> None:
    told = {
        image_id: explained(stocked, image_id)[0]["outcome"] for image_id in (row["id"] for row in IMAGES)
    }
    assert len(stocked.left("team-a/app")) == len(IMAGES)

    stocked.clean()

    assert stocked.left("team-a/app") == {name for name, outcome in told.items() if outcome != "would-delete"}


def test_a_person_reads_sentences(stocked: Cloud) -> None:
    ended = run(stocked, "explain", "team-a/app:v1")

    assert ended.returncode == 0
    for text in (
        "team-a/app",
        "policy old (ACTIVE) takes it",
        "policy drafts (DISABLED) does not take it, and is not applied here",
        "guard in-use keeps it: deployment default/shop",
        "It stays.",
    ):
        assert text in ended.stdout


@pytest.mark.parametrize(
    "name",
    [
        "nobody",
        "team-a/app:v9",
        "team-b/app:v1",
        "crp2/team-a/app:v1",
        "sha256:" + "0" * 64,
        "team-a/app@sha256:" + "0" * 64,
        "../../etc/passwd",
        "x" * 300,
        "a b?c#d",
        "::",
        "имя",
    ],
)
def test_an_image_that_there_is_not_ends_with_2(stocked: Cloud, name: str) -> None:
    ended = run(stocked, "explain", name)

    assert ended.returncode == 2
    assert name[:40] in (ended.stdout + ended.stderr).replace("\n", "")


def test_no_image_at_all_is_bad_usage(stocked: Cloud) -> None:
    ended = run(stocked, "explain")

    assert ended.returncode == 2
    assert "IMAGE" in ended.stderr


def test_a_source_that_cannot_be_seen_is_told(stocked: Cloud) -> None:
    stocked.emulator.behaviour(
        faults=[{"match": "GET /managed-kubernetes/v1/clusters", "status": 403, "code": 7}]
    )

    ended = run(stocked, "explain", "spare")

    assert ended.returncode == 3
    assert "k8s.viewer" in ended.stdout + ended.stderr


def test_hostile_names_are_printed_as_text(cloud: Cloud) -> None:
    hostile = ["[red]alarm[/red]", "[/]", "wipe\x1b[2J\x1b]0;title\x07", "two\nlines"]
    vm = {"id": "fhm1", "name": "[bold]\x1b[31mvm", "metadata": {"user-data": "cr.yandex/crp1/app:$TAG"}}
    cloud.seed(
        {
            "name": "app",
            "policies": [policy("[blink]\x1b[5mpolicy", tag_regexp="(?s).*", expire_period="24h")],
            "images": [{"id": "img", "tags": hostile, "age": "9d"}],
        },
        instances=[vm],
    )

    ended = run(cloud, "explain", "img")

    assert ended.returncode == 0
    for text in ("[red]alarm[/red]", "[/]", "wipe", "[bold]", "[blink]"):
        assert text in ended.stdout
    assert "\x1b" not in ended.stdout
    assert "\x07" not in ended.stdout
    assert not any(line.startswith("lines") for line in ended.stdout.splitlines())


@pytest.mark.parametrize(
    "arguments", [["explain", "team-a/app:v1"], ["validate"]], ids=lambda words: words[0]
)
def test_a_mere_look_leaves_no_run_behind(stocked: Cloud, tmp_path: Path, arguments: list[str]) -> None:
    cleaned = json.loads(run(stocked, "dry-run", "--json", STATE_DIR=str(tmp_path)).stdout)

    looked = run(stocked, *arguments, "--json", STATE_DIR=str(tmp_path))

    assert looked.returncode == 0, looked.stdout
    kept = json.loads(run(stocked, "report", "--json", STATE_DIR=str(tmp_path)).stdout)
    assert kept["run_id"] == cleaned["run_id"]
    assert len(list((tmp_path / "runs").iterdir())) == 1
