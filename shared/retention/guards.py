"""What must stay, and why: images, manifests and uses in, guards out. No I/O, no clock, no environment.

Two things bind the images of a repository together: an index holds its platform images, which often have no
tag of their own, and a referrer (a signature, an attestation, an SBOM) refers to its image, by the OCI
``subject`` field, by the fallback tag ``sha256-<hex>``, or by cosign's tags ``sha256-<hex>.sig``, ``.att``
and ``.sbom``. What stays keeps what it holds and what refers to it; a referrer goes with its image.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from shared.retention.records import PLAIN, Candidate, Image, Manifest

REFERRER_TAG = re.compile(r"(sha256)-([0-9a-f]{64})(?:\.(?:sig|att|sbom))?")

Binding = Mapping[str, Manifest]
FOLLOWS = ", with its image"


class Kept(msgspec.Struct, frozen=True, gc=False):
    """The guard that keeps an image, and what it is kept for."""

    guard: str
    by: str


class Damage(msgspec.Struct, frozen=True):
    """Something in a repository that is not whole: the report's warning code, the image, and the digests
    missing.
    """

    code: str
    image: Image
    missing: tuple[str, ...]


def in_use(where: str) -> Kept:
    return Kept("in-use", where)


def keep_rule(name: str) -> Kept:
    return Kept("keep-rule", f"rule {name}")


def keep_tag(image: Image, patterns: Iterable[Callable[[str], Any]]) -> Kept | None:
    """The guard of an image with any tag that one of ``patterns`` matches as a whole."""
    tag = next((tag for whole in patterns for tag in image.tags if whole(tag)), None)
    return Kept("keep-tag", f"tag {tag}") if tag is not None else None


def grace(image: Image, span: timedelta, now: datetime) -> Kept | None:
    """The guard of what was created less than ``span`` ago, and of what does not say when."""
    if not span:
        return None
    try:
        created_at = datetime.fromisoformat(image.created_at)
        young = now - created_at < span
    except (ValueError, TypeError):
        return Kept("grace", "its creation time cannot be read")
    return Kept("grace", f"created at {image.created_at}") if young else None


def referred_to(image: Image, manifest: Manifest) -> frozenset[str]:
    """The digests that the image refers to, by its manifest or by its tags."""
    by_tag = (REFERRER_TAG.fullmatch(tag) for tag in image.tags)
    digests = {f"{found[1]}:{found[2]}" for found in by_tag if found}
    return frozenset(digests | {manifest.refers_to} if manifest.refers_to else digests)


def close(
    images: Iterable[Image],
    candidates: Mapping[str, Candidate],
    manifests: Binding,
    kept: Mapping[str, Kept],
    *,
    index_children: bool,
    referrers: bool,
) -> dict[str, Kept]:
    """``kept`` and every candidate that stays because of what stays: what it holds, and what refers to it."""
    by_digest = {image.digest: image for image in images}
    referring = _referring(by_digest, manifests) if referrers else {}
    kept = dict(kept)
    staying = [
        image for image in by_digest.values() if image.image_id not in candidates or image.image_id in kept
    ]
    while staying:
        image = staying.pop()
        bound: list[tuple[str, str]] = []
        if index_children:
            bound += [(digest, "index-child") for digest in _held(image.digest, manifests)]
        bound += [(digest, "referrer") for digest in referring.get(image.digest, ())]
        for digest, guard in bound:
            other = by_digest.get(digest)
            if other and other.image_id in candidates and other.image_id not in kept:
                kept[other.image_id] = Kept(guard, _holder(image, manifests))
                staying.append(other)
    return kept


def following(
    images: Iterable[Image], candidates: Mapping[str, Candidate], kept: Mapping[str, Kept], manifests: Binding
) -> dict[str, Candidate]:
    """The referrers that no policy takes, but whose image goes: they go with it, unless they have a name of
    their own.
    """
    by_digest = {image.digest: image for image in images}
    referring = _referring(by_digest, manifests)
    going = [candidate for image_id, candidate in candidates.items() if image_id not in kept]
    found: dict[str, Candidate] = {}
    while going:
        candidate = going.pop()
        for digest in referring.get(candidate.image.digest, ()):
            image = by_digest[digest]
            named = any(not REFERRER_TAG.fullmatch(tag) for tag in image.tags)
            if not named and image.image_id not in candidates and image.image_id not in found:
                follower = Candidate(image, tuple(f"{reason}{FOLLOWS}" for reason in candidate.reasons))
                found[image.image_id] = follower
                going.append(follower)
    return found


def waves(going: Iterable[Image], manifests: Binding) -> list[list[Image]]:
    """``going`` in the order of deletion: an index before what it holds, an image before what refers to it.

    If a deletion fails, nothing is gone that the image, which stays then, still needs.
    """
    by_digest = {image.digest: image for image in going}
    holders: dict[str, set[str]] = {}
    subjects: dict[str, frozenset[str]] = {}
    for digest, image in by_digest.items():
        for held in (_held(digest, manifests) - {digest}) & by_digest.keys():
            holders.setdefault(held, set()).add(digest)
        referred = (referred_to(image, manifests.get(digest, PLAIN)) - {digest}) & by_digest.keys()
        if referred:
            subjects[digest] = referred
    ordered: list[list[Image]] = []
    waiting = dict.fromkeys(by_digest)
    while waiting:
        unheld = [digest for digest in waiting if waiting.keys().isdisjoint(holders.get(digest, ()))]
        ready = [digest for digest in unheld if waiting.keys().isdisjoint(subjects.get(digest, ()))]
        ready = ready or unheld or list(waiting)  # an index may refer to an image that it holds
        for digest in ready:
            del waiting[digest]
        ordered.append([by_digest[digest] for digest in ready])
    return ordered


def needed_by_others(wave: Iterable[Image], images: Iterable[Image], manifests: Binding) -> set[str]:
    """The ids of those images of a wave that hold others or are referred to: what becomes of them decides on
    others.
    """
    subjects = {
        digest for image in images for digest in referred_to(image, manifests.get(image.digest, PLAIN))
    }
    return {
        image.image_id
        for image in wave
        if manifests.get(image.digest, PLAIN).holds or image.digest in subjects
    }


def unclear(images: Iterable[Image], manifests: Binding) -> dict[str, str]:
    """The ids of the images whose manifests cannot be understood, each with the reason."""
    return {
        image.image_id: manifests[image.digest].unclear
        for image in images
        if image.digest in manifests and manifests[image.digest].unclear
    }


def hides_its_images(images: Iterable[Image], manifests: Binding) -> Image | None:
    """An image that may be an index of any others, for its manifest is lost: the listing shows no
    configuration of it.

    An index has no configuration, and what has a configuration holds no other image (OCI image
    specification).
    """
    return next(
        (
            image
            for image in images
            if image.digest in manifests and manifests[image.digest].lost and not image.config
        ),
        None,
    )


def foreign_subjects(
    images: Iterable[Image], candidates: Iterable[Candidate], manifests: Binding
) -> dict[str, frozenset[str]]:
    """Those candidates, by id, that refer only to images of other repositories, if to any; with these images'
    digests.
    """
    own = {image.digest for image in images}
    subjects = {
        candidate.image.image_id: referred_to(candidate.image, manifests.get(candidate.image.digest, PLAIN))
        for candidate in candidates
    }
    return {
        image_id: digests for image_id, digests in subjects.items() if digests and own.isdisjoint(digests)
    }


def damage(images: Iterable[Image], manifests: Binding, exists: Callable[[str], bool]) -> list[Damage]:
    """What is not whole: indexes with children missing, and referrers without their image.

    ``exists`` tells of a digest that is not among ``images`` whether the registry has it all the same.
    """
    images = list(images)
    listed = {image.digest for image in images}
    found: list[Damage] = []
    for image in images:
        manifest = manifests.get(image.digest, PLAIN)
        missing = tuple(
            digest for digest in manifest.platforms if digest not in listed and not exists(digest)
        )
        if missing:
            code = "broken-index" if len(missing) == len(manifest.platforms) else "partial-index"
            found.append(Damage(code, image, missing))
        subjects = referred_to(image, manifest)
        if subjects and not any(digest in listed or exists(digest) for digest in subjects):
            found.append(Damage("orphaned-referrer", image, tuple(sorted(subjects))))
    return found


def _holder(image: Image, manifests: Binding) -> str:
    unclear = manifests.get(image.digest, PLAIN).unclear
    return f"{described(image)}, whose manifest is not understood: {unclear}" if unclear else described(image)


def described(image: Image) -> str:
    return f"{image.digest} ({', '.join(image.tags)})" if image.tags else image.digest


def _held(digest: str, manifests: Binding) -> set[str]:
    """Every digest that an index holds, through nested indexes too."""
    held: set[str] = set()
    waiting = [digest]
    while waiting:
        for child in manifests.get(waiting.pop(), PLAIN).holds:
            if child not in held:
                held.add(child)
                waiting.append(child)
    return held


def _referring(by_digest: Mapping[str, Image], manifests: Binding) -> dict[str, list[str]]:
    """For each digest, the digests of the images that refer to it."""
    referring: dict[str, list[str]] = {}
    for digest, image in by_digest.items():
        for subject in referred_to(image, manifests.get(digest, PLAIN)):
            referring.setdefault(subject, []).append(digest)
    return referring
