"""A run's numbers reach Yandex Monitoring where that is asked; when they don't, the run says so and goes
on.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FOLDER, Cloud, images, policy
from tests.emulator.client import service_account
from tests.support.cloud import push

MATCH = "POST /monitoring/v2/data/write"
NAMES = {"images", "candidates", "protected", "deleted", "failed", "bytes_reclaimed", "seconds"}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, Any]:
    file = tmp_path / "janitor.toml"
    file.write_text(f'[metrics]\nfolder_id = "{FOLDER}"\n[guards]\nkeep_tags = ["kept"]\n')
    return {"JANITOR_CONFIG": str(file)}


def stock(cloud: Cloud) -> None:
    registries: list[dict[str, Any]] = [
        {
            "id": registry_id,
            "folder_id": FOLDER,
            "repositories": [
                {
                    "name": "app",
                    "policies": [policy(f"of-{registry_id}")],
                    "images": images(*(f"{registry_id}-{name}" for name in names)),
                }
            ],
        }
        for registry_id, names in {"crp1": ("new", "old", "older"), "crp2": ("only",)}.items()
    ]
    registries[0]["repositories"][0]["images"][1]["tags"].append("kept")
    cloud.seed(registries=registries)


def values(cloud: Cloud) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for metric in cloud.emulator.metrics():
        found.setdefault(metric["labels"]["registry_id"], {})[metric["name"]] = metric["value"]
    return found


def test_every_registry_has_its_own_numbers(cloud: Cloud, environment: dict[str, Any]) -> None:
    stock(cloud)

    report = cloud.clean(**environment)

    assert (report["status"], report["warnings"]) == ("ok", [])
    written = values(cloud)
    assert {registry_id: set(numbers) for registry_id, numbers in written.items()} == {
        "crp1": NAMES,
        "crp2": NAMES,
    }
    seconds = {written[registry_id].pop("seconds") for registry_id in written}
    assert len(seconds) == 1
    assert 0 < seconds.pop() < 60
    freed = report["totals"]["reclaimed_bytes"]
    assert freed > 0
    nothing = dict.fromkeys(NAMES - {"seconds"}, 0)
    assert written == {
        "crp1": nothing
        | {"images": 3, "candidates": 2, "protected": 1, "deleted": 1, "bytes_reclaimed": freed},
        "crp2": nothing | {"images": 1},
    }
    one = cloud.emulator.metrics()[0]
    assert (one["folder_id"], one["type"], one["labels"]["app"]) == (FOLDER, "DGAUGE", "registry-janitor")
    assert one["ts"]


def test_a_dry_run_frees_nothing_and_a_push_does_not_tell_how_much_a_registry_holds(
    cloud: Cloud, environment: dict[str, Any]
) -> None:
    stock(cloud)

    cloud.dry_run(**environment)
    dry = values(cloud)["crp1"]
    stock(cloud)
    cloud.clean(push("crp1/app"), **environment)
    pushed = values(cloud)

    assert (dry["candidates"], dry["deleted"], dry["bytes_reclaimed"]) == (2, 0, 0)
    assert set(pushed) == {"crp1"}
    assert set(pushed["crp1"]) == NAMES - {"images", "candidates", "protected"}
    assert pushed["crp1"]["deleted"] == 1


def test_nothing_is_written_where_it_is_not_asked_or_nothing_was_looked_at(
    cloud: Cloud, environment: dict[str, Any]
) -> None:
    stock(cloud)

    cloud.clean()
    cloud.call("cleanup", push("crp1/app", event="DeleteImage"), **environment)

    assert cloud.emulator.metrics() == []


FAILURES: dict[str, tuple[dict[str, Any], str]] = {
    "an error": ({"status": 500, "code": 13}, "INTERNAL"),
    "too much asked": ({"status": 429, "code": 8}, "RESOURCE_EXHAUSTED"),
    "an error in a good answer": ({"body": json.dumps({"errorMessage": "quota is over"})}, "quota is over"),
    "a page of a proxy": ({"html": 502}, "502"),
}


@pytest.mark.parametrize(("fault", "why"), FAILURES.values(), ids=FAILURES)
def test_what_is_not_written_is_a_warning(
    cloud: Cloud, environment: dict[str, Any], fault: dict[str, Any], why: str
) -> None:
    stock(cloud)
    cloud.emulator.behaviour(faults=[{"match": MATCH, **fault}])

    told = cloud.call("cleanup", CLEANUP_MODE="apply", timeout=8, **environment).results[0]

    assert (told["status"], told["totals"]["deleted"]) == ("ok", 1)
    assert [row["code"] for row in told["warnings"]] == ["metrics"]
    assert why in told["warnings"][0]["message"]


def test_without_the_role_the_warning_names_it(cloud: Cloud, environment: dict[str, Any]) -> None:
    roles = [
        "container-registry.admin",
        "container-registry.images.puller",
        "container-registry.images.pusher",
        "cloud-registry.viewer",
    ]
    account, key = service_account("ajefew", FOLDER, roles)
    cloud.seed(
        {"name": "app", "policies": [policy()], "images": images("new", "old")}, service_accounts=[account]
    )
    cloud.environment |= {"SA_KEY": json.dumps(key), "GUARDS_IN_USE": "none"}

    told = cloud.clean(**environment)

    assert (told["status"], [row["code"] for row in told["warnings"]]) == ("ok", ["metrics"])
    assert "monitoring.editor" in told["warnings"][0]["message"]


def test_monitoring_that_never_answers_does_not_hold_the_report(
    cloud: Cloud, environment: dict[str, Any]
) -> None:
    stock(cloud)
    cloud.emulator.behaviour(faults=[{"match": MATCH, "hang": True}])

    began_at = time.monotonic()
    told = cloud.call("dry_run", timeout=5, **environment).results[0]

    assert time.monotonic() - began_at < 5
    assert (told["status"], [row["code"] for row in told["warnings"]]) == ("ok", ["metrics"])
