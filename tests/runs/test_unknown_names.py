"""An event that names what does not exist: the caller's mistake, which is told as such.

What the settings name is theirs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FOLDER, Cloud, assert_complains, images, policy
from tests.runs.test_webhook import problem
from tests.support.cloud import http
from tests.support.signing import SECRET, signed

WIDE = 'allow_overrides = ["registries", "folder_id", "lifecycle_policies.apply"]\n'
PLAN = "20261125T030000000000Z-" + "0" * 32

UNKNOWN: dict[str, tuple[dict[str, Any], str, bool]] = {
    "a registry of a folder": ({"registries": ["crpnone"]}, "crpnone", False),
    "a registry beside one that exists": ({"registries": ["crp1", "crpnone"]}, "crpnone", False),
    "a registry that may be named": ({"registries": ["crpnone"]}, "crpnone", True),
    "a policy": ({"lifecycle_policies": {"apply": ["polnone"]}}, "polnone", False),
    "a policy beside one that exists": ({"lifecycle_policies": {"apply": ["pol-old", "polnone"]}}, "polnone", False),
    "a policy whose name is a part of a word": ({"lifecycle_policies": {"apply": ["act"]}}, "act", False),
    "a policy that may be named": ({"lifecycle_policies.apply": ["polnone"]}, "polnone", True),
    "a folder that may be named": ({"folder_id": "b1gnone"}, "b1gnone", True),
}  # fmt: skip


@pytest.fixture
def seeded(cloud: Cloud) -> Cloud:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")}, folders=[FOLDER])
    return cloud


def settings(tmp_path: Path, *, wide: bool) -> dict[str, Any]:
    (tmp_path / "janitor.toml").write_text(WIDE if wide else "")
    state = tmp_path / "state"
    state.mkdir(exist_ok=True)
    return {
        "JANITOR_CONFIG": str(tmp_path / "janitor.toml"),
        "STATE_DIR": str(state),
        "WEBHOOK_SECRET": SECRET,
        "CLEANUP_MODE": "apply",
    }


@pytest.mark.parametrize(("overrides", "name", "wide"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_an_event_names_and_is_not_there_is_the_callers_mistake(
    seeded: Cloud, tmp_path: Path, overrides: dict[str, Any], name: str, wide: bool
) -> None:
    given = settings(tmp_path, wide=wide)
    body = json.dumps({"action": "cleanup", **overrides})

    (answer,) = seeded.call("webhook", signed(body), **given).results
    status, detail = problem(answer)
    assert status == 422
    assert name in detail
    told = json.loads(answer["body"])["report"]
    assert (told["status"], told["errors"][0]["where"], told["errors"][0]["code"]) == ("failed", "event", 3)
    for entry_point in ("cleanup", "dry_run"):
        (answer,) = seeded.call(entry_point, http(json.dumps(overrides)), **given).results
        assert answer["statusCode"] == 422
        assert name in json.loads(answer["body"])["errors"][0]["message"]
    assert seeded.left() == {"new", "old"}


def test_a_plan_that_is_not_there_is_not_found(seeded: Cloud, tmp_path: Path) -> None:
    body = json.dumps({"action": "apply", "plan_id": PLAN})

    (answer,) = seeded.call("webhook", signed(body), **settings(tmp_path, wide=True)).results

    assert problem(answer)[0] == 404


@pytest.mark.parametrize("wide", [False, True], ids=["narrowed", "allowed"])
@pytest.mark.parametrize("overrides", [{}, {"registries": ["crpnone"]}], ids=["not named", "named"])
def test_a_registry_that_the_settings_name_is_their_mistake(
    seeded: Cloud, tmp_path: Path, overrides: dict[str, Any], wide: bool
) -> None:
    given = {**settings(tmp_path, wide=wide), "REGISTRY_IDS": "crp1,crpnone"}
    body = json.dumps({"action": "cleanup", **overrides})

    (answer,) = seeded.call("webhook", signed(body), **given).results

    status, detail = problem(answer)
    assert status == 500
    assert "crpnone, named by registries (REGISTRY_IDS), does not exist" in detail


def test_a_folder_that_the_settings_name_and_that_is_not_there_is_their_mistake(seeded: Cloud) -> None:
    report = seeded.dry_run(FOLDER_ID="b1gnowhere", GUARDS_IN_USE="none")

    assert_complains(
        report, "failed", "The folder b1gnowhere, named by folder_id (FOLDER_ID), does not exist"
    )


def test_a_folder_without_registries_is_no_mistake(cloud: Cloud) -> None:
    cloud.emulator.seed({"folders": [FOLDER], "service_accounts": [cloud.account]})

    report = cloud.dry_run()

    assert (report["status"], report["errors"]) == ("ok", [])
    assert "no-registries" in {warning["code"] for warning in report["warnings"]}


def test_a_policy_that_the_settings_name_is_a_warning_still(seeded: Cloud, tmp_path: Path) -> None:
    given = {**settings(tmp_path, wide=False), "APPLY_POLICIES": "polnone,pol-old"}
    body = json.dumps({"action": "cleanup", "lifecycle_policies": {"apply": ["polnone"]}})

    (answer,) = seeded.call("webhook", signed(body), **given).results

    assert answer["statusCode"] == 200
    assert "unknown-policy" in answer["body"]
