"""The emulator from a test's side: start it, fill it, watch it.

with emulator(seed) as cloud:
    cloud.behaviour(latency_ms=20, faults=[{"match": "DELETE /*", "status": 503, "code": 14}])
    ...
    assert cloud.image_ids() == {"img1"}

`service_account()` makes the account and the key with which a client under test signs in.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from tests.emulator.keys import authorized_key, key_pair

PROJECT_ROOT = Path(__file__).resolve().parents[2]


class RunningEmulator:
    """A started emulator.

    `url` stands for every host of the cloud's API, `grpc` is its address with `--grpc`; with `--tls`,
    `tls_url` and `tls_grpc` are the same over TLS, for who trusts `authority` (PEM).
    """

    def __init__(
        self, url: str, grpc: str = "", tls_url: str = "", tls_grpc: str = "", authority: str = ""
    ) -> None:
        self.url, self.grpc = url, grpc
        self.tls_url, self.tls_grpc, self.authority = tls_url, tls_grpc, authority
        self._session = requests.Session()
        self._session.trust_env = False

    def seed(self, document: dict[str, Any]) -> None:
        self._control("POST", "/_seed", document)

    def behaviour(self, **settings: Any) -> None:
        """Replace the behaviour; without settings, back to normal."""
        self._control("POST", "/_behaviour", settings)

    def change(self, **change: Any) -> None:
        """One change now, as in `change(add_tag={"image_id": .., "tag": ..})`."""
        self._control("POST", "/_change", change)

    def state(self) -> dict[str, Any]:
        return dict(self._control("GET", "/_state"))

    def image_ids(self, repository: str | None = None) -> set[str]:
        """The images left, of all repositories or of those with that (short) name."""
        registries = self._control("GET", "/_state?images=ids")["registries"].values()
        return {
            image_id
            for registry in registries
            for name, contents in registry["repositories"].items()
            if repository in (None, name)
            for image_id in contents["images"]
        }

    def artifact_ids(self, repository: str | None = None) -> set[str]:
        """The artifacts left in Cloud Registry, of all repositories or of those with that (short) name."""
        return self._in_cloud_registry("artifacts", repository)

    def cloud_image_ids(self, repository: str | None = None) -> set[str]:
        """The images left in Cloud Registry: those whose manifest is there still."""
        return self._in_cloud_registry("images", repository)

    def _in_cloud_registry(self, kind: str, repository: str | None) -> set[str]:
        registries = self._control("GET", "/_state?images=ids")["cloud_registries"].values()
        return {
            identifier
            for registry in registries
            for name, contents in registry["repositories"].items()
            if repository in (None, name)
            for identifier in contents[kind]
        }

    def metrics(self) -> list[dict[str, Any]]:
        """What was written to Monitoring, each with its folder, time and labels."""
        return list(self._control("GET", "/_metrics"))

    def calls(self) -> list[dict[str, Any]]:
        return list(self._control("GET", "/_calls"))

    def history(self) -> list[dict[str, Any]]:
        """What happened since the seed, in order: calls, answers, changes, images that went."""
        return list(self._control("GET", "/_history"))

    def kubernetes_calls(self, cluster_id: str) -> list[str]:
        """The paths, with their queries, that were asked of the cluster's Kubernetes API."""
        prefix = f"k8s:{cluster_id}"
        return [
            f"{call['path'].removeprefix(prefix)}?{call['query']}".rstrip("?")
            for call in self.calls()
            if call["path"].startswith(prefix + "/")
        ]

    def call_counts(self) -> dict[str, int]:
        return dict(self._control("GET", "/_calls?count=route")["counts"])

    def call_bytes(self) -> dict[str, int]:
        """The bytes of all calls' bodies, there and back, by route."""
        return dict(self._control("GET", "/_calls?count=route")["bytes"])

    def peak_in_flight(self) -> int:
        return int(self._control("GET", "/_calls?count=route")["peak_in_flight"])

    def clear_calls(self) -> None:
        self._control("DELETE", "/_calls")

    def changing_calls(self) -> list[str]:
        """The calls that were to change something, `POST /iam/v1/serviceAccounts`; the exchange of keys
        isn't.
        """
        return [
            f"{call['method']} {call['path']}"
            for call in self.calls()
            if call["method"] != "GET" and call["path"] != "/iam/v1/tokens" and call["route"]
        ]

    def resources(self) -> dict[str, Any]:
        """All that a client can make, by kind; what it holds of itself changes with every version."""
        return dict(self._control("GET", "/_resources"))

    def invocations(self) -> list[dict[str, Any]]:
        return list(self._control("GET", "/_invocations")["invocations"])

    def dead_letters(self) -> dict[str, list[Any]]:
        return dict(self._control("GET", "/_invocations")["dead_letters"])

    def wind(self, **to: str) -> list[dict[str, Any]]:
        """Winds the clock `to=".."` or `by="12h"`, or to the next time that a timer fires; the calls that it
        made.
        """
        return list(self._control("POST", "/_wind", to)["invocations"])

    def deliver(self) -> list[dict[str, Any]]:
        """Gives the registry's events so far to the triggers; the calls that it made."""
        return list(self._control("POST", "/_deliver")["invocations"])

    def close(self) -> None:
        self._session.close()

    def _control(self, method: str, path: str, document: Any = None) -> Any:
        body = None if document is None else json.dumps(document)
        answer = self._session.request(method, self.url + path, data=body, timeout=700)
        if answer.status_code != 200:
            raise ValueError(answer.json()["message"])
        return answer.json()


@contextlib.contextmanager
def emulator(seed: dict[str, Any] | None = None, *arguments: str) -> Iterator[RunningEmulator]:
    """An emulator in a process of its own, which ends with the block, or with this process."""
    command = [sys.executable, "-m", "tests.emulator", "--until-stdin-closes", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=PROJECT_ROOT, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError("the emulator did not start; its standard error says why")
            running = RunningEmulator(**json.loads(line))
            if seed is not None:
                running.seed(seed)
            yield running
            running.close()
        finally:
            process.terminate()


def service_account(
    account_id: str = "ajecleaner0000000000", folder_id: str = "b1gfolder", roles: list[str] | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """A seed's service account with a key, and the authorized key document for it."""
    pair = key_pair(account_id)
    key_id = f"{account_id}-key"
    part: dict[str, Any] = {
        "id": account_id,
        "name": "cleaner",
        "folder_id": folder_id,
        "keys": [{"id": key_id, "public_key": pair.public_key}],
    }
    if roles is not None:
        part["roles"] = roles
    return part, authorized_key(key_id, account_id, "2026-01-01T00:00:00Z", pair)
