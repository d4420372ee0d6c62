"""An emulated cloud with a registry to clean, and the clients that are measured on it, each run in a process
of its own (`bench_process.py`).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests

from tests.bench.quota import share_of_a_core
from tests.emulator.client import RunningEmulator, service_account
from tests.support.cloud import unpacked

PROCESS = Path(__file__).with_name("bench_process.py")
FOLDER, REGISTRY, BUCKET, TOKEN = "b1gfolder", "crp1", "janitor-state", "t1.bench"
LAYERS, SHARED_LAYERS = 6, 4
LATENCY_MS = 20
WITHOUT_GUARDS = '[guards]\nin_use = "none"\nindex_children = false\nreferrers = false\n'
CURL_SHARE = 20  # it deletes one of so many images, for a process each takes its time

Row = dict[str, Any]
Objects = dict[str, bytes]


@dataclass(frozen=True)
class Load:
    """A registry of ``images`` in so many repositories, each of which keeps its newest ``kept``, and how it
    is cleaned: ``core`` is the share of a core that the client has.
    """

    images: int
    concurrency: int = 16
    repositories: int = 1
    kept: int = 50
    core: float = 1
    tls: bool = False

    @property
    def deleted(self) -> int:
        return self.images - self.kept * self.repositories


class World:
    """``bundle`` is the unpacked archive."""

    def __init__(self, cloud: RunningEmulator, scratch: Path) -> None:
        self.cloud, self.bundle = cloud, str(unpacked(scratch))
        self._account, _ = service_account(folder_id=FOLDER)
        self._unguarded = scratch / "janitor.toml"
        self._unguarded.write_text(WITHOUT_GUARDS)
        self._authority = scratch / "authority.pem"
        self._authority.write_text(cloud.authority)
        self._memories: dict[tuple[int, int, int], Objects] = {}

    def unguarded(self, load: Load) -> Row:
        """Without guards and without a state."""
        return self._handler(load, {"JANITOR_CONFIG": str(self._unguarded)})

    def first_night(self, load: Load) -> Row:
        """With all guards and an empty state."""
        return self._handler(load, {"STATE_BUCKET": BUCKET})

    def second_night(self, load: Load) -> Row:
        """With all guards and a state that knows the manifests of all these images."""
        return self._handler(load, {"STATE_BUCKET": BUCKET}, self._memory(load))

    def grpc_script(self, load: Load) -> Row:
        address = self.cloud.tls_grpc if load.tls else self.cloud.grpc
        names = [f"{REGISTRY}/{name}" for name in _names(load)]
        self._seed(load, {})
        return self._cleaned(load, "grpc_script", address=address, repositories=names, keep=load.kept)

    def curl(self, load: Load) -> Row:
        """Over a share of the images."""
        return self._of_these(load, "curl", max(1, load.deleted // CURL_SHARE))

    def bare_loop(self, load: Load) -> Row:
        return self._of_these(load, "bare_loop", load.deleted)

    def _of_these(self, load: Load, what: str, count: int) -> Row:
        self._seed(load, {})
        image_ids = sorted(self.cloud.image_ids())[:count]
        load = replace(load, kept=load.images - count, repositories=1)
        url = self.cloud.tls_url if load.tls else self.cloud.url
        return self._cleaned(load, what, url=url, image_ids=image_ids)

    def _handler(self, load: Load, settings: dict[str, str], objects: Objects | None = None) -> Row:
        self._seed(load, objects or {})
        told = measured("clean_up", self._environment(load) | settings, core=load.core, bundle=self.bundle)
        report = told["result"]
        if (report["status"], report["totals"]["deleted"]) != ("ok", load.deleted):
            raise AssertionError(f"the clean-up went wrong: {report}")
        return self._row(load, told)

    def _environment(self, load: Load) -> dict[str, str]:
        url = self.cloud.tls_url if load.tls else self.cloud.url
        return {
            "YC_API_ENDPOINT": url,
            "YC_REGISTRY_ENDPOINT": url,
            "YC_CLOUD_REGISTRY_ENDPOINT": f"{url}/cloud-registry-v2",
            "YC_STORAGE_ENDPOINT": f"{url}/s3",
            "FOLDER_ID": FOLDER,
            "IAM_TOKEN": TOKEN,
            "CLEANUP_MODE": "apply",
            "MAX_DELETIONS": "1000000",
            "MAX_SHARE": "1",
            "CONCURRENCY": str(load.concurrency),
            **({"REQUESTS_CA_BUNDLE": str(self._authority)} if load.tls else {}),
        }

    def _memory(self, load: Load) -> Objects:
        """What a dry run of the same images remembers."""
        key = (load.images, load.repositories, load.kept)
        if key not in self._memories:
            self._seed(load, {}, latency_ms=0)
            settings = {"STATE_BUCKET": BUCKET, "CLEANUP_MODE": "dry-run"}
            measured("clean_up", self._environment(replace(load, tls=False)) | settings, bundle=self.bundle)
            self._memories[key] = _objects(self.cloud.url, "manifests/")
            if not self._memories[key]:
                raise AssertionError("the dry run remembers nothing")
        return self._memories[key]

    def _cleaned(self, load: Load, what: str, **options: Any) -> Row:
        """What a client that is not ours does with images that are seeded."""
        options |= {"token": TOKEN, "concurrency": load.concurrency}
        options["authority"] = str(self._authority) if load.tls else ""
        return self._row(load, measured(what, {}, core=load.core, **options))

    def _row(self, load: Load, told: Row) -> Row:
        left = len(self.cloud.image_ids())
        if left != load.images - load.deleted:
            raise AssertionError(f"{left} images are left, not {load.images - load.deleted}: {told}")
        counts, sizes = self.cloud.call_counts(), self.cloud.call_bytes()
        state = [route for route in counts if " /s3/" in route]
        return {
            "seconds": told["seconds"],
            "images_per_second": load.deleted / told["seconds"],
            "calls_per_image": sum(counts.values()) / load.deleted,
            "cpu_seconds": told["cpu_seconds"],
            "cpu_ms_per_image": 1000 * told["cpu_seconds"] / load.deleted,
            "peak_mb": told["peak_mb"],
            "start_seconds": told["start_seconds"],
            "manifest_calls": sum(count for route, count in counts.items() if "/manifests/" in route),
            "state_calls": sum(counts[route] for route in state),
            "state_kb": sum(sizes[route] for route in state) / 1024,
        }

    def _seed(self, load: Load, objects: Objects, latency_ms: int = LATENCY_MS) -> None:
        self.cloud.seed(
            {
                "service_accounts": [self._account],
                "tokens": [{"token": TOKEN, "service_account_id": self._account["id"]}],
                "buckets": [{"name": BUCKET, "folder_id": FOLDER}],
                "registries": [
                    {
                        "id": REGISTRY,
                        "folder_id": FOLDER,
                        "name": "main",
                        "repositories": [_repository(load, name) for name in _names(load)],
                    }
                ],
            }
        )
        for name, body in objects.items():
            _storage("PUT", f"{self.cloud.url}/s3/{BUCKET}/{name}", body)
        self.cloud.behaviour(latency_ms=latency_ms)
        self.cloud.clear_calls()


def _names(load: Load) -> list[str]:
    return [f"team-{number % 7}/app{number}" for number in range(load.repositories)]


def _repository(load: Load, name: str) -> Row:
    rule = {"tag_regexp": ".*", "retained_top": load.kept}
    policy = {"name": "old builds", "status": "ACTIVE", "rules": [rule]}
    series = {"tags": ["build-{n}"], "layers": LAYERS, "shared_layers": SHARED_LAYERS}
    images = [{"series": load.images // load.repositories, **series}]
    return {"name": name, "policies": [policy], "images": images}


def _objects(url: str, prefix: str) -> Objects:
    listed = _storage("GET", f"{url}/s3/{BUCKET}?list-type=2&prefix={prefix}").decode()
    names = [part.partition("</Key>")[0] for part in listed.split("<Key>")[1:]]
    return {name: _storage("GET", f"{url}/s3/{BUCKET}/{name}") for name in names}


def _storage(method: str, url: str, body: bytes | None = None) -> bytes:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(method, url, data=body, headers=headers, timeout=60)
    answer.raise_for_status()
    return answer.content


def measured(what: str, environment: dict[str, str], *, core: float = 1, **options: Any) -> dict[str, Any]:
    """What a fresh process tells of one piece of work, done on that share of a core."""
    with _started_with(core) as command:
        ended = subprocess.run(
            [*command, sys.executable, "-I", str(PROCESS)],
            input=json.dumps({"what": what, "with": options}),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if ended.returncode != 0:
        raise AssertionError(f"{what} ended with {ended.returncode}:\n{ended.stderr}")
    told: dict[str, Any] = json.loads(ended.stdout)
    return told


@contextmanager
def _started_with(core: float) -> Iterator[list[str]]:
    """The command that puts itself into a share of a core before it becomes what follows."""
    if core >= 1:
        yield []
        return
    with share_of_a_core(core) as entry:
        yield ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(entry)]
