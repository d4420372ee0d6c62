"""The two hosts of the Docker Registry HTTP API V2, and which service answers for a repository on each.

    cr.yandex                  at the emulator's URL itself: `/v2/..`, tokens at `/v2-token`
    registry.yandexcloud.net   below /cloud-registry-v2: `/cloud-registry-v2/v2/..`,
                               `/cloud-registry-v2/v2-token`

What is asked of `cr.yandex` for a registry that was migrated with redirects comes from Cloud Registry.
"""

from dataclasses import dataclass
from typing import Protocol

from tests.emulator.access import Place
from tests.emulator.images import Image
from tests.emulator.state import State

TOKEN_PATH = "/v2-token"

_OLD_PULLER = "container-registry.images.puller"
_NEW_PULLER = "cloud-registry.artifacts.puller"


@dataclass(frozen=True)
class Host:
    service: str
    base: str = ""

    def path_of(self, path: str) -> str:
        """The path without the host's base."""
        return path.removeprefix(self.base)


CR_YANDEX = Host("cr.yandex")
CLOUD = Host("registry.yandexcloud.net", "/cloud-registry-v2")


def host_of(path: str) -> Host | None:
    for host in (CLOUD, CR_YANDEX):
        rest = path.removeprefix(host.base)
        if path.startswith(host.base) and (rest in ("/v2", TOKEN_PATH) or rest.startswith("/v2/")):
            return host
    return None


class Contents(Protocol):
    def image_of(self, reference: str) -> Image | None: ...

    def tag_names(self) -> list[str]: ...


def answers_from_cloud(state: State, host: Host, name: str) -> bool:
    """Whether Cloud Registry answers when that repository is asked for on the host."""
    registry = state.cloud_registries.by_id.get(name.split("/")[0])
    return host is CLOUD or (registry is not None and registry.redirects)


def contents_of(state: State, host: Host, name: str) -> Contents | None:
    if answers_from_cloud(state, host, name):
        return state.cloud_registries.repository(name)
    return state.repositories_by_name.get(name)


def image_of(state: State, host: Host, name: str, reference: str) -> Image | None:
    contents = contents_of(state, host, name)
    image = contents.image_of(reference) if contents else None
    if image and answers_from_cloud(state, host, name) and not state.cloud_registries.holds(name, image):
        return None
    return image


def pullers(state: State, host: Host, name: str) -> tuple[Place, tuple[str, ...]]:
    """Where a client must hold one of the roles to pull; after a redirect the old role is as good as the new
    one.
    """
    if not answers_from_cloud(state, host, name):
        return state.place_of_repository(name), (_OLD_PULLER,)
    registry = state.cloud_registries.by_id.get(name.split("/")[0])
    roles = (_NEW_PULLER,) if host is CLOUD else (_NEW_PULLER, _OLD_PULLER)
    return registry.place if registry else (), roles
