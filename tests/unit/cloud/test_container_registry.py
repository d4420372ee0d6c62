"""What the JSON of Container Registry's API becomes."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from shared.cloud import container_registry
from shared.errors import CallError
from shared.retention.records import Image, NativeRule, Policy, Registry, Repository, Sighting, blob_key
from tests.support.json_server import JsonServer, json_server

ROOT = "/container-registry/v1"
POLICIES, POLICY = f"GET {ROOT}/lifecyclePolicies", f"GET {ROOT}/lifecyclePolicies/p1"
DRY_RUN = f"POST {ROOT}/dryRunLifecyclePolicy/p1"
REPOSITORY = Repository("", "crp1", "crp1/app")
RESULT = {"dryRunLifecyclePolicyResultId": "result1"}


@pytest.fixture
def registry() -> Iterator[JsonServer]:
    with json_server() as server:
        yield server


def layers(*pairs: tuple[str, int]) -> bytes:
    return array("Q", [number for digest, size in pairs for number in (blob_key(digest), size)]).tobytes()


IMAGES: dict[str, tuple[dict[str, Any], Image]] = {
    "whole": (
        {
            "id": "a",
            "name": "crp1/app",
            "digest": "sha256:ab",
            "compressedSize": "7",
            "config": {"id": "b1", "digest": "sha256:cf", "size": "3"},
            "layers": [{"digest": "sha256:01", "size": "4"}, {"digest": "sha256:02", "size": 5}],
            "tags": ["x", "y"],
            "createdAt": "2026-01-01T00:00:00Z",
        },
        Image(
            "a",
            "sha256:ab",
            ("x", "y"),
            "2026-01-01T00:00:00Z",
            7,
            layers(("sha256:01", 4), ("sha256:02", 5)),
            0xCF,
        ),
    ),
    "an id alone": ({"id": "a"}, Image("a", "", (), "", 0, b"")),
    "a digest in capitals": ({"id": "a", "digest": "SHA256:AB"}, Image("a", "sha256:ab", (), "", 0, b"")),
    "null for lists": (
        {"id": "a", "tags": None, "layers": None, "config": None},
        Image("a", "", (), "", 0, b""),
    ),
    "sizes below nothing": (
        {"id": "a", "compressedSize": -1, "layers": [{"digest": "sha256:01", "size": -4}]},
        Image("a", "", (), "", 0, layers(("sha256:01", 0))),
    ),
    "a configuration without a digest": ({"id": "a", "config": {}}, Image("a", "", (), "", 0, b"")),
    "a field of next year": ({"id": "a", "colour": "red"}, Image("a", "", (), "", 0, b"")),
}


@pytest.mark.parametrize(("document", "image"), IMAGES.values(), ids=IMAGES)
def test_an_entry_of_a_listing_is_an_image(document: dict[str, Any], image: Image) -> None:
    assert container_registry.listed(document) == (document.get("name", ""), image)


@pytest.mark.parametrize(
    "document", [{}, [], {"id": 5}, {"id": "a", "tags": "x"}, {"id": "a", "digest": None}]
)
def test_what_is_no_entry_is_none(document: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        container_registry.listed(document)


RANKS: dict[str, tuple[Any, bool]] = {
    "by age": ([{"expirePeriod": "60s"}], False),
    "by rank": ([{"expirePeriod": "60s", "retainedTop": "3"}], True),
    "one of two by rank": ([{"untagged": True}, {"retainedTop": 1}], True),
    "no rules": ([], True),
    "rules not told": (None, True),
    "a rule that is none": (["x"], True),
}


@pytest.mark.parametrize(("rules", "ranks"), RANKS.values(), ids=RANKS)
def test_a_policy_ranks_when_it_keeps_the_newest_or_may(
    registry: JsonServer, rules: Any, ranks: bool
) -> None:
    registry.answer(POLICIES, {"lifecyclePolicies": [{"id": "p1", "repositoryId": "r1", "rules": rules}]})
    (policy,) = container_registry.policies(registry.cloud(), "crp1")
    assert policy.ranks is ranks


def test_a_policys_definition_changes_with_its_rules_and_its_id_alone(registry: JsonServer) -> None:
    plain = {"id": "p1", "repositoryId": "r1", "rules": [{"untagged": True, "tagRegexp": "x"}]}
    variants = [
        plain,
        {**plain, "name": "n", "status": "ACTIVE"},
        {**plain, "rules": [{"tagRegexp": "x", "untagged": True}]},
        {**plain, "rules": [{"tagRegexp": "y", "untagged": True}]},
        {**plain, "id": "p2"},
    ]
    registry.answer(POLICIES, {"lifecyclePolicies": variants})
    first, named, ordered, *changed = [
        policy.definition for policy in container_registry.policies(registry.cloud(), "crp1")
    ]
    assert first == named == ordered
    assert len({first, *changed}) == 3


def test_policies_are_asked_for_by_the_registry_or_by_the_repository(registry: JsonServer) -> None:
    registry.answer(POLICIES, {})
    cloud = registry.cloud()
    assert [*container_registry.policies(cloud, "crp1")] == []
    assert [*container_registry.policies_of(cloud, Repository("r1", "crp1", "crp1/app"))] == []
    places = [request.query.split("&")[0] for request in registry.requests]
    assert places == ["registryId=crp1", "repositoryId=r1"]


PERIODS = {"172800s": 172800, "0s": 0, "1.5s": 1.5, "": None, "2 days": None}


@pytest.mark.parametrize(("period", "seconds"), PERIODS.items())
def test_a_rule_expires_after_the_seconds_of_its_period(
    registry: JsonServer, period: str, seconds: float | None
) -> None:
    rule = {"expirePeriod": period, "tagRegexp": "x.*", "untagged": True, "retainedTop": "3"}
    registry.answer(
        POLICY, {"id": "p1", "repositoryId": "r1", "name": "n", "status": "ACTIVE", "rules": [rule]}
    )
    registry.answer(f"GET {ROOT}/repositories/r1", {"id": "r1", "name": "crp1/app"})
    if seconds is None:
        with pytest.raises(CallError, match="an expire period"):
            container_registry.native_policy(registry.cloud(), "p1")
        return
    assert container_registry.native_policy(registry.cloud(), "p1") == (
        Policy("p1", "n", "r1", "ACTIVE"),
        [NativeRule("x.*", True, seconds, 3)],
        "crp1/app",
    )


def test_a_rule_that_says_nothing_has_no_period_and_no_rank(registry: JsonServer) -> None:
    registry.answer(POLICY, {"id": "p1", "repositoryId": "r1", "rules": [{}]})
    registry.answer(f"GET {ROOT}/repositories/r1", {"id": "r1", "name": "crp1/app"})
    assert container_registry.native_policy(registry.cloud(), "p1")[1] == [NativeRule()]


def test_all_pages_are_read(registry: JsonServer) -> None:
    registry.answer(f"GET {ROOT}/registries", {"registries": [{"id": "crp1"}], "nextPageToken": "2"})
    registry.answer(f"GET {ROOT}/registries", {"registries": [{"id": "crp2", "folderId": "f", "name": "n"}]})
    assert [*container_registry.registries(registry.cloud(), "f")] == [
        Registry("crp1", "", ""),
        Registry("crp2", "f", "n"),
    ]


@pytest.mark.parametrize("place", ["response", "metadata"])
def test_a_dry_runs_result_is_named_in_the_operation(registry: JsonServer, place: str) -> None:
    registry.answer(DRY_RUN, {"id": "op1", "done": True, place: RESULT})
    registry.answer(
        f"GET {ROOT}/dryRunLifecyclePolicyResults/result1:affectedImages",
        {"affectedImages": [{"id": "img1"}]},
    )
    dry_run = container_registry.dry_run(registry.cloud(), "p1")
    assert (dry_run.result_id, [image.image_id for image in dry_run.images]) == ("result1", ["img1"])


def test_a_dry_run_without_a_result_is_an_error(registry: JsonServer) -> None:
    registry.answer(DRY_RUN, {"id": "op1", "done": True})
    with pytest.raises(CallError, match="names no result"):
        container_registry.dry_run(registry.cloud(), "p1")


@pytest.mark.parametrize(("status", "there"), [(200, True), (404, False), (403, None), (500, None)])
def test_an_image_is_gone_only_when_it_is_not_found(
    registry: JsonServer, status: int, there: bool | None
) -> None:
    registry.answer(f"GET {ROOT}/images/a", {"id": "a"} if status == 200 else {}, status)
    if there is None:
        with pytest.raises(CallError):
            container_registry.is_there(registry.cloud(), REPOSITORY, Sighting("a"))
        return
    assert container_registry.is_there(registry.cloud(), REPOSITORY, Sighting("a")) is there
