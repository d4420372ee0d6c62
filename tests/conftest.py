"""What most tests stand on: the packaged archive, and one emulator that each test fills anew."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.emulator.client import RunningEmulator, emulator, service_account
from tests.support.cloud import Invocation, invoke, unpacked

FOLDER, BUCKET = "b1gfolder", "janitor-state"

hypothesis.settings.register_profile("steady", deadline=None, database=None)
hypothesis.settings.load_profile("steady")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow tests first, so that none of them is still running when all others have ended."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of ``./deploy.sh package``, unpacked."""
    return unpacked(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="session")
def running_emulator() -> Iterator[RunningEmulator]:
    with emulator() as running:
        yield running


class Cloud:
    """An emulated cloud and the bundle that is deployed to it: ``seed`` it, ``call`` the bundle, look at what
    is left.
    """

    def __init__(self, running: RunningEmulator, bundle: Path) -> None:
        self.emulator, self.bundle = running, bundle
        self.account, self.key = service_account(folder_id=FOLDER)
        self.environment = {
            "YC_API_ENDPOINT": running.url,
            "YC_REGISTRY_ENDPOINT": running.url,
            "YC_CLOUD_REGISTRY_ENDPOINT": f"{running.url}/cloud-registry-v2",
            "YC_STORAGE_ENDPOINT": f"{running.url}/s3",
            "FOLDER_ID": FOLDER,
            "SA_KEY": json.dumps(self.key),
            "LOG_LEVEL": "TRACE",
        }

    def seed(self, *repositories: dict[str, Any], registry_id: str = "crp1", **more: Any) -> None:
        """One registry with these repositories, and a bucket; ``more`` replaces other parts of the seed."""
        registry = {
            "id": registry_id,
            "folder_id": FOLDER,
            "name": "main",
            "repositories": list(repositories),
        }
        bucket = {"name": BUCKET, "folder_id": FOLDER}
        self.emulator.seed(
            {"service_accounts": [self.account], "registries": [registry], "buckets": [bucket], **more}
        )

    def call(
        self, entry_point: str, *events: Any, token: Any = None, timeout: float = 600, **settings: Any
    ) -> Invocation:
        environment = {name: value for name, value in (self.environment | settings).items() if value}
        return invoke(
            self.bundle,
            f"{entry_point}.handler",
            *events,
            environment=environment,
            token=token,
            timeout=timeout,
            kill_after=120,
        )

    def dry_run(self, *events: Any, **settings: Any) -> dict[str, Any]:
        """The report of ``dry_run.handler``."""
        report: dict[str, Any] = self.call("dry_run", *events, **settings).results[-1]
        return report

    def clean(self, *events: Any, **settings: Any) -> dict[str, Any]:
        """The report of ``cleanup.handler`` in mode apply."""
        report: dict[str, Any] = self.call(
            "cleanup", *events, **{"CLEANUP_MODE": "apply", **settings}
        ).results[-1]
        return report

    def left(self, repository: str | None = None) -> set[str]:
        """The ids of the images that are really left."""
        return self.emulator.image_ids(repository)


@pytest.fixture
def cloud(running_emulator: RunningEmulator, bundle: Path) -> Cloud:
    return Cloud(running_emulator, bundle)


def policy(name: str = "old", status: str = "ACTIVE", **rule: Any) -> dict[str, Any]:
    """A seed's policy with one rule; by default it takes all tagged images but the newest."""
    return {
        "id": f"pol-{name}",
        "name": name,
        "status": status,
        "rules": [rule or {"tag_regexp": ".*", "retained_top": 1}],
    }


def images(*names: str, tag: str = "") -> list[dict[str, Any]]:
    """Seed images with these ids, newest first, a day apart, each tagged with its id (or ``tag``)."""
    return [{"id": name, "tags": [tag or name], "age": f"{days}d"} for days, name in enumerate(names, 1)]


def assert_adds_up(report: dict[str, Any]) -> None:
    """The contract's sums: every candidate has come to exactly one end."""
    totals = report["totals"]
    rows = Counter(row["outcome"] for row in report["images"])
    ends = {name: totals[name] for name in ("protected", "deleted", "already_gone", "failed", "remaining")}
    if report["mode"] == "apply":
        assert totals["candidates"] == sum(ends.values())
    else:
        staying = totals["protected"] + totals["remaining"]
        assert totals["candidates"] == staying + rows["would-delete"] or report["images_truncated"]
        assert sum(ends.values()) == staying
    if not report["images_truncated"]:
        assert rows.total() == totals["candidates"]
        assert {name.replace("_", "-"): count for name, count in ends.items() if count} == {
            name: count for name, count in rows.items() if name != "would-delete"
        }


def assert_complains(report: dict[str, Any], status: str, *names: str) -> None:
    """The run ended so, and its errors and warnings name what is wrong."""
    told = json.dumps(report, ensure_ascii=False)
    complaints = " ".join(row["message"] for row in [*report["errors"], *report["warnings"]])
    assert report["status"] == status, told
    for name in names:
        assert name in complaints, f"{name} is not named in: {complaints}"
    assert "Traceback" not in told
    assert "has a fault" not in complaints


def outcomes(report: dict[str, Any]) -> dict[str, str]:
    return {row["image_id"]: row["outcome"] for row in report["images"]}
