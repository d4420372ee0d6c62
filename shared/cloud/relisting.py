"""Looking at a repository again: its images as they are listed now, and whether what is missing is really
gone.

A listing that answers 200 may lack an image that is there. What was there at the last look and is missing now
counts as gone only after a second listing lacks it too and ``GET`` of the image answers 404; anything else is
a doubt.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from shared.cloud.client import Cloud
from shared.cloud.listing import Known
from shared.cloud.parallel import for_each
from shared.cloud.registry_services import service_of
from shared.errors import Doubtful, many
from shared.retention.records import Image, Repository, Sighting

QUICK = 2.0
Seen = Sighting | Image
Sightings = Mapping[str, Seen]


class Look(msgspec.Struct, frozen=True):
    """The images of a repository, the monotonic time as of which they are known, and what the next look need
    not decode again.
    """

    images: list[Image]
    at: float
    known: Known | None = None


def look(cloud: Cloud, repository: Repository, before: Look | None = None) -> Look:
    """Lists the repository; what is listed as ``before`` is the same object. Raises CallError, Doubtful."""
    began_at = cloud.pace.clock()
    known = Known(before.known if before else None)
    images = list(service_of(repository).images(cloud, repository, known))
    check_understood(repository, images)
    return Look(images, max(began_at, cloud.pace.clock() - QUICK), known)


def settled(cloud: Cloud, repository: Repository, seen: Look, expected: Sightings) -> Look:
    """``seen``, or a newer look, that lacks none of the ``expected`` images but those that are really gone.

    Raises CallError, and Doubtful when an image that two listings lack answers all the same.
    """
    return again(cloud, repository, seen, expected) if missing(seen.images, expected) else seen


def again(cloud: Cloud, repository: Repository, seen: Look, expected: Sightings) -> Look:
    """A newer look than ``seen``, that lacks none of the images of ``seen`` and none of the ``expected`` ones
    but those that are really gone.

    Raises CallError, and Doubtful when one that it lacks answers all the same.
    """
    known: dict[str, Seen] = {**sightings(seen.images), **expected}
    newer = look(cloud, repository, seen)
    check_gone(cloud, repository, [known[image_id] for image_id in missing(newer.images, known)])
    return newer


def missing(images: Iterable[Image], expected: Collection[str]) -> set[str]:
    unlisted = set(expected)
    unlisted.difference_update(image.image_id for image in images)
    return unlisted


def check_gone(cloud: Cloud, repository: Repository, images: Collection[Seen]) -> None:
    """Raises Doubtful when one of the images is there. Raises CallError."""
    there: list[str] = []

    def ask(image: Seen) -> None:
        sighting = image.sighting() if isinstance(image, Image) else image
        if service_of(repository).is_there(cloud, repository, sighting):
            there.append(image.image_id)

    for_each(images, ask, cloud.concurrency)
    if there:
        raise Doubtful(
            f"The listing of {repository.full_name} lacks"
            f" {many(len(there), 'image that is there', 'images that are there')}, such as"
            f" {min(there)}, so nothing is deleted there: the next run looks again.",
            where=repository.full_name,
        )


def check_understood(repository: Repository, images: Iterable[Image]) -> None:
    """Raises Doubtful for an image without an id or a digest, for nobody knows what depends on it."""
    for image in images:
        if not image.image_id or not image.digest:
            raise Doubtful(
                f"The listing of {repository.full_name} has an image without"
                f" {'a digest' if image.image_id else 'an id'}"
                f" ({image.image_id or image.digest or 'neither'}), so nothing is deleted there; delete or"
                " push that image again by hand.",
                where=repository.full_name,
            )


def sightings(images: Iterable[Seen]) -> dict[str, Seen]:
    return {image.image_id: image for image in images}


def retagged(before: Sightings, images: Iterable[Image]) -> set[str]:
    """The ids of the images that have other tags than before."""
    changed: set[str] = set()
    for image in images:
        seen = before.get(image.image_id)
        if seen is not None and seen.tags != image.tags and set(seen.tags) != set(image.tags):
            changed.add(image.image_id)
    return changed
