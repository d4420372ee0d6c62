"""A real registry (Debian's package `docker-registry`), and pushing real images to it over its HTTP API V2.

An image is a config and layers (gzipped tar archives of one file each), told of by a manifest in OCI's
format; an index tells of several images. A blob is pushed by `POST /v2/<name>/blobs/uploads/`, then `PUT
<Location>?digest=`, a manifest by `PUT /v2/<name>/manifests/<tag or digest>`.
"""

import contextlib
import gzip
import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

ARCHITECTURES = ("amd64", "arm64", "ppc64le", "s390x")
START_SECONDS = 10

CONFIGURATION = """\
version: 0.1
log: {{level: info}}
storage:
  filesystem: {{rootdirectory: {directory}}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:0"}}
"""


@dataclass(frozen=True)
class RunningRegistry:
    url: str


def is_installed() -> bool:
    return shutil.which("docker-registry") is not None


@contextlib.contextmanager
def docker_registry() -> Iterator[RunningRegistry]:
    """An empty registry in a process of its own, which ends with the block."""
    with tempfile.TemporaryDirectory() as directory:
        configuration = Path(directory) / "config.yml"
        configuration.write_text(CONFIGURATION.format(directory=f"{directory}/storage"))
        log_file = Path(directory) / "log"
        with log_file.open("w") as log:
            process = subprocess.Popen(["docker-registry", "serve", configuration], stdout=log, stderr=log)
            try:
                yield RunningRegistry(f"http://{_address(process, log_file)}")
            finally:
                process.terminate()
                process.wait()


def push_image(
    url: str, repository: str, tag: str | None, layers: Sequence[bytes], architecture: str = "amd64"
) -> str:
    """Push an image whose layers hold a file each with these contents; the digest of its manifest."""
    archives = [_archive(f"layer-{number}", contents) for number, contents in enumerate(layers)]
    config = {
        "os": "linux",
        "architecture": architecture,
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(archive) for archive in archives]},
        "history": [{"created_by": f"layer {number}"} for number in range(len(archives))],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": push_blob(url, repository, CONFIG, json.dumps(config).encode()),
        "layers": [
            push_blob(url, repository, LAYER, gzip.compress(archive, mtime=0)) for archive in archives
        ],
    }
    return push_manifest(url, repository, tag, manifest)


def push_index(url: str, repository: str, tag: str | None, digests: Sequence[str]) -> str:
    """Push an index over manifests that the repository holds, each said to be for another architecture."""
    manifests = [
        {
            **_descriptor(url, repository, digest),
            "platform": {"os": "linux", "architecture": ARCHITECTURES[place % len(ARCHITECTURES)]},
        }
        for place, digest in enumerate(digests)
    ]
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
    return push_manifest(url, repository, tag, index)


def push_manifest(url: str, repository: str, tag: str | None, manifest: dict[str, Any]) -> str:
    """Push a manifest under its digest, or under a tag; its digest."""
    text = json.dumps(manifest).encode()
    digest = digest_of(text)
    answer = requests.put(
        f"{url}/v2/{repository}/manifests/{tag or digest}",
        data=text,
        headers={"Content-Type": manifest["mediaType"]},
        timeout=30,
    )
    assert answer.status_code == 201, answer.text
    assert answer.headers["Docker-Content-Digest"] == digest
    return digest


def push_blob(url: str, repository: str, media_type: str, contents: bytes) -> dict[str, Any]:
    """Push a blob; its descriptor for a manifest."""
    digest = digest_of(contents)
    begun = requests.post(f"{url}/v2/{repository}/blobs/uploads/", timeout=30)
    assert begun.status_code == 202, begun.text
    ended = requests.put(
        begun.headers["Location"],
        params={"digest": digest},
        data=contents,
        headers={"Content-Type": "application/octet-stream"},
        timeout=30,
    )
    assert ended.status_code == 201, ended.text
    return {"mediaType": media_type, "digest": digest, "size": len(contents)}


def digest_of(contents: bytes) -> str:
    return "sha256:" + hashlib.sha256(contents).hexdigest()


def _descriptor(url: str, repository: str, digest: str) -> dict[str, Any]:
    answer = requests.get(
        f"{url}/v2/{repository}/manifests/{digest}", headers={"Accept": f"{MANIFEST}, {INDEX}"}, timeout=30
    )
    assert answer.status_code == 200, answer.text
    return {"mediaType": answer.headers["Content-Type"], "digest": digest, "size": len(answer.content)}


def _archive(name: str, contents: bytes) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as opened:
        entry = tarfile.TarInfo(name)
        entry.size = len(contents)
        opened.addfile(entry, io.BytesIO(contents))
    return archive.getvalue()


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """Where it listens, as it says in its log."""
    ends_at = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < ends_at:
        if found := re.search(r'"listening on (127\.0\.0\.1:\d+)"', log.read_text()):
            return found[1]
        time.sleep(0.02)
    raise RuntimeError(f"docker-registry did not start: {log.read_text()}")
