"""A list that is read again: what is listed as before is the same object, whatever else has changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shared.cloud import cloud_registry, container_registry
from shared.cloud.client import Cloud
from shared.cloud.listing import Known
from shared.errors import CallError
from shared.retention.records import Image, Repository
from tests.support.json_server import JsonServer, json_server

OURS = Repository("repository-id", "crp1", "crp1/app")
THEIRS = Repository("/app", "crp1", "crp1/app", "cloud-registry")
LIST = "GET /container-registry/v1/images"
ARTIFACTS = "GET /cloud-registry/v1/registries/crp1:listArtifacts"


@pytest.fixture
def registry() -> Iterator[JsonServer]:
    with json_server() as server:
        yield server


def item(name: str, *tags: str) -> dict[str, Any]:
    return {"id": name, "digest": f"sha256:{name}", "tags": list(tags)}


def artifact(name: str, digest: str, kind: str = "ARTIFACT") -> dict[str, Any]:
    docker = {"manifestDigest": f"sha256:{digest}"}
    return {"id": f"id-{name}", "path": f"/app/{name}", "kind": kind, "content": {"docker": docker}}


def read(registry: JsonServer, cloud: Cloud, known: Known | None, *items: Any) -> list[Image]:
    registry.script.pop(LIST, None)
    registry.answer(LIST, {"images": list(items)})
    return list(container_registry.images(cloud, OURS, known))


def test_what_is_listed_as_before_is_the_same_object(registry: JsonServer) -> None:
    cloud, known = registry.cloud(), Known()
    a, b = read(registry, cloud, known, item("a"), item("b", "x"))
    again = read(registry, cloud, Known(known), item("c"), item("b", "x", "y"), item("a"))

    assert [image.image_id for image in again] == ["c", "b", "a"]
    assert again[2] is a
    assert (b.tags, again[1].tags) == (("x",), ("x", "y"))


def test_only_what_the_last_listing_had_is_known(registry: JsonServer) -> None:
    cloud, known = registry.cloud(), Known()
    read(registry, cloud, known, item("a"), item("b"))
    [b] = read(registry, cloud, known := Known(known), item("b"))
    assert (known.before, [made for _, made in known.items()]) == ({}, [b])


def test_without_memory_everything_is_read_anew(registry: JsonServer) -> None:
    cloud = registry.cloud()
    assert read(registry, cloud, None, item("a")) == read(registry, cloud, None, item("a"))


def test_an_item_of_another_form_is_an_error_of_the_call(registry: JsonServer) -> None:
    with pytest.raises(CallError, match="not of the documented form"):
        read(registry, registry.cloud(), Known(), item("a"), {"id": 5})


def test_an_image_of_an_artifact_that_is_as_before_is_the_same_object(registry: JsonServer) -> None:
    cloud, known = registry.cloud(), Known()
    listed = [artifact("v1", "a"), artifact("sub", "", "FOLDER"), artifact("v2", "b")]
    registry.answer(ARTIFACTS, {"artifacts": listed})
    registry.answer(ARTIFACTS, {"artifacts": [*listed, artifact("v3", "b")]})
    a, b = cloud_registry.images(cloud, THEIRS, known)
    same, more = cloud_registry.images(cloud, THEIRS, Known(known))

    assert same is a
    assert (b.tags, more.tags, more.parts) == (("v2",), ("v2", "v3"), ("id-v2", "id-v3"))
