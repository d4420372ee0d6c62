"""``./deploy.sh plan|apply|destroy|status``: what it makes, what it leaves alone, and what it says."""

from __future__ import annotations

import base64
import json
import re
import shlex
from pathlib import Path

import pytest

from tests.emulator.client import PROJECT_ROOT, RunningEmulator, service_account
from tests.support.deployments import ELSEWHERE, FOLDER, QUEUE, SIMPLE, TOKEN, WHOLE, Folder
from tests.support.documentation import blocks_of

LABELS = {"app": "registry-janitor", "deployment": "registry-janitor"}


@pytest.fixture
def folder(running_emulator: RunningEmulator, tmp_path: Path) -> Folder:
    return Folder(running_emulator, tmp_path)


def applied(folder: Folder, settings: str) -> list[str]:
    """Applies the settings, and returns the changing calls."""
    folder.settings(settings)
    folder.changes()
    ended = folder.run("apply", "--yes")
    assert ended.status == 0, ended.out + ended.err
    return folder.changes()


def bind(folder: Folder, path: str, role: str) -> None:
    """Gives the account ``ci`` a role, as somebody in the console might."""
    binding = {"roleId": role, "subject": {"id": "ajeci", "type": "serviceAccount"}}
    folder.post(
        f"{path}:updateAccessBindings", {"accessBindingDeltas": [{"action": "ADD", "accessBinding": binding}]}
    )
    folder.cloud.clear_calls()


def script(folder: Folder, name: str, line: str) -> None:
    (folder.directory / name).write_text(f"#!/bin/sh\n{line}\n")
    (folder.directory / name).chmod(0o700)


def test_what_the_readme_says_works_as_it_stands(folder: Folder) -> None:
    settings, first = (block.text for block in blocks_of("README.md", heading="Put it into the cloud"))
    second = blocks_of("docs/deployment.md", "sh")[1].text
    script(folder, "deploy.sh", f'exec {shlex.quote(f"{PROJECT_ROOT}/deploy.sh")} "$@"')
    script(folder, "yc", f'[ "$*" = "iam create-token" ] && echo {TOKEN}')
    path = {"IAM_TOKEN": "", "PATH": f"{folder.directory}:/usr/bin:/bin"}
    before = folder.snapshot()
    folder.settings(settings.replace("b1g...", FOLDER))

    for command in first.splitlines():
        ended = folder.shell(command, answer="yes\n", **path)
        assert ended.status == 0, ended.out + ended.err
    assert folder.named("triggers").keys() == {"registry-janitor-timer"}
    folder.settings('mode = "apply"\n' + settings.replace("b1g...", FOLDER))
    assert folder.shell("./deploy.sh apply --yes", **path).status == 0
    assert set(folder.versions()[1]["tags"]) == {"$latest", "live"}
    for command in second.splitlines():
        ended = folder.shell(command, answer="yes\n", **path)
        assert ended.status == 0, ended.out + ended.err
    assert folder.snapshot() == before


def test_a_plan_changes_nothing_and_tells_all_that_apply_then_does(folder: Folder) -> None:
    folder.settings(WHOLE)

    planned = folder.run("plan")

    assert planned.status == 0, planned.err
    assert folder.changes() == []
    for line in (
        "+ service account registry-janitor",
        "+ bucket janitor-state",
        "+ container-registry.editor for registry-janitor (to run policies dry",
        "+ functions.functionInvoker for everyone",
        "+ version of registry-janitor-cleanup: the first",
        "timer.cronExpression: 0 3 ? * * *",
        "20 to create, 0 to change, 0 to delete, 0 to leave.",
    ):
        assert line in planned.out
    applied = folder.run("apply", answer="yes\n")
    assert applied.status == 0, applied.err
    assert planned.out.strip() in applied.out
    assert "Next runs: " in applied.out
    assert re.search(r"10:00 (\+07|NOVT)", applied.out), "03:00 UTC is not told in local time"


@pytest.mark.parametrize("answer", ["", "no\n", "\n"])
def test_without_a_yes_nothing_is_changed(folder: Folder, answer: str) -> None:
    folder.settings(SIMPLE)

    ended = folder.run("apply", answer=answer)

    assert ended.status == 3
    assert "Nothing was changed" in ended.err
    assert folder.changes() == []


def test_apply_makes_the_function_the_timer_and_the_accounts(folder: Folder) -> None:
    applied(folder, SIMPLE)

    assert folder.named("functions").keys() == {"registry-janitor-cleanup"}
    assert folder.named("service_accounts").keys() == {
        "cleaner",
        "ci",
        "registry-janitor",
        "registry-janitor-trigger",
    }
    (version,) = folder.versions()
    assert version["runtime"] == "python312"
    assert version["entrypoint"] == "cleanup.handler"
    assert version["resources"] == {"memory": str(256 * 2**20)}
    assert version["executionTimeout"] == "600s"
    record = json.loads(version["environment"].pop("DEPLOYED_SETTINGS"))
    assert record.pop("sources")
    assert record == {"folder_id": FOLDER, "mode": "dry-run"}
    assert version["environment"] == {"JANITOR_CONFIG": "janitor.toml", "LOG_LEVEL": "INFO"}
    assert version["logOptions"] == {"folderId": FOLDER, "minLevel": "INFO"}
    assert set(version["tags"]) == {"$latest", "live"}
    assert version["serviceAccountId"] == folder.named("service_accounts")["registry-janitor"]["id"]
    trigger = folder.named("triggers")["registry-janitor-timer"]
    assert trigger["rule"]["timer"] == {
        "cronExpression": "0 3 ? * * *",
        "invokeFunctionWithRetry": {
            "functionId": version["functionId"],
            "functionTag": "live",
            "serviceAccountId": folder.named("service_accounts")["registry-janitor-trigger"]["id"],
            "retrySettings": {"retryAttempts": "1", "interval": "60s"},
        },
    }
    for kind in ("functions", "triggers"):
        assert all(one["labels"] == LABELS for one in folder.named(kind).values())


def test_the_roles_are_the_least_that_the_settings_need(folder: Folder) -> None:
    applied(folder, SIMPLE)

    roles = folder.roles()
    assert {role for role in roles["crp1"] if "janitor" in role} == {
        "container-registry.editor registry-janitor",
        "container-registry.images.puller registry-janitor",
    }
    assert {role for role in roles[FOLDER] if "janitor" in role} == {
        "container-registry.viewer registry-janitor",
        "cloud-registry.viewer registry-janitor",
        "serverless-containers.viewer registry-janitor",
        "compute.viewer registry-janitor",
        "k8s.viewer registry-janitor",
        "k8s.cluster-api.viewer registry-janitor",
    }
    assert roles["registry-janitor-cleanup"] == {"functions.functionInvoker registry-janitor-trigger"}

    applied(
        folder,
        'registries = ["crp1"]\nguards = {in_use = "none", index_children = false, referrers = false}\n'
        'services = ["container-registry"]\n'
        f'mode = "apply"\n[deploy]\nfolder_id = "{FOLDER}"\n',
    )

    roles = folder.roles()
    assert {role for role in roles["crp1"] if "janitor" in role} == {
        "container-registry.editor registry-janitor",
        "container-registry.images.pusher registry-janitor",
    }
    assert not [role for target in (FOLDER, "crp2") for role in roles.get(target, ()) if "janitor" in role]


def test_apply_makes_all_that_may_be_wanted(folder: Folder) -> None:
    applied(folder, WHOLE)

    assert folder.named("functions").keys() == {"registry-janitor-cleanup", "registry-janitor-webhook"}
    webhook = folder.named("functions")["registry-janitor-webhook"]
    secret = folder.named("secrets")["registry-janitor-webhook-secret"]
    payload = folder.cloud.resources()["payloads"][secret["id"]]
    assert len(base64.b64decode(payload["WEBHOOK_SECRET"].removeprefix("whsec_"), validate=True)) == 32
    for version in (*folder.versions(), *folder.versions("registry-janitor-webhook")):
        assert not [key for key in version if "mount" in key.lower()]
        assert version["environment"]["STATE_BUCKET"] == "janitor-state"
        assert version["environment"]["WEBHOOK_URL"] == webhook["httpInvokeUrl"] + "?tag=live"
        assert {one["environmentVariable"]: (one["id"], one["key"]) for one in version["secrets"]} == {
            "SLACK_URL": ("e6qslack", "url"),
            "WEBHOOK_SECRET": (secret["id"], "WEBHOOK_SECRET"),
        }
    assert folder.named("buckets")["janitor-state"]["tags"] == [
        {"key": name, "value": text} for name, text in LABELS.items()
    ]
    push = folder.named("triggers")["registry-janitor-push-crp1"]["rule"]["containerRegistry"]
    assert (push["registryId"], push["eventType"]) == ("crp1", ["CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE"])
    assert push["invokeFunction"]["deadLetterQueue"]["queueId"] == QUEUE
    roles = folder.roles()
    assert "storage.editor registry-janitor" in roles["janitor-state"]
    assert roles["slack"] == {"lockbox.payloadViewer registry-janitor"}
    assert roles["registry-janitor-webhook"] == {"functions.functionInvoker system:allUsers"}
    assert "compute.viewer registry-janitor" in roles[ELSEWHERE]
    assert "ymq.writer registry-janitor-trigger" in roles[FOLDER]


def test_what_is_deployed_runs_with_the_settings_and_keeps_its_state(folder: Folder) -> None:
    applied(folder, WHOLE)

    (call,) = folder.cloud.wind()

    assert call["status"] == "ok", call
    assert call["result"]["mode"] == "apply"
    assert call["result"]["status"] == "ok", call["result"]
    assert folder.cloud.image_ids() == {"new"}
    objects = folder.cloud.resources()["objects"]["janitor-state"]
    assert [name for name in objects if name.endswith("/report.json")]


@pytest.mark.parametrize("settings", [SIMPLE, WHOLE])
def test_a_second_apply_makes_no_changing_call(folder: Folder, settings: str) -> None:
    assert applied(folder, settings)
    before = folder.cloud.resources()

    assert applied(folder, settings) == []
    assert folder.cloud.resources() == before


def test_a_changed_setting_makes_one_new_version_and_nothing_else(folder: Folder) -> None:
    applied(folder, SIMPLE)

    changes = applied(folder, SIMPLE + "limits.max_share = 0.5\n")

    assert [call for call in changes if call.startswith("POST /functions/v1/versions")] == changes
    first, second = folder.versions()
    assert set(first["tags"]) == {"previous"}
    assert set(second["tags"]) == {"$latest", "live"}
    assert sum(call == "POST /functions/v1/versions" for call in changes) == 1


def test_a_changed_schedule_changes_the_trigger_alone(folder: Folder) -> None:
    applied(folder, SIMPLE)
    folder.settings(SIMPLE + '[deploy]\nschedule = "30 4 ? * MON *"\n')

    planned = folder.run("plan")
    assert "~ trigger registry-janitor-timer" in planned.out
    assert "timer.cronExpression: 0 3 ? * * * -> 30 4 ? * MON *" in planned.out
    trigger_id = folder.named("triggers")["registry-janitor-timer"]["id"]
    assert folder.run("apply", "--yes").status == 0

    assert folder.changes() == [f"PATCH /triggers/v1/triggers/{trigger_id}"]
    rule = folder.named("triggers")["registry-janitor-timer"]["rule"]["timer"]
    assert rule["cronExpression"] == "30 4 ? * MON *"
    assert rule["invokeFunctionWithRetry"]["retrySettings"]


def test_what_is_no_longer_wanted_goes(folder: Folder) -> None:
    applied(folder, WHOLE)
    applied(folder, SIMPLE)

    assert folder.named("functions").keys() == {"registry-janitor-cleanup"}
    assert folder.named("triggers").keys() == {"registry-janitor-timer"}
    assert folder.named("secrets").keys() == {"slack"}
    assert "janitor-state" in folder.named("buckets"), "the state is lost"
    ours = {
        role for bound in folder.roles().values() for role in bound if "janitor" in role or "allUsers" in role
    }
    assert not {
        role
        for role in ours
        if role.split()[0]
        in ("container-registry.images.pusher", "storage.editor", "lockbox.payloadViewer", "ymq.writer")
    }


def test_destroy_leaves_nothing_of_ours_and_everything_else(folder: Folder) -> None:
    before = folder.snapshot()
    applied(folder, WHOLE)

    ended = folder.run("destroy", "--yes")

    assert ended.status == 0, ended.err
    after = folder.snapshot()
    assert after["buckets"].pop("janitor-state")
    assert after["objects"].pop("janitor-state") == {}
    assert after == before
    assert "its state is kept" in ended.out
    folder.changes()
    assert folder.run("destroy", "--yes").status == 0
    assert folder.changes() == []


def test_destroy_asks_first_and_deletes_the_state_when_told_to(folder: Folder) -> None:
    before = folder.snapshot()
    applied(folder, WHOLE)

    assert folder.run("destroy", answer="no\n").status == 3
    assert folder.changes() == []
    assert folder.run("destroy", "--delete-state", answer="yes\n").status == 0
    assert folder.snapshot() == before


def test_a_state_that_was_written_goes_when_told_to(folder: Folder) -> None:
    applied(folder, WHOLE)
    folder.cloud.wind()
    assert folder.cloud.resources()["objects"]["janitor-state"]

    blind = folder.run("destroy", "--yes", "--delete-state")
    assert blind.status == 1
    assert "YC_STORAGE_ENDPOINT" in blind.err
    seeing = folder.run("destroy", "--yes", "--delete-state", YC_STORAGE_ENDPOINT=f"{folder.cloud.url}/s3")

    assert seeing.status == 0, seeing.err
    assert folder.named("buckets").keys() == {"somebodys"}
    assert folder.named("service_accounts").keys() == {"cleaner", "ci"}


def test_a_bucket_that_was_there_is_used_and_stays(folder: Folder) -> None:
    before = folder.snapshot()
    applied(folder, SIMPLE + '[deploy]\nstate_bucket = "somebodys"\n')
    assert "storage.editor registry-janitor" in folder.roles()["somebodys"]

    ended = folder.run("destroy", "--yes", "--delete-state")

    assert ended.status == 0, ended.err
    assert folder.snapshot() == before


def test_roles_that_others_hold_are_never_touched(folder: Folder) -> None:
    applied(folder, WHOLE)
    function_id = folder.named("functions")["registry-janitor-webhook"]["id"]
    secret_id = folder.named("secrets")["registry-janitor-webhook-secret"]["id"]
    bind(folder, f"/functions/v1/functions/{function_id}", "functions.functionInvoker")
    bind(folder, f"/lockbox/v1/secrets/{secret_id}", "lockbox.payloadViewer")
    bind(folder, "/container-registry/v1/registries/crp1", "container-registry.images.puller")

    assert applied(folder, WHOLE) == []
    applied(folder, WHOLE.replace('mode = "apply"', ""))

    roles = folder.roles()
    assert "functions.functionInvoker ci" in roles["registry-janitor-webhook"]
    assert "lockbox.payloadViewer ci" in roles["registry-janitor-webhook-secret"]
    assert "container-registry.images.puller ci" in roles["crp1"]
    assert "container-registry.images.pusher ci" in roles[FOLDER]


def test_a_thing_of_somebody_else_that_has_the_name_is_refused(folder: Folder) -> None:
    folder.seed(
        secrets=[
            {"id": "e6qslack", "name": "slack", "folder_id": FOLDER, "entries": {"url": "https://x"}},
            {
                "id": "e6qtaken",
                "name": "registry-janitor-webhook-secret",
                "folder_id": FOLDER,
                "entries": {"a": "b"},
            },
        ]
    )
    before = folder.snapshot()
    folder.settings(WHOLE)

    ended = folder.run("apply", "--yes")

    assert ended.status == 3
    assert "Lockbox secret registry-janitor-webhook-secret" in ended.err
    assert "another deploy.name" in ended.err
    assert folder.changes() == []
    folder.run("destroy", "--yes")
    assert folder.snapshot() == before


def test_a_key_of_a_service_account_signs_in_before_yc(folder: Folder) -> None:
    owner, key = service_account(folder_id=FOLDER)
    folder.seed(service_accounts=[owner])
    (folder.directory / "key.json").write_text(json.dumps(key))
    script(folder, "yc", "exit 1")
    folder.settings(SIMPLE)
    path = {"IAM_TOKEN": "", "PATH": f"{folder.directory}:/usr/bin:/bin"}

    assert folder.run("plan", SA_KEY_FILE="key.json", **path).status == 0


def test_a_yc_that_gives_no_token_is_told_with_what_it_says(folder: Folder) -> None:
    script(folder, "yc", 'echo "ERROR: profile has no token t1.aaaaaaaaaaaaaaaaaaaaaaaaa" >&2; exit 1')
    folder.settings(SIMPLE)

    ended = folder.run("apply", IAM_TOKEN="", PATH=f"{folder.directory}:/usr/bin:/bin")

    assert ended.status == 1
    assert "yc iam create-token gives no token (ERROR: profile has no token [secret])" in ended.err
    assert folder.changes() == []


def test_settings_may_come_from_the_environment_alone(folder: Folder) -> None:
    ended = folder.run("apply", "--yes", FOLDER_ID=FOLDER, MAX_DELETIONS="3")

    assert ended.status == 0, ended.err
    assert "(FOLDER_ID, MAX_DELETIONS from the environment)" in ended.out
    (call,) = folder.cloud.wind()
    assert call["result"]["status"] == "ok", call


def test_a_file_that_is_not_there_is_told(folder: Folder) -> None:
    ended = folder.run("plan", "--config", "nowhere.toml")

    assert ended.status == 2
    assert "nowhere.toml: it was looked for" in ended.err


def test_whoever_is_admin_of_the_folder_may_deploy_to_it(folder: Folder) -> None:
    admin = {"id": "ajeadmin", "name": "admin", "folder_id": FOLDER, "roles": ["admin"]}
    folder.seed(service_accounts=[admin], tokens=[{"token": TOKEN, "service_account_id": "ajeadmin"}])
    folder.settings(WHOLE.replace(f'guards.folders = ["{ELSEWHERE}"]', ""))

    assert folder.run("apply", "--yes").status == 0
    assert folder.run("status").status == 0
    assert folder.run("destroy", "--yes").status == 0


def test_two_deployments_live_side_by_side(folder: Folder) -> None:
    applied(folder, SIMPLE)
    one = folder.snapshot()
    applied(folder, SIMPLE + '[deploy]\nname = "second"\nschedule = "0 4 ? * * *"\n')
    assert folder.named("functions").keys() == {"registry-janitor-cleanup", "second-cleanup"}

    assert folder.run("destroy", "--yes").status == 0

    assert folder.snapshot() == one


def test_a_rollback_points_to_the_version_before_until_the_next_apply(folder: Folder) -> None:
    applied(folder, SIMPLE)
    assert folder.run("apply", "--yes", "--rollback").status == 3, "there is no version before the first"
    applied(folder, SIMPLE + "limits.max_share = 0.5\n[deploy]\nwebhook = true\n")
    triggers = folder.named("triggers")

    planned = folder.run("plan", "--rollback")
    assert "~ tag live of registry-janitor-cleanup: the version before" in planned.out
    assert folder.changes() == []
    assert folder.run("apply", "--yes", "--rollback").status == 0

    first, second = folder.versions()
    assert set(first["tags"]) == {"live", "previous"}
    assert set(second["tags"]) == {"$latest"}
    assert folder.named("triggers") == triggers
    (webhook,) = folder.versions("registry-janitor-webhook")
    assert "live" in webhook["tags"], "it has no version before, and stays"
    assert "rolled back" in folder.run("status").out
    folder.changes()
    assert folder.run("apply", "--yes").status == 0
    assert [call.rpartition(":")[2] for call in folder.changes()] == ["setTag"], (
        "a version was made once more"
    )
    assert "live" in folder.versions()[1]["tags"]
