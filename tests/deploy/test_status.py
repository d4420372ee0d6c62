"""``./deploy.sh status``: what is deployed, its runs, and its roles, tried where that harms nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulator.client import RunningEmulator
from tests.support.deployments import FOLDER, SIMPLE, WHOLE, Folder

ACT_AS = "POST /iam/v1/tokens:createForServiceAccount"


@pytest.fixture
def folder(running_emulator: RunningEmulator, tmp_path: Path) -> Folder:
    return Folder(running_emulator, tmp_path)


def applied(folder: Folder, settings: str) -> None:
    folder.settings(settings)
    ended = folder.run("apply", "--yes")
    assert ended.status == 0, ended.err
    folder.changes()


def unbind(folder: Folder, target: str, role: str) -> None:
    """Takes the role from the functions' account, as somebody in the console might."""
    account_id = folder.named("service_accounts")["registry-janitor"]["id"]
    binding = {"roleId": role, "subject": {"id": account_id, "type": "serviceAccount"}}
    deltas = [{"action": "REMOVE", "accessBinding": binding}]
    path = f"/container-registry/v1/registries/{target}:updateAccessBindings"
    folder.post(path, {"accessBindingDeltas": deltas})


def line(text: str, *words: str) -> str:
    """The one line that has all these words."""
    (found,) = [one for one in text.splitlines() if all(word in one for word in words)]
    return found


def test_what_is_not_there_is_said(folder: Folder) -> None:
    folder.settings(SIMPLE)
    folder.cloud.behaviour(faults=[{"match": "POST /functions/v1/functions", "status": 403}])
    assert folder.run("apply", "--yes").status == 1
    folder.changes()

    ended = folder.run("status")

    assert ended.status == 1
    assert "function registry-janitor-cleanup: not deployed" in ended.out
    assert "trigger registry-janitor-timer: not deployed" in ended.out
    assert "REFUSED" in line(ended.out, "container-registry.viewer", FOLDER)
    assert not [call for call in folder.changes() if call != ACT_AS]


def test_what_is_as_it_should_be_is_said_and_every_role_that_can_be_tried_was(folder: Folder) -> None:
    applied(folder, WHOLE)

    ended = folder.run("status")

    assert ended.status == 0, ended.out
    assert f"version {folder.versions()[0]['id']}, made at" in ended.out
    assert "It is what these files and settings want." in ended.out
    assert 'trigger registry-janitor-timer: active, "0 3 ? * * *" in UTC' in ended.out
    assert "10:00 +07" in line(ended.out, "next runs:")
    assert "works" in line(ended.out, "container-registry.editor", "crp1")
    assert "works" in line(ended.out, "container-registry.images.puller", "crp1")
    assert "works" in line(ended.out, "lockbox.payloadViewer", "e6qslack")
    assert "bound" in line(ended.out, "container-registry.images.pusher", "crp1"), (
        "deleting is not for trying"
    )
    assert "bound" in line(ended.out, "container-registry.editor", "crp2"), "it has no policy to run dry"
    changes = {call for call in folder.changes() if not call.startswith("HEAD ")}
    assert changes == {ACT_AS, "POST /container-registry/v1/dryRunLifecyclePolicy/pol-old"}
    assert folder.cloud.image_ids() == {"new", "old"}


@pytest.mark.parametrize("may_act", [True, False])
def test_a_role_that_is_missing_is_named(folder: Folder, may_act: bool) -> None:
    applied(folder, SIMPLE)
    unbind(folder, "crp1", "container-registry.editor")
    if not may_act:
        folder.cloud.behaviour(faults=[{"match": ACT_AS, "status": 403}])

    ended = folder.run("status")

    assert ended.status == 1
    missing = line(ended.out, "container-registry.editor", "crp1")
    assert ("REFUSED" if may_act else "MISSING") in missing
    assert "+ roles on registry crp1" in ended.out
    assert ("iam.serviceAccounts.tokenCreator" in ended.out) is not may_act
    folder.cloud.behaviour()
    assert folder.run("apply", "--yes").status == 0
    assert folder.run("status").status == 0


def test_what_differs_is_told(folder: Folder) -> None:
    applied(folder, SIMPLE)
    folder.settings(SIMPLE + 'mode = "apply"\n')

    ended = folder.run("status")

    assert ended.status == 1
    assert "+ version of registry-janitor-cleanup" in ended.out
    assert len(folder.versions()) == 1


def test_the_last_runs_are_read_from_the_state(folder: Folder) -> None:
    applied(folder, WHOLE)
    storage = {"YC_STORAGE_ENDPOINT": f"{folder.cloud.url}/s3"}
    assert "none in the last 35 days" in line(folder.run("status", **storage).out, "last runs:")
    (call,) = folder.cloud.wind()

    told = folder.run("status", **storage).out

    assert "apply, ok: 2 images, 1 candidate, 1 deleted" in line(told, call["result"]["run_id"])


PLANNED = WHOLE.replace('mode = "apply"', 'mode = "plan"')


def test_an_open_plan_is_told_with_the_way_to_its_page(folder: Folder) -> None:
    applied(folder, PLANNED)
    storage = {"YC_STORAGE_ENDPOINT": f"{folder.cloud.url}/s3"}
    assert line(folder.run("status", **storage).out, "open plans:") == "open plans: none"
    (call,) = folder.cloud.wind()

    told = folder.run("status", **storage).out

    plan_id = call["result"]["plan_id"]
    assert "Would delete 1 of 2 images in registry" in line(told, f"{plan_id}, until ")
    way = line(told, "their pages are at https://")
    assert way.endswith((" registry-janitor plans", " python -m functions plans"))
    assert 'WEBHOOK_SECRET="$(yc lockbox payload get --folder-id b1gfolder --name ' in way
    assert "token=" not in told


def test_an_open_plan_without_a_webhook_is_carried_out_by_hand(folder: Folder) -> None:
    applied(folder, PLANNED.replace("webhook = true", ""))
    (call,) = folder.cloud.wind()

    told = folder.run("status", YC_STORAGE_ENDPOINT=f"{folder.cloud.url}/s3").out

    assert call["result"]["plan_id"] in told
    assert "STATE_BUCKET=janitor-state" in line(told, "no webhook shows them", "apply PLAN_ID")


def test_runs_that_cannot_be_read_are_no_reason_to_fail(folder: Folder) -> None:
    applied(folder, WHOLE)
    assert "YC_STORAGE_ENDPOINT is not" in line(folder.run("status").out, "last runs:")
    folder.cloud.behaviour(faults=[{"match": "GET /s3/*", "status": 403}])

    ended = folder.run("status", YC_STORAGE_ENDPOINT=f"{folder.cloud.url}/s3")

    assert ended.status == 0
    assert "storage.editor" in line(ended.out, "last runs:")
    assert "storage.editor" in line(ended.out, "open plans:")
    applied(folder, SIMPLE)
    assert "yc serverless function logs" in line(folder.run("status").out, "last runs:")
