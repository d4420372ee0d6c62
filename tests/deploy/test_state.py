"""Where a deployed function keeps its state: in the bucket itself. Nothing is mounted."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
import requests

from shared.deploy import package
from tests.emulator.client import PROJECT_ROOT, RunningEmulator
from tests.support.deployments import SIMPLE, TOKEN, Folder, applied

STATE = SIMPLE + '[deploy]\nstate_bucket = "janitor-state"\n'
FUNCTION = "registry-janitor-cleanup"


@pytest.fixture
def folder(running_emulator: RunningEmulator, tmp_path: Path) -> Folder:
    folder = Folder(running_emulator, tmp_path)
    folder.environment["YC_STORAGE_ENDPOINT"] = f"{running_emulator.url}/s3"
    return folder


def leave_a_run(folder: Folder, run_id: str) -> None:
    """Lets the function run, and keeps its report under another run's id, as an earlier version did."""
    (call,) = folder.cloud.wind()
    runs, headers = f"{folder.cloud.url}/s3/janitor-state/runs", {"Authorization": f"Bearer {TOKEN}"}
    name = f"{call['result']['run_id']}/report.json"
    report = requests.get(f"{runs}/{name}", headers=headers, timeout=10).text
    report = report.replace(call["result"]["run_id"], run_id)
    answer = requests.put(f"{runs}/{run_id}/report.json", data=report, headers=headers, timeout=10)
    assert answer.status_code == 200, answer.text


def mount(folder: Folder) -> None:
    """Makes the live version what it was when the bucket was mounted into it."""
    version = folder.versions()[-1]
    kept = ("functionId", "runtime", "entrypoint", "resources", "executionTimeout", "serviceAccountId")
    storage = {"bucketId": "janitor-state"}
    body = {
        **{key: version[key] for key in kept},
        "description": "registry-janitor sha256:" + "0" * 64,
        "environment": {"JANITOR_CONFIG": "janitor.toml", "LOG_LEVEL": "INFO"},
        "mounts": [{"name": "state", "mode": "READ_WRITE", "objectStorage": storage}],
        "tag": ["live"],
        "content": base64.b64encode(package.archive()).decode(),
    }
    folder.post("/functions/v1/versions", body)
    folder.changes()


def test_a_mount_of_before_goes_and_its_files_stay_and_are_used(folder: Folder) -> None:
    applied(folder, STATE)
    run_id = "20261120T030000000000Z-0123456789abcdef"
    leave_a_run(folder, run_id)
    assert folder.run("destroy", "--yes").status == 0
    applied(folder, STATE + "memory_mb = 512\n")
    mount(folder)
    before = folder.cloud.resources()["objects"]["janitor-state"]

    told = applied(folder, STATE)

    assert re.search(r"mounts: name=state.* -> none", told)
    (live,) = [version for version in folder.versions() if "live" in version.get("tags", ())]
    assert not live.get("mounts")
    assert not live.get("storageMounts")
    assert live["environment"]["STATE_BUCKET"] == "janitor-state"
    assert folder.roles()["janitor-state"] == {"storage.editor registry-janitor"}
    assert folder.cloud.resources()["objects"]["janitor-state"] == before
    folder.changes()
    applied(folder, STATE)
    assert folder.changes() == []
    (call,) = folder.cloud.wind()
    assert call["status"] == "ok", call
    runs = folder.run("status").out
    assert f"{run_id}: dry-run, ok: 2 images" in runs
    assert f"{call['result']['run_id']}: dry-run, ok" in runs


def test_a_bucket_that_an_old_version_mounts_loses_the_role_with_the_state(folder: Folder) -> None:
    applied(folder, STATE)
    mount(folder)

    applied(folder, SIMPLE)

    assert not folder.roles().get("janitor-state")
    assert "janitor-state" in folder.named("buckets")


def test_the_state_may_have_a_prefix(folder: Folder) -> None:
    applied(folder, STATE.replace("janitor-state", "somebodys/janitor"))
    (call,) = folder.cloud.wind()
    assert call["status"] == "ok", call

    objects = set(folder.cloud.resources()["objects"]["somebodys"]) - {"precious"}

    assert objects
    assert all(name.startswith("janitor/") for name in objects), objects
    assert call["result"]["run_id"] in folder.run("status").out
    assert folder.run("destroy", "--yes", "--delete-state").status == 0
    assert set(folder.cloud.resources()["objects"]["somebodys"]) >= {"precious", *objects}


def test_nothing_of_the_product_mounts_anything() -> None:
    wanted = (PROJECT_ROOT / "shared/deploy/wanted.py").read_text()
    assert "mount" not in wanted.lower()
    sources = [*PROJECT_ROOT.glob("shared/**/*.py"), *PROJECT_ROOT.glob("functions/*.py")]
    assert not [source for source in sources if re.search(r"READ_WRITE|storageMounts", source.read_text())]
