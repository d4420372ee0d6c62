"""A real registry and a real client: after a clean-up every image that is kept can still be copied whole."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import Cloud, assert_adds_up, outcomes, policy
from tests.support.docker_registry import (
    INDEX,
    LAYER,
    MANIFEST,
    docker_registry,
    push_blob,
    push_image,
    push_index,
    push_manifest,
)

NAME = "team-a/app"
FULL_NAME = f"crp1/{NAME}"


@pytest.fixture(scope="module")
def real_registry() -> Iterator[str]:
    missing = [program for program in ("docker-registry", "skopeo") if shutil.which(program) is None]
    if missing:
        reason = f"{' and '.join(missing)} must be installed (Debian: apt-get install {' '.join(missing)})"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with docker_registry() as running:
        yield running.url


class Stock:
    """What is pushed to one repository of the real registry, and what a seed says of it."""

    def __init__(self, url: str, repository: str) -> None:
        self.url, self.repository = url, repository
        self.digests: dict[str, str] = {}
        self.tags: dict[str, str] = {}

    def image(self, name: str, tag: str = "", architecture: str = "amd64") -> None:
        contents = [b"base", f"{self.repository} {name}".encode()]
        self._put(name, tag, push_image(self.url, self.repository, tag or None, contents, architecture))

    def index(self, name: str, *held: str, tag: str = "") -> None:
        digests = [self.digests[one] for one in held]
        self._put(name, tag, push_index(self.url, self.repository, tag or None, digests))

    def signature(self, name: str, of: str) -> None:
        """As cosign signs: an image manifest whose layer is the signed claim, under a tag made of the
        digest.
        """
        claim = {"critical": {"image": {"docker-manifest-digest": self.digests[of]}}, "optional": None}
        layer = push_blob(
            self.url,
            self.repository,
            "application/vnd.dev.cosign.simplesigning.v1+json",
            json.dumps(claim).encode(),
        )
        layer["annotations"] = {"dev.cosignproject.cosign/signature": "c2lnbmF0dXJl"}
        tag = self.digests[of].replace(":", "-") + ".sig"
        self._put(name, tag, push_manifest(self.url, self.repository, tag, self._manifest(layer)))

    def referrer(self, name: str, of: str) -> None:
        """An OCI artifact with a subject, without a tag."""
        layer = push_blob(self.url, self.repository, LAYER, f"about {of}".encode())
        subject = {"mediaType": MANIFEST, "digest": self.digests[of], "size": 1000}
        manifest = {**self._manifest(layer), "artifactType": "application/spdx+json", "subject": subject}
        self._put(name, "", push_manifest(self.url, self.repository, None, manifest))

    def seed(self) -> list[dict[str, Any]]:
        return [
            {
                "id": f"{self.repository.rpartition('/')[2]}-{name}",
                "digest": digest,
                "age": "9d",
                **({"tags": [self.tags[name]]} if name in self.tags else {}),
            }
            for name, digest in self.digests.items()
        ]

    def there(self) -> set[str]:
        """The names of what the real registry still has."""
        accepted = {"Accept": f"{MANIFEST}, {INDEX}"}
        root = f"{self.url}/v2/{self.repository}/manifests"
        answers = {
            name: requests.get(f"{root}/{digest}", headers=accepted, timeout=10).status_code
            for name, digest in self.digests.items()
        }
        assert set(answers.values()) <= {200, 404}
        return {name for name, status in answers.items() if status == 200}

    def _manifest(self, layer: dict[str, Any]) -> dict[str, Any]:
        config = push_blob(self.url, self.repository, "application/vnd.oci.image.config.v1+json", b"{}")
        return {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}

    def _put(self, name: str, tag: str, digest: str) -> None:
        self.digests[name] = digest
        if tag:
            self.tags[name] = tag


def skopeo(*arguments: str) -> str:
    ended = subprocess.run(
        ["skopeo", "--insecure-policy", *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def copy_whole(stock: Stock, reference: str, directory: Path) -> set[str]:
    """Copies an image with all of its platforms, as a mirror would; the digests of the copy's manifests."""
    source = f"docker://{stock.url.removeprefix('http://')}/{stock.repository}{reference}"
    directory.mkdir(exist_ok=True)
    skopeo("inspect", "--tls-verify=false", "--override-arch=amd64", source)
    skopeo("copy", "--all", "--src-tls-verify=false", source, f"oci:{directory}/oci:copy")
    skopeo("copy", "--all", "--src-tls-verify=false", source, f"dir:{directory}/dir")
    return {f"sha256:{path.name}" for path in (directory / "oci" / "blobs" / "sha256").iterdir()}


@pytest.mark.parametrize("v2_auth", ["bearer", "basic", "none"])
def test_after_a_clean_up_of_untagged_manifests_a_client_copies_all_that_is_kept(
    cloud: Cloud, real_registry: str, tmp_path: Path, v2_auth: str
) -> None:
    stock = Stock(real_registry, f"{FULL_NAME}-{v2_auth}")
    for name in ("amd", "inner-amd", "shared", "old-amd", "spare1", "spare2"):
        stock.image(name)
    for name in ("arm", "inner-arm", "old-arm"):
        stock.image(name, architecture="arm64")
    stock.image("single", tag="single")
    stock.index("multi", "amd", "arm", tag="latest")
    stock.index("inner", "inner-amd", "inner-arm")
    stock.index("nested", "inner", "shared", tag="nested")
    stock.index("old", "old-amd", "old-arm", "shared")
    stock.signature("multi-sig", of="multi")
    stock.signature("amd-sig", of="amd")
    stock.signature("old-sig", of="old")
    stock.signature("stamp", of="multi-sig")
    stock.referrer("sbom", of="multi")
    stock.referrer("old-sbom", of="old-amd")
    taken = policy("untagged", untagged=True, expire_period="24h")
    cloud.seed(
        {"name": stock.repository.removeprefix("crp1/"), "policies": [taken], "images": stock.seed()},
        registry_upstream=real_registry,
    )
    cloud.emulator.behaviour(v2_auth=v2_auth)

    report = cloud.clean()

    gone = {"old", "old-amd", "old-arm", "old-sig", "old-sbom", "spare1", "spare2"}
    prefix = f"app-{v2_auth}-"
    assert stock.there() == stock.digests.keys() - gone
    assert {name.removeprefix(prefix) for name, end in outcomes(report).items() if end == "deleted"} == gone
    assert report["status"] == "ok"
    assert {row["code"] for row in report["warnings"]} == {
        "active-policy-takes-index-child",
        "active-policy-takes-referrer",
    }
    assert_adds_up(report)
    for number, (reference, held) in enumerate(
        {
            ":latest": {"multi", "amd", "arm"},
            ":single": {"single"},
            f"@{stock.digests['inner']}": {
                "inner",
                "inner-amd",
                "inner-arm",
            },  # clients copy no index of indexes
        }.items()
    ):
        copied = copy_whole(stock, reference, tmp_path / str(number))
        assert copied >= {stock.digests[one] for one in held}
    for signed in ("multi", "amd"):
        tag = stock.digests[signed].replace(":", "-") + ".sig"
        root = f"{real_registry}/v2/{stock.repository}"
        manifest = requests.get(f"{root}/manifests/{tag}", headers={"Accept": MANIFEST}, timeout=10).json()
        claim = requests.get(f"{root}/blobs/{manifest['layers'][0]['digest']}", timeout=10).json()
        assert claim["critical"]["image"]["docker-manifest-digest"] == stock.digests[signed]


def test_an_index_that_cannot_be_deleted_can_still_be_copied(
    cloud: Cloud, real_registry: str, tmp_path: Path
) -> None:
    stock = Stock(real_registry, f"{FULL_NAME}-halfway")
    stock.image("amd")
    stock.image("arm", architecture="arm64")
    stock.index("multi", "amd", "arm")
    stock.image("spare")
    stock.image("single", tag="single")
    taken = policy("untagged", untagged=True, expire_period="24h")
    cloud.seed(
        {"name": f"{NAME}-halfway", "policies": [taken], "images": stock.seed()},
        registry_upstream=real_registry,
    )
    cloud.emulator.behaviour(
        faults=[{"match": "DELETE */images/app-halfway-multi", "status": 403, "code": 7}]
    )

    report = cloud.clean()

    assert stock.there() == {"multi", "amd", "arm", "single"}
    assert report["status"] == "partial"
    copied = copy_whole(stock, f"@{stock.digests['multi']}", tmp_path)
    assert copied >= {stock.digests[one] for one in ("multi", "amd", "arm")}
