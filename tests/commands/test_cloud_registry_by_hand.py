"""A report of Cloud Registry names the service, and the policy's rule with what that says."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import FOLDER, Cloud
from tests.support import html
from tests.support.command_line import run

RULES = [
    {"description": "the last one stays", "keepByVersion": {"keepVersionsCount": 1}},
    {"description": "old builds", "versionRegexp": "b-.*", "delete": {"type": "HARD_DELETE", "olderThanDays": 30}},
]  # fmt: skip


def test_the_service_and_the_rule_are_named(cloud: Cloud, tmp_path: Path) -> None:
    images = [{"id": f"i{age}", "tags": [f"b-{age}"], "age": f"{age}d"} for age in (1, 40, 50)]
    registry = {
        "id": "crp2",
        "folder_id": FOLDER,
        "name": "shop",
        "repositories": [{"name": "app", "images": images}],
        "policies": [{"id": "pol2", "name": "nightly", "state": "ENABLED", "rules": RULES}],
    }
    cloud.emulator.seed({"service_accounts": [cloud.account], "cloud_registries": [registry]})

    shown = run(cloud, "dry-run", "--verbose", STATE_DIR=str(tmp_path)).stdout
    page = tmp_path / "page.html"
    run(cloud, "report", "--html", str(page), STATE_DIR=str(tmp_path))

    assert shown.startswith(
        "Would delete 2 of 3 images in registry shop (Cloud Registry, crp2), which would "
    )
    words = " ".join(shown.split())
    assert "nightly (rule 2, HARD_DELETE): old builds, tags b-.*, older than 30 days" in words
    assert "the last one stays; old builds, tags b-.*, older than 30 days" in words
    read = html.read(page.read_text())
    assert "Cloud Registry" in read.one("p", _class="where").text
    assert "app:b-40" in shown
    assert "all repositories · Cloud Registry" in read.text
