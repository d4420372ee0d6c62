"""What must stay, and why: images, manifests and uses in, guards out. No I/O, no clock, no environment.

Two things bind the images of a repository together: an index holds its platform images, which often have no
tag of their own, and a referrer (a signature, an attestation, an SBOM) refers to its image, by the OCI
``subject`` field, by the fallback tag ``sha256-<hex>``, or by cosign's tags ``sha256-<hex>.sig``, ``.att``
and ``.sbom``. What stays keeps what it holds and what refers to it; a referrer goes with its image.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, TypeVar

import msgspec

from shared.retention.manifest_meaning import within
from shared.retention.records import PLAIN, Candidate, Image, Manifest
from shared.retention.references import Usage

REFERRER_TAG = re.compile(r"(sha256)-([0-9a-f]{64})(?:\.(?:sig|att|sbom))?")

Binding = Mapping[str, Manifest]
Row = TypeVar("Row")
FOLLOWS = ", with its image"
NOTHING: frozenset[str] = frozenset()


class Kept(msgspec.Struct, frozen=True, gc=False):
    """The guard that keeps an image, and what it is kept for."""

    guard: str
    by: str


def keep_tag(image: Image, patterns: Iterable[Callable[[str], Any]]) -> Kept | None:
    """The guard of an image with any tag that one of ``patterns`` matches as a whole."""
    tag = next((tag for matches in patterns for tag in image.tags if matches(tag)), None)
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
    digests = frozenset({manifest.refers_to}) if manifest.refers_to else NOTHING
    for tag in image.tags:
        if tag.startswith("sha256-") and (match := REFERRER_TAG.fullmatch(tag)):
            digests = digests | {f"{match[1]}:{match[2]}"}
    return digests


class Guarding(msgspec.Struct, frozen=True):
    """What decides on the images of one repository, beside the images themselves.

    ``keep_tags`` match whole tags; what is younger than ``grace`` at the time ``now`` stays;
    ``kept_by_rules`` gives the keep rule by image id. ``may_follow`` says whether a referrer may go with its
    image, though nothing takes it.
    """

    full_name: str
    usage: Usage
    now: datetime
    kept_by_rules: Mapping[str, str] = {}
    keep_tags: tuple[Callable[[str], Any], ...] = ()
    grace: timedelta = timedelta()
    index_children: bool = True
    referrers: bool = True
    may_follow: Callable[[Image], bool] = lambda _: True


class Guarded(msgspec.Struct, frozen=True):
    """The candidates with the referrers that go with theirs, and those of them that a guard keeps, by id."""

    candidates: dict[str, Candidate]
    kept: dict[str, Kept]


def guarded(
    images: list[Image], candidates: Mapping[str, Candidate], manifests: Binding, guarding: Guarding
) -> Guarded:
    """What goes and what stays of a repository: a referrer joins the candidates when its image goes."""
    going = dict(candidates)
    while True:
        kept = bound(images, going, manifests, own(going, guarding), guarding)
        followers = following(images, going, kept, manifests) if guarding.referrers else {}
        staying = own(followers, guarding)
        followers = {
            image_id: candidate
            for image_id, candidate in followers.items()
            if image_id not in staying and guarding.may_follow(candidate.image)
        }
        if not followers:
            others = kept.keys() - candidates.keys()
            return Guarded(_without(going, others), _without(kept, others))
        going |= followers


def _without(rows: Mapping[str, Row], others: Collection[str]) -> dict[str, Row]:
    return {image_id: row for image_id, row in rows.items() if image_id not in others}


def own(candidates: Mapping[str, Candidate], guarding: Guarding) -> dict[str, Kept]:
    """The guards that images have by themselves, whatever else their repository holds; of each image the
    first.
    """
    first = {
        image_id: next(each_own(candidate.image, guarding), None)
        for image_id, candidate in candidates.items()
    }
    return {image_id: kept for image_id, kept in first.items() if kept}


def each_own(image: Image, guarding: Guarding) -> Iterator[Kept]:
    """In use, by a keep rule, by a tag of its own, by its age."""
    where = guarding.usage.where(guarding.full_name, image)
    if where:
        yield Kept("in-use", where)
    rule = guarding.kept_by_rules.get(image.image_id)
    if rule:
        yield Kept("keep-rule", f"rule {rule}")
    by_tag = keep_tag(image, guarding.keep_tags)
    if by_tag:
        yield by_tag
    by_age = grace(image, guarding.grace, guarding.now)
    if by_age:
        yield by_age


def bound(
    images: Iterable[Image],
    candidates: Mapping[str, Candidate],
    manifests: Binding,
    kept: Mapping[str, Kept],
    guarding: Guarding,
) -> dict[str, Kept]:
    """``kept`` and the candidates that are bound to what stays, by the guards that are on."""
    return close(
        images,
        candidates,
        manifests,
        kept,
        index_children=guarding.index_children,
        referrers=guarding.referrers,
    )


def newly_signed(
    images: list[Image], candidates: Mapping[str, Candidate], manifests: Binding, guarding: Guarding
) -> set[str]:
    """The ids of the candidates with a referrer that would have to go with them, but may not."""
    if not guarding.referrers:
        return set()
    followers = following(images, candidates, {}, manifests)
    staying = own(followers, guarding)
    digests = {
        digest
        for image_id, follower in followers.items()
        if image_id not in staying and not guarding.may_follow(follower.image)
        for digest in referred_to(follower.image, manifests.get(follower.image.digest, PLAIN))
    }
    return {image_id for image_id, candidate in candidates.items() if candidate.image.digest in digests}


def close(
    images: Iterable[Image],
    candidates: Mapping[str, Candidate],
    manifests: Binding,
    kept: Mapping[str, Kept],
    *,
    index_children: bool,
    referrers: bool,
) -> dict[str, Kept]:
    """``kept`` and every candidate that stays because of what stays: what it holds, and what refers to it.

    What an index holds stays with it, also where the registry does not list it.
    """
    by_digest = {image.digest: image for image in images}
    referring = _referring(by_digest, manifests) if referrers else {}
    kept = dict(kept)
    staying = [
        image
        for digest, image in by_digest.items()
        if (image.image_id not in candidates or image.image_id in kept)
        and (digest in referring or manifests.get(digest, PLAIN).holds)
    ]
    while staying:
        image = staying.pop()
        held = _held(image.digest, manifests)
        unlisted = [digest for digest in held if digest not in by_digest]
        bound: list[tuple[str, str]] = [(digest, "index-child") for digest in held if index_children]
        bound += [
            (digest, "referrer") for of in (image.digest, *unlisted) for digest in referring.get(of, ())
        ]
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
    followers: dict[str, Candidate] = {}
    while going:
        candidate = going.pop()
        for digest in referring.get(candidate.image.digest, ()):
            image = by_digest[digest]
            named = any(not REFERRER_TAG.fullmatch(tag) for tag in image.tags)
            if not named and image.image_id not in candidates and image.image_id not in followers:
                follower = Candidate(image, tuple(f"{reason}{FOLLOWS}" for reason in candidate.reasons))
                followers[image.image_id] = follower
                going.append(follower)
    return followers


def waves(going: Iterable[Image], manifests: Binding) -> list[list[Image]]:
    """``going`` in the order of deletion: an index before what it holds, an image before what refers to it.

    If a deletion fails, nothing is gone that the image, which stays then, still needs.
    """
    by_digest = {image.digest: image for image in going}
    holders: dict[str, set[str]] = {}
    for digest in by_digest:
        for held in _held(digest, manifests) - {digest}:
            holders.setdefault(held, set()).add(digest)
    subjects: dict[str, set[str]] = {}
    for digest, image in by_digest.items():
        for subject in referred_to(image, manifests.get(digest, PLAIN)):
            first = {subject} if subject in by_digest else holders.get(subject, set())
            if first - {digest}:
                subjects.setdefault(digest, set()).update(first - {digest})
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
    own |= {digest for image in images for digest in _held(image.digest, manifests)}
    subjects = {
        candidate.image.image_id: referred_to(candidate.image, manifests.get(candidate.image.digest, PLAIN))
        for candidate in candidates
    }
    return {
        image_id: digests for image_id, digests in subjects.items() if digests and own.isdisjoint(digests)
    }


def _holder(image: Image, manifests: Binding) -> str:
    unclear = manifests.get(image.digest, PLAIN).unclear
    return f"{described(image)}, whose manifest is not understood: {unclear}" if unclear else described(image)


def described(image: Image) -> str:
    return f"{image.digest} ({', '.join(image.tags)})" if image.tags else image.digest


def _held(digest: str, manifests: Binding) -> set[str]:
    """Every digest that an index holds, through nested indexes too."""
    return within(digest, manifests, attrgetter("holds"))


def _referring(by_digest: Mapping[str, Image], manifests: Binding) -> dict[str, list[str]]:
    """For each digest, the digests of the images that refer to it."""
    referring: dict[str, list[str]] = {}
    for digest, image in by_digest.items():
        for subject in referred_to(image, manifests.get(digest, PLAIN)):
            referring.setdefault(subject, []).append(digest)
    return referring
