"""What is not whole in a repository: indexes that have lost images, and referrers without their image.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from shared.retention.guards import Binding, referred_to
from shared.retention.records import PLAIN, Image


class Damage(msgspec.Struct, frozen=True):
    """Something in a repository that is not whole: the report's warning code, the image, and the digests
    missing.
    """

    code: str
    image: Image
    missing: tuple[str, ...]


def damage(images: Collection[Image], manifests: Binding, exists: Callable[[str], bool]) -> list[Damage]:
    """What is not whole: indexes with children missing, and referrers without their image.

    ``exists`` tells of a digest that is not among ``images`` whether the registry has it all the same.
    """
    listed = {image.digest for image in images}
    damages: list[Damage] = []
    for image in images:
        manifest = manifests.get(image.digest, PLAIN)
        missing = tuple(
            digest for digest in manifest.platforms if digest not in listed and not exists(digest)
        )
        if missing:
            code = "broken-index" if len(missing) == len(manifest.platforms) else "partial-index"
            damages.append(Damage(code, image, missing))
        subjects = referred_to(image, manifest)
        if subjects and not any(digest in listed or exists(digest) for digest in subjects):
            damages.append(Damage("orphaned-referrer", image, tuple(sorted(subjects))))
    return damages
