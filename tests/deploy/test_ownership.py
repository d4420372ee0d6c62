"""What a deployment takes for its own: what carries its labels and one of its names.

All else stays as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.emulator.client import RunningEmulator
from tests.support.deployments import ELSEWHERE, FOLDER, SIMPLE, WHOLE, Folder

LABELS = {"app": "registry-janitor", "deployment": "registry-janitor"}
NOT_A_NAME = "left: carries the deployment's labels, but not a name of its"
FOREIGN = ("billing-report", "registry-janitor-cleanup-2", "registry-janitor-push-nightly", "registry-janito")


@pytest.fixture
def folder(running_emulator: RunningEmulator, tmp_path: Path) -> Folder:
    return Folder(running_emulator, tmp_path)


def made(folder: Folder, path: str, name: str, labels: dict[str, str], **more: Any) -> None:
    folder.post(path, {"folderId": FOLDER, "name": name, "labels": labels, **more})


def make_foreign(folder: Folder, name: str, labels: dict[str, str]) -> None:
    """Somebody else's account, secret, function and trigger, all of that name."""
    made(folder, "/iam/v1/serviceAccounts", name, labels)
    entries = [{"key": "password", "textValue": "precious"}]
    made(folder, "/lockbox/v1/secrets", name, labels, versionPayloadEntries=entries)
    made(folder, "/functions/v1/functions", name, labels)
    function_id = folder.named("functions")[name]["id"]
    timer = {"cronExpression": "0 5 ? * * *", "invokeFunction": {"functionId": function_id}}
    made(folder, "/triggers/v1/triggers", name, labels, rule={"timer": timer})
    folder.changes()


def give_roles(folder: Folder, name: str) -> None:
    """Roles of the foreign account on what the deployment looks at, and of everyone on the foreign
    function.
    """
    account = {"id": folder.named("service_accounts")[name]["id"], "type": "serviceAccount"}
    function_id = folder.named("functions")[name]["id"]
    for path, role, subject in (
        ("/container-registry/v1/registries/crp1", "container-registry.images.pusher", account),
        (f"/resource-manager/v1/folders/{ELSEWHERE}", "compute.viewer", account),
        (f"/functions/v1/functions/{function_id}", "functions.functionInvoker", account),
        (
            f"/functions/v1/functions/{function_id}",
            "functions.functionInvoker",
            {"id": "allUsers", "type": "system"},
        ),
    ):
        delta = {"action": "ADD", "accessBinding": {"roleId": role, "subject": subject}}
        folder.post(f"{path}:updateAccessBindings", {"accessBindingDeltas": [delta]})
    folder.changes()


def apply(folder: Folder, settings: str) -> None:
    folder.settings(settings)
    ended = folder.run("apply", "--yes")
    assert ended.status == 0, ended.out + ended.err


def test_apply_destroy_and_rollback_leave_what_only_carries_the_labels(folder: Folder) -> None:
    for name in FOREIGN:
        make_foreign(folder, name, LABELS)
        give_roles(folder, name)
    before = folder.snapshot()
    folder.settings(WHOLE)

    planned = folder.run("plan")
    for what in ("function", "trigger", "service account", "Lockbox secret"):
        for name in FOREIGN:
            assert f"= {what} {name}: {NOT_A_NAME}" in planned.out
    apply(folder, WHOLE)
    apply(folder, WHOLE + 'environment.A = "b"\n')
    for verb in (("apply", "--yes", "--rollback"), ("destroy", "--yes", "--delete-state")):
        ended = folder.run(*verb)
        assert ended.status == 0, ended.err
        assert f"= function {FOREIGN[0]}: {NOT_A_NAME}" in ended.out
        assert "- function billing" not in ended.out

    assert folder.snapshot() == before


OTHER_LABELS = {
    "the app alone": {"app": "registry-janitor"},
    "the deployment alone": {"deployment": "registry-janitor"},
    "another deployment": {"app": "registry-janitor", "deployment": "registry-janitor-2"},
    "a part of the name": {"app": "registry-janitor", "deployment": "registry"},
    "another app": {"app": "registry", "deployment": "registry-janitor"},
    "none": {},
}


@pytest.mark.parametrize("labels", OTHER_LABELS.values(), ids=OTHER_LABELS)
def test_a_name_of_the_deployment_without_its_labels_is_refused_and_left(
    folder: Folder, labels: dict[str, str]
) -> None:
    made(folder, "/iam/v1/serviceAccounts", "registry-janitor-trigger", labels)
    before = folder.snapshot()
    folder.settings(WHOLE)
    folder.changes()

    refused = folder.run("apply", "--yes")

    assert refused.status == 3
    assert "service account registry-janitor-trigger" in refused.err
    assert folder.changes() == []
    assert folder.run("destroy", "--yes").status == 0
    assert folder.snapshot() == before


@pytest.mark.parametrize(
    "tags", [{"App": "registry-janitor"}, {"app": "Registry-Janitor"}, {"APP": "REGISTRY-JANITOR"}]
)
def test_a_bucket_whose_labels_have_another_case_is_used_and_stays(
    folder: Folder, tags: dict[str, str]
) -> None:
    pairs = [
        {"key": key, "value": value} for key, value in {**tags, "deployment": "registry-janitor"}.items()
    ]
    folder.post("/storage/v1/buckets", {"folderId": FOLDER, "name": "theirs", "tags": pairs})
    before = folder.snapshot()
    apply(folder, SIMPLE + '[deploy]\nstate_bucket = "theirs"\n')

    ended = folder.run("destroy", "--yes", "--delete-state")

    assert "= bucket theirs: it was there before" in ended.out
    assert folder.snapshot() == before


def test_deployments_whose_names_begin_alike_leave_each_other_alone(folder: Folder) -> None:
    table = "[deploy]\nwebhook = true\nregistry_trigger = true\n"
    apply(folder, SIMPLE + table + 'name = "janitor-push"\n')
    longer = folder.snapshot()
    apply(folder, SIMPLE + table + 'name = "janitor"\n')
    both = folder.snapshot()

    assert folder.run("destroy", "--yes").status == 0
    assert folder.snapshot() == longer
    apply(folder, SIMPLE + table + 'name = "janitor"\n')
    assert folder.snapshot() == both


def test_a_trigger_for_pushes_to_a_registry_that_is_not_wanted_any_more_is_ours(folder: Folder) -> None:
    apply(folder, WHOLE)
    folder.settings(WHOLE.replace("registry_trigger = true", ""))

    ended = folder.run("apply", "--yes")

    assert "- trigger registry-janitor-push-crp1" in ended.out
    assert folder.named("triggers").keys() == {"registry-janitor-timer"}
