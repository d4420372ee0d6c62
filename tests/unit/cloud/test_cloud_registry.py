"""What the JSON of Cloud Registry's API becomes, and what is asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shared.cloud import cloud_registry
from shared.errors import NOT_FOUND, CallError
from shared.retention.records import DryRun, Image, Repository, Sighting
from tests.support.json_server import JsonServer, json_server

ROOT = "/cloud-registry/v1"
DIGEST, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
REPOSITORY = Repository("/app", "crp2", "crp2/app", "cloud-registry")
RUN_AT = "2026-11-20T00:00:00Z"


@pytest.fixture
def registry() -> Iterator[JsonServer]:
    with json_server() as server:
        yield server


def node(digest: str = DIGEST, **more: Any) -> dict[str, Any]:
    return {"id": "a", "kind": "ARTIFACT", "content": {"docker": {"manifestDigest": digest}}, **more}


def image(*parts: str, created_at: str = "2026-01-01T00:00:00Z") -> Image:
    return Image(f"crp2/app@{DIGEST}", DIGEST, (), created_at, 1, b"", 0, parts)


LEFT = {
    "a registry of packages": ({"kind": "MAVEN"}, "MAVEN"),
    "a cache": ({"kind": "DOCKER", "type": "REMOTE"}, "REMOTE"),
    "a union": ({"kind": "DOCKER", "type": "VIRTUAL"}, "VIRTUAL"),
    "an unknown type": ({"kind": "DOCKER"}, "unknown"),
    "one that is being deleted": ({"kind": "DOCKER", "type": "LOCAL", "status": "DELETING"}, "DELETING"),
    "local": ({"kind": "DOCKER", "type": "LOCAL", "status": "ACTIVE"}, ""),
    "migrated": ({"kind": "DOCKER", "type": "TRANSITIONAL", "status": "ACTIVE"}, ""),
}


@pytest.mark.parametrize(("document", "why"), LEFT.values(), ids=LEFT)
def test_registries_that_hold_no_images_are_left_and_say_why(
    registry: JsonServer, document: dict[str, str], why: str
) -> None:
    registry.answer(f"GET {ROOT}/registries/crp2", {"id": "crp2", **document})
    left = cloud_registry.registry(registry.cloud(), "crp2").left
    assert why in left if why else left == ""


RANKS = {
    "no rules": ([], True),
    "by age": ([{"delete": {"olderThanDays": "3"}}], False),
    "always": ([{"delete": {"always": {}}}], False),
    "by versions": ([{"delete": {"versionCondition": {"versionsCountGreaterThan": "3"}}}], True),
    "kept by age": ([{"keepByAge": {"youngerThanDays": "3"}}, {"delete": {"olderThanDays": "3"}}], False),
    "kept by version": ([{"keepByVersion": {"keepVersionsCount": "3"}}], True),
    "something new": ([{"keepByMood": {}}], True),
    "a delete of a new kind": ([{"delete": {"mood": {}}}], True),
}


@pytest.mark.parametrize(("rules", "ranks"), RANKS.values(), ids=RANKS)
def test_a_policy_ranks_unless_it_surely_does_not(
    registry: JsonServer, rules: list[Any], ranks: bool
) -> None:
    document = {"policies": [{"id": "p", "name": "n", "state": "ENABLED", "rules": rules}]}
    registry.answer(f"GET {ROOT}/lifecyclePolicies", document)
    [policy] = cloud_registry.policies(registry.cloud(), "crp2")
    assert (policy.status, policy.ranks, policy.repository_id) == ("ACTIVE", ranks, "")


def dry_run(registry: JsonServer, **response: str) -> DryRun:
    registry.answer(
        f"POST {ROOT}/lifecyclePolicies/p:dryRun", {"id": "op", "done": True, "response": response}
    )
    rows = [("a", "HARD_DELETE"), ("b", "SOFT_DELETE"), ("c", "RETAIN"), ("", "HARD_DELETE"), ("d", "WHIM")]
    artifacts = [
        {"artifactId": name, "affectedBy": {"ruleType": f"LIFECYCLE_RULE_TYPE_{kind}", "ruleIndex": "1"}}
        for name, kind in rows
    ]
    path = f"GET {ROOT}/lifecyclePolicyDryRunResults/r:artifacts"
    registry.answer(path, {"artifacts": [*artifacts, {"artifactId": "e"}]})
    return cloud_registry.dry_run(registry.cloud(), "p")


def test_a_dry_run_takes_what_it_deletes_by_the_rule_that_does(registry: JsonServer) -> None:
    result = dry_run(registry, dryRunId="r", runAt=RUN_AT)
    assert result.parts == {"a": " (rule 2, HARD_DELETE)", "b": " (rule 2, SOFT_DELETE)"}


@pytest.mark.parametrize(
    "response", [{}, {"runAt": RUN_AT}, {"dryRunId": "r"}, {"dryRunId": "r", "runAt": "then"}]
)
def test_a_dry_run_that_does_not_say_enough_is_an_error(
    registry: JsonServer, response: dict[str, str]
) -> None:
    with pytest.raises(CallError, match="the dry run"):
        dry_run(registry, **response)


TAKEN = {
    "its only artifact": (image("a"), True),
    "both of its artifacts": (image("a", "b"), True),
    "one of two": (image("a", "x"), False),
    "none": (image("x"), False),
    "no artifacts at all": (image(), False),
    "written after the dry run": (image("a", created_at="2026-11-20T00:00:01Z"), False),
    "written when nobody can read": (image("a", created_at="then"), False),
}


@pytest.mark.parametrize(("listed", "taken"), TAKEN.values(), ids=TAKEN)
def test_an_image_is_taken_with_all_its_artifacts_or_not_at_all(listed: Image, taken: bool) -> None:
    result = DryRun("r", parts={"a": " (rule 1, HARD_DELETE)", "b": " (rule 2, SOFT_DELETE)"}, run_at=RUN_AT)
    assert list(cloud_registry.taken(result, lambda: [listed])) == (
        [(listed, " (rule 1, HARD_DELETE)")] if taken else []
    )


THERE: dict[str, tuple[dict[str, Any], int, bool | None]] = {
    "there": (node(), 200, True),
    "not found": ({}, 404, False),
    "another image now": (node(OTHER), 200, False),
    "deleted": (node(status="DELETED"), 200, False),
    "being deleted": (node(status="DELETING"), 200, True),
    "a folder": ({"id": "a", "kind": "FOLDER"}, 200, None),
    "no answer": ({}, 403, None),
}


@pytest.mark.parametrize(("document", "status", "there"), THERE.values(), ids=THERE)
@pytest.mark.parametrize("parts", [("a",), ()], ids=["by id", "by path"])
def test_an_image_is_there_as_long_as_an_artifact_has_its_digest(
    registry: JsonServer, document: dict[str, Any], status: int, there: bool | None, parts: tuple[str, ...]
) -> None:
    registry.answer(f"GET {ROOT}/artifacts/a", document, status)
    registry.answer(f"GET {ROOT}/registries/crp2/artifacts:getByPath", document, status)
    sighting = Sighting(f"crp2/app@{DIGEST}", ("v1",), parts)
    if there is None:
        with pytest.raises(CallError):
            cloud_registry.is_there(registry.cloud(), REPOSITORY, sighting)
    else:
        assert cloud_registry.is_there(registry.cloud(), REPOSITORY, sighting) is there
    if not parts:
        assert "path=%2Fapp%2Fv1" in registry.requests[0].query


def deletes(registry: JsonServer) -> list[str]:
    return [call for call in registry.calls() if call.startswith("DELETE")]


def test_an_image_goes_artifact_by_artifact(registry: JsonServer) -> None:
    for name in "ab":
        registry.answer(f"GET {ROOT}/artifacts/{name}", node())
        registry.answer(f"DELETE {ROOT}/artifacts/{name}", {"id": f"op-{name}", "done": name == "a"})

    operation = cloud_registry.delete_image(registry.cloud(), image("a", "b"))

    assert deletes(registry) == [f"DELETE {ROOT}/artifacts/a", f"DELETE {ROOT}/artifacts/b"]
    assert (operation.id, operation.done) == ("op-a,op-b", False)


@pytest.mark.parametrize("closely", [True, False])
def test_the_only_artifact_is_looked_at_if_that_is_asked_for(registry: JsonServer, closely: bool) -> None:
    registry.answer(f"GET {ROOT}/artifacts/a", node(OTHER))
    registry.answer(f"DELETE {ROOT}/artifacts/a", {"id": "op", "done": True})
    if closely:
        with pytest.raises(CallError) as raised:
            cloud_registry.delete_image(registry.cloud(), image("a"), closely=True)
        assert (raised.value.code, deletes(registry)) == (NOT_FOUND, [])
    else:
        assert cloud_registry.delete_image(registry.cloud(), image("a")).done


def test_a_folder_is_not_deleted(registry: JsonServer) -> None:
    registry.answer(f"GET {ROOT}/artifacts/a", {"id": "a", "kind": "FOLDER"})
    with pytest.raises(CallError, match="FOLDER"):
        cloud_registry.delete_image(registry.cloud(), image("a"), closely=True)
    assert deletes(registry) == []


def test_a_part_that_is_gone_already_stops_nothing(registry: JsonServer) -> None:
    for name in "ab":
        registry.answer(f"GET {ROOT}/artifacts/{name}", node())
    registry.answer(f"DELETE {ROOT}/artifacts/b", {"id": "op", "done": True})
    assert cloud_registry.delete_image(registry.cloud(), image("a", "b")).id == "op"


@pytest.mark.parametrize("image_id", ["img", "crp2", "@sha256:1", "crp2@sha256:1"])
def test_what_is_no_image_of_ours_has_no_repository(registry: JsonServer, image_id: str) -> None:
    with pytest.raises(CallError):
        cloud_registry.repository_of(registry.cloud(), image_id)
    assert registry.requests == []
    assert cloud_registry.repository_of(registry.cloud(), f"crp2/team/app@{DIGEST}") == "crp2/team/app"
