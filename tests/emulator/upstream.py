"""A real registry behind the emulated one (`registry_upstream`): what it holds is what V2 clients are given.

The emulator reads from it (`services/docker_registry.py`), and when an image goes, deletes its manifest there
by digest, with which its tags vanish. What the upstream doesn't hold needn't be deleted. Tags that a change
adds or removes are not mirrored.
"""

from collections.abc import Mapping

import requests

from tests.emulator.errors import INTERNAL, ApiError

TIMEOUT_SECONDS = 30


class RegistryUpstream:
    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False

    def fetch(self, http_method: str, path: str, headers: Mapping[str, str]) -> requests.Response:
        try:
            return self._session.request(
                http_method,
                self._url + path,
                headers={"Accept-Encoding": "identity", **headers},
                timeout=TIMEOUT_SECONDS,
            )
        except requests.RequestException as error:
            raise ApiError(INTERNAL, f"the upstream registry doesn't answer: {error}") from None

    def delete_manifest(self, name: str, digest: str) -> None:
        answer = self.fetch("DELETE", f"/v2/{name}/manifests/{digest}", {})
        if answer.status_code not in (202, 404):
            raise ApiError(INTERNAL, f"the upstream registry answered {answer.status_code}: {answer.text}")
