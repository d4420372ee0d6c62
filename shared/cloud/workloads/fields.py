"""Uses in the fields that every kind of container has: its image, its command, arguments and environment.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from shared.cloud.workloads.search import HOSTS, alias
from shared.retention.references import Use

_DIGEST = re.compile(r"(?:^|[:@/])([0-9a-fA-F]{64})$")


class Start(NamedTuple):
    """How a container is started: its command with its arguments, and its environment."""

    words: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """As a script would say it."""
        return "\n".join([*(f"{name}={value}" for name, value in self.environment if value), *self.words])


def in_field(image: str, where: str, registry_ids: Collection[str], digest: str = "") -> Iterator[Use]:
    """The use that a container's image is, as far as it may be one of the registries' images.

    ``digest`` is what it was seen to run, in any spelling.
    """
    named = _DIGEST.search(digest.strip()) or _DIGEST.search(image.strip())
    resolved = f"sha256:{named[1].lower()}" if named else ""
    if any(f"{registry_id}/" in image for registry_id in registry_ids):
        yield Use(where, image, resolved)
    elif named:
        yield Use(where, "", resolved)
    if re.search(HOSTS, image):
        yield from (Use(where, reference, alias=True) for reference in alias(image, registry_ids))
