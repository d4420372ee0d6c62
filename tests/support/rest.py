"""The emulated cloud's REST API as a client with a token sees it, for the tests of what a deployment makes
there.
"""

from __future__ import annotations

import base64
import io
import time
import zipfile
from typing import Any

import requests

from tests.emulator.client import RunningEmulator

ACCOUNTS = "/iam/v1/serviceAccounts"
FOLDERS = "/resource-manager/v1/folders"
REGISTRIES = "/container-registry/v1/registries"
FUNCTIONS = "/functions/v1/functions"
VERSIONS = "/functions/v1/versions"
TRIGGERS = "/triggers/v1/triggers"
BUCKETS = "/storage/v1/buckets"
SECRETS = "/lockbox/v1/secrets"

FOLDER = "b1gfolder"
TOKEN = "t1.test"


class Rest:
    """Calls with a token, ``t1.test`` unless told otherwise."""

    def __init__(self, running: RunningEmulator, token: str = TOKEN) -> None:
        self.running, self.token = running, token

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        given = {"Authorization": f"Bearer {self.token}"} | headers
        return requests.request(method, self.running.url + path, json=body, headers=given, timeout=60)

    def get(self, path: str) -> dict[str, Any]:
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def refusal(self, method: str, path: str, body: Any = None) -> tuple[int, int, str]:
        """The HTTP status, the gRPC code and the message of an error."""
        answer = self.call(method, path, body)
        assert answer.status_code != 200, answer.text
        return answer.status_code, answer.json()["code"], answer.json()["message"]

    def operation(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The operation that the call starts, when it is done."""
        answer = self.call(method, path, body)
        assert answer.status_code == 200, answer.text
        operation = dict(answer.json())
        while not operation.get("done"):
            time.sleep(0.01)
            operation = self.get(f"/operations/{operation['id']}")
        return operation

    def done(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The response of the call's operation."""
        operation = self.operation(method, path, body)
        assert "response" in operation, operation
        return dict(operation["response"])

    def made(self, path: str, **body: Any) -> str:
        """The id of what a POST there makes, in the folder of the tests."""
        return str(self.done("POST", path, {"folderId": FOLDER, **body})["id"])

    def bind(self, path: str, role: str, account_id: str, kind: str = "serviceAccount") -> None:
        binding = {"roleId": role, "subject": {"type": kind, "id": account_id}}
        method = "PATCH" if path.startswith(BUCKETS) else "POST"
        deltas = {"accessBindingDeltas": [{"action": "ADD", "accessBinding": binding}]}
        self.done(method, f"{path}:updateAccessBindings", deltas)

    def bindings(self, path: str) -> list[tuple[str, str]]:
        found = self.get(f"{path}:listAccessBindings").get("accessBindings", [])
        return [(binding["roleId"], binding["subject"]["id"]) for binding in found]


def archive(**files: str) -> str:
    """A zip of these files in Base64; a name's ``__`` stands for its point."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as opened:
        for name, text in files.items():
            opened.writestr(name.replace("__", "."), text)
    return base64.b64encode(content.getvalue()).decode()


def version(function_id: str, code: str = "def handler(event, context): return {}", **more: Any) -> Any:
    """The request for a version whose ``index.py`` is the code."""
    return {
        "functionId": function_id,
        "runtime": "python312",
        "entrypoint": "index.handler",
        "resources": {"memory": str(128 * 1024**2)},
        "executionTimeout": "10s",
        "content": archive(index__py=code),
        **more,
    }


def timer(function_id: str, cron: str = "0 3 ? * * *", payload: str = "", **action: Any) -> Any:
    """The rule of a timer that calls the function."""
    invoke = {"functionId": function_id, **action}
    return {"timer": {"cronExpression": cron, "payload": payload, "invokeFunctionWithRetry": invoke}}


def registry_rule(function_id: str, *events: str, registry_id: str = "crp1", **more: Any) -> Any:
    """The rule of a trigger for the registry's events, by default for new images."""
    kinds = [f"CONTAINER_REGISTRY_EVENT_TYPE_{event}" for event in events or ("CREATE_IMAGE",)]
    invoke = {"functionId": function_id, **more.pop("action", {})}
    rule = {"eventType": kinds, "registryId": registry_id, "invokeFunction": invoke, **more}
    return {"containerRegistry": rule}
