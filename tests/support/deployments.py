"""A folder of an emulated cloud to deploy to, and somebody who does so with ``./deploy.sh``."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.conftest import images, policy
from tests.emulator.client import PROJECT_ROOT, RunningEmulator, service_account
from tests.support.measuring import measured

FOLDER, ELSEWHERE = "b1gfolder", "b1gelsewhere"
TOKEN = "t1.deployer-0123456789abcdef"
QUEUE = "yrn:yc:ymq:ru-central1:b1gfolder:dead"

SIMPLE = 'folder_id = "b1gfolder"\n'
WHOLE = f"""
folder_id = "{FOLDER}"
mode = "apply"
guards.folders = ["{ELSEWHERE}"]

[deploy]
state_bucket = "janitor-state"
webhook = true
registry_trigger = true
retries = 2
dead_letter_queue = "{QUEUE}"
secrets.SLACK_URL = "e6qslack/url"
"""


@dataclass(frozen=True)
class Ended:
    """What came of a command."""

    status: int
    out: str
    err: str


class Folder:
    """The folder ``b1gfolder`` with the registries ``crp1`` and ``crp2`` and things that are not ours; a
    working directory.
    """

    def __init__(self, running: RunningEmulator, directory: Path) -> None:
        self.cloud, self.directory = running, directory
        self.environment = {
            "YC_API_ENDPOINT": running.url,
            "YC_REGISTRY_ENDPOINT": running.url,
            "YC_CLOUD_REGISTRY_ENDPOINT": f"{running.url}/cloud-registry-v2",
            "IAM_TOKEN": TOKEN,
            "TZ": "Asia/Novosibirsk",
        }
        self.seed()

    def seed(self, **more: Any) -> None:
        owner, _ = service_account(folder_id=FOLDER)
        repositories = [{"name": "app", "policies": [policy()], "images": images("new", "old")}]
        self.cloud.behaviour()
        self.cloud.seed(
            {
                "folders": [FOLDER, ELSEWHERE],
                "service_accounts": [
                    owner,
                    {
                        "id": "ajeci",
                        "name": "ci",
                        "folder_id": FOLDER,
                        "roles": ["container-registry.images.pusher"],
                    },
                ],
                "tokens": [{"token": TOKEN, "service_account_id": owner["id"]}],
                "registries": [
                    {"id": "crp1", "folder_id": FOLDER, "name": "one", "repositories": repositories},
                    {"id": "crp2", "folder_id": FOLDER, "name": "two"},
                ],
                "secrets": [
                    {"id": "e6qslack", "name": "slack", "folder_id": FOLDER, "entries": {"url": "https://x"}}
                ],
                "buckets": [{"name": "somebodys", "folder_id": FOLDER, "objects": {"precious": "text"}}],
                **more,
            }
        )

    def settings(self, text: str) -> None:
        (self.directory / "janitor.toml").write_text(text)

    def run(self, *arguments: str, answer: str = "", **environment: str) -> Ended:
        """``./deploy.sh`` with these arguments, in the working directory."""
        command = shlex.join([f"{PROJECT_ROOT}/deploy.sh", *arguments])
        return self.shell(command, answer=answer, **environment)

    def shell(self, command: str, answer: str = "", **environment: str) -> Ended:
        usual = measured() | {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        given = {name: text for name, text in (usual | self.environment | environment).items() if text}
        ended = subprocess.run(
            ["bash", "-c", command],
            input=answer,
            capture_output=True,
            text=True,
            env=given,
            cwd=self.directory,
            timeout=120,
            check=False,
        )
        self.assert_no_secret(ended.stdout + ended.stderr)
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def post(self, path: str, body: dict[str, Any]) -> None:
        """A call of somebody else's."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = requests.post(self.cloud.url + path, json=body, headers=headers, timeout=10)
        assert answer.status_code == 200, answer.text

    def assert_no_secret(self, text: str) -> None:
        assert TOKEN not in text
        assert "whsec_" not in text
        assert "Traceback" not in text

    def changes(self) -> list[str]:
        """The changing calls since the last look."""
        calls = self.cloud.changing_calls()
        self.cloud.clear_calls()
        return calls

    def named(self, kind: str) -> dict[str, Any]:
        """What there is of a kind, by name."""
        return {one["name"]: one for one in self.cloud.resources()[kind].values()}

    def versions(self, function: str = "registry-janitor-cleanup") -> list[dict[str, Any]]:
        """A function's versions, oldest first."""
        function_id = self.named("functions")[function]["id"]
        versions = [
            one for one in self.cloud.resources()["versions"].values() if one["functionId"] == function_id
        ]
        return sorted(versions, key=lambda version: str(version["createdAt"]))

    def roles(self) -> dict[str, set[str]]:
        """Who holds which roles on what, by names: ``{"crp1": {"container-registry.editor
        registry-janitor"}}``.
        """
        resources = self.cloud.resources()
        names = {
            one["id"]: one["name"]
            for kind in ("service_accounts", "functions", "secrets")
            for one in resources[kind].values()
        }
        return {
            names.get(target, target): {
                f"{role} {names.get(subject.partition(':')[2], subject)}" for role, subject in bound
            }
            for target, bound in resources["access_bindings"].items()
        }

    def snapshot(self) -> Any:
        """All that there is, with names for ids and without times and what is drawn by lot."""
        resources = self.cloud.resources()
        drawn = {one for one, payload in resources.pop("payloads").items() if "WEBHOOK_SECRET" in payload}
        text = json.dumps(resources, sort_keys=True)
        for kind in ("service_accounts", "functions", "triggers", "secrets"):
            for one in resources[kind].values():
                text = text.replace(one["id"], f"<{kind} {one['name']}>")
                if one["id"] in drawn:
                    text = text.replace(one["currentVersion"]["id"], "<drawn>")
        text = re.sub(r"registry-janitor sha256:[0-9a-f]{64}", "<fingerprint>", text)
        text = re.sub(r'"createdAt": "[^"]+"', '"createdAt": ""', text)
        plain = json.loads(text)
        plain["versions"] = sorted(
            json.dumps({**one, "id": ""}, sort_keys=True) for one in plain["versions"].values()
        )
        plain["access_bindings"] = {  # listed in the order of ids, which are drawn
            place: sorted(bindings) for place, bindings in plain["access_bindings"].items()
        }
        return plain


def applied(folder: Folder, settings: str) -> str:
    """What ``./deploy.sh apply`` says when it has applied the settings."""
    folder.settings(settings)
    ended = folder.run("apply", "--yes")
    assert ended.status == 0, ended.out + ended.err
    return ended.out
