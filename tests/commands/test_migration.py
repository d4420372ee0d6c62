"""``migration``: what has arrived in Cloud Registry, and what has not."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FOLDER, Cloud
from tests.support.command_line import run

MANY = 20_000
LOST, MOVED = 37, 3


def image(name: str, *tags: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "tags": list(tags), "age": "9d", **more}


def told(cloud: Cloud, *, status: int = 0, **settings: str) -> dict[str, Any]:
    """What the command prints, with the registries by their ids."""
    ended = run(cloud, "migration", "--json", **settings)
    assert ended.returncode == status, ended.stdout + ended.stderr
    document: dict[str, Any] = json.loads(ended.stdout)
    document["registries"] = {row["registry_id"]: row for row in document["registries"]}
    return document


def seed(cloud: Cloud, *old: dict[str, Any], new: list[dict[str, Any]] | None = None, **more: Any) -> None:
    """The registry ``crp1`` in both services; ``new`` are the repositories in Cloud Registry."""
    target: dict[str, Any] = {"id": "crp1", "folder_id": FOLDER, "redirects": False}
    target |= {"migrated": True} if new is None else {"repositories": new}
    cloud.seed(*old, cloud_registries=[target], **more)
    cloud.environment["LOG_LEVEL"] = "WARN"


def of_kind(registry: dict[str, Any], what: str) -> list[dict[str, Any]]:
    return [row for row in registry["differences"] if row["what"] == what]


@pytest.mark.slow
@pytest.mark.parametrize("redirects", [False, True])
def test_exactly_what_has_not_arrived_is_found_among_many(cloud: Cloud, redirects: bool) -> None:
    special = [
        image("amd"),
        image("arm"),
        image("arm7"),
        image("multi", "latest", index=["amd", "arm", "arm7"]),
        image("signed", "v1"),
        image("signature", signature_of="signed"),
    ]
    tagged = [image(f"i{number:05}", f"t{number:05}") for number in range(MANY - 3)]
    old = {"name": "team-a/app", "images": [*special, *tagged]}
    cloud.emulator.seed({"registries": [{"id": "crp1", "folder_id": FOLDER, "repositories": [old]}]})
    digests = cloud.emulator.digests("crp1")
    moved = [
        image(f"other{number}", f"t{number:05}", digest=f"sha256:{number:064x}") for number in range(LOST, LOST + MOVED)
    ]
    arrived = [{**one, "digest": digests[one["id"]]} for one in tagged[LOST + MOVED :]]
    index = image("multi", "latest", index=["amd", digests["arm"], digests["arm7"]])
    new = {"name": "team-a/app", "images": [*arrived, *moved, special[0] | {"digest": digests["amd"]}, index]}
    seed(cloud, old, new=[new])
