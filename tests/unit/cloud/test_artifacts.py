"""What the nodes of a Cloud Registry become: images with all their tags, sizes and children."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cloud.artifacts import Artifact, image_of, order, together
from shared.retention.records import Image, Repository, blob_key

REPOSITORY = Repository("/app", "crp2", "crp2/app", "cloud-registry")
A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
AT, LATER = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00.5Z"


def node(name: str, digest: str = A, **more: Any) -> dict[str, Any]:
    docker = {"manifestDigest": digest} if digest else {}
    return {
        "id": f"id-{name}",
        "path": f"/app/{name}",
        "kind": "ARTIFACT",
        "status": "ACTIVE",
        "createdAt": AT,
        "content": {"docker": docker | more.pop("docker", {})},
        **more,
    }


def images(*nodes: dict[str, Any]) -> list[Image]:
    artifacts = msgspec.convert(nodes, list[Artifact], strict=False)
    return list(together(image for artifact in artifacts if (image := image_of(REPOSITORY, artifact))))


def test_artifacts_of_one_digest_are_one_image_with_all_their_tags() -> None:
    one, two = images(node("v1"), node("latest"), node("v2", B))

    assert (one.image_id, one.digest, one.tags) == (f"crp2/app@{A}", A, ("latest", "v1"))
    assert one.parts == ("id-v1", "id-latest")
    assert (two.tags, two.parts) == (("v2",), ("id-v2",))


@pytest.mark.parametrize("name", [A, "a" * 129, ".hidden", "-x"])
def test_a_name_that_cannot_be_a_tag_is_none(name: str) -> None:
    [image] = images(node(name))
    assert (image.tags, image.parts) == ((), (f"id-{name}",))


@pytest.mark.parametrize(
    "other",
    [
        node("sub", kind="FOLDER"),
        node("sub", kind="PACKAGE"),
        node("sub", kind=""),
        node("v9", status="DELETED"),
        node("v9", "", status="CREATING"),
    ],
    ids=["a folder", "a package", "no kind", "a deleted artifact", "one that is still pushed"],
)
def test_what_is_no_image_is_left_out(other: dict[str, Any]) -> None:
    assert [image.tags for image in images(node("v1"), other)] == [("v1",)]


@pytest.mark.parametrize("status", ["DELETING", "CREATING", ""])
def test_whatever_may_be_there_counts_as_there(status: str) -> None:
    assert [image.tags for image in images(node("v1"), node("v2", status=status))] == [("v1", "v2")]


def test_an_artifact_without_a_digest_is_an_image_that_nobody_understands() -> None:
    [image] = images(node("v1", ""))
    assert (image.image_id, image.digest) == ("id-v1", "")


def test_the_size_of_an_image_is_its_configuration_and_each_layer_once() -> None:
    blobs = {
        "config": {"digest": C, "size": "5"},
        "layers": [{"digest": A, "size": "7"}, {"digest": A, "size": 7}],
    }
    [image] = images(node("v1", docker={"imageManifest": blobs}))
    assert (image.size_bytes, image.config) == (12, blob_key(C))


def test_the_size_of_an_index_is_that_of_its_children() -> None:
    blobs = {"config": {"digest": C, "size": "5"}}
    children = [{"manifestDescriptor": {"digest": digest.upper(), "size": "500"}} for digest in (B, B)]
    index = node("multi", A, docker={"manifestList": {"manifests": [*children, {}]}})
    whole, _ = images(index, node(B, B, docker={"imageManifest": blobs}))
    assert (whole.children, whole.size_bytes) == ((B, B), 5)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ([{}], AT),
        ([{"modifiedAt": AT}], AT),
        ([{"modifiedAt": LATER}], LATER),
        ([{}, {"createdAt": LATER}], LATER),
        ([{"createdAt": "yesterday"}], "yesterday"),
        ([{"createdAt": ""}], ""),
    ],
)
def test_an_image_is_as_young_as_its_youngest_artifact(written: list[dict[str, str]], expected: str) -> None:
    [image] = images(*(node(f"v{number}", **more) for number, more in enumerate(written)))
    assert image.created_at == expected


@given(st.permutations([node("v1"), node("v2"), node("v3", B), node(C, C)]))
def test_the_order_of_a_listing_says_nothing(nodes: list[dict[str, Any]]) -> None:
    assert {(image.image_id, image.tags) for image in images(*nodes)} == {
        (f"crp2/app@{A}", ("v1", "v2")),
        (f"crp2/app@{B}", ("v3",)),
        (f"crp2/app@{C}", ()),
    }


def test_what_is_no_moment_comes_last() -> None:
    assert order("") < order(AT) < order(LATER) < order("yesterday")
