"""Whether what one service holds of a registry has arrived in the other: listings in, differences out. Pure.

The registry has the same id in both, its repositories and tags the same names, and a manifest the same
digest. What was pushed to the target since the migration is no difference. A tag that names another digest
there is one, whether the image was damaged or the tag has moved since.

An untagged image that is missing may be a part of an index, a signature, or nothing that anybody needs: the
service counts tags alone when it migrates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Literal

import msgspec

from shared.retention.creation_times import NEARLY_ALL, one_day, same
from shared.retention.guards import Binding, referred_to
from shared.retention.manifest_meaning import within
from shared.retention.policy_translation import Translation
from shared.retention.records import PLAIN, Image, Manifest, Service

What = Literal["repository", "tag", "other-digest", "digest", "index-child", "signature"]
Times = Literal["kept", "lost", "changed", "not known"]
State = Literal["to-move", "moved", "target-only"]
KINDS: tuple[What, ...] = ("repository", "tag", "other-digest", "digest", "index-child", "signature")


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Something of the source that the target does not have.

    ``what``: a ``repository``, a ``tag``, a tag that names an ``other-digest`` there, the ``digest`` of an
    untagged image, an ``index-child`` of the index ``of``, or a ``signature`` (or the like) of the image
    ``of``. ``used_by`` names what runs it, "" if nothing is known to.
    """

    what: What
    repository: str
    tag: str = ""
    digest: str = ""
    other_digest: str = ""
    of: str = ""
    used_by: str = ""


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What a service lists of a registry; ``size_bytes`` counts a layer that images share in each of them."""

    service: Service
    repositories: int = 0
    images: int = 0
    tags: int = 0
    size_bytes: int = 0
    policies: int = 0

    def with_images(self, images: Sequence[Image]) -> Contents:
        """The contents with a repository more."""
        return msgspec.structs.replace(
            self,
            repositories=self.repositories + 1,
            images=self.images + len(images),
            tags=self.tags + sum(len(image.tags) for image in images),
            size_bytes=self.size_bytes + sum(image.size_bytes for image in images),
        )


class InUse(msgspec.Struct, frozen=True, kw_only=True):
    """How many images of the source run, and of how many of them nothing is missing.

    ``known`` is false when some place that may run them could not be looked at.
    """

    known: bool
    images: int = 0
    arrived: int = 0


class LeftBehind(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy or a rule would take before the migration; an image of several counts in each of them."""

    reason: str
    images: int
    size_bytes: int


class RegistryMigration(msgspec.Struct, frozen=True, kw_only=True):
    """A registry before its migration (``to-move``), after it (``moved``), or without a source.

    ``arrived`` is null while that is not known: before the migration, or when something could not be read.
    ``missing`` counts the ``differences`` by ``what``. ``newer_tags`` counts the tags that the target alone
    has. ``created_on`` is the day on which nearly all images of the target seem to have been created.
    ``rules`` is TOML, ``new_policies`` are the bodies that create policies in the target.
    """

    registry_id: str
    name: str
    state: State
    source: Contents | None
    target: Contents | None
    arrived: bool | None
    missing: dict[str, int]
    differences: list[Difference]
    newer_tags: int
    creation_times: Times
    created_on: str
    in_use: InUse
    left_behind: list[LeftBehind]
    policies: list[Translation]
    rules: str
    new_policies: list[dict[str, Any]]


class Compared(msgspec.Struct, frozen=True):
    """One repository, compared."""

    differences: list[Difference]
    newer_tags: int = 0
    used: int = 0
    used_arrived: int = 0
    dated: int = 0
    dated_alike: int = 0


def listed_indexes(images: Iterable[Image]) -> dict[str, Manifest]:
    """The indexes whose parts the listing itself names."""
    return {
        image.digest: Manifest(image.children, platforms=image.children) for image in images if image.children
    }


def manifests_needed(source: Sequence[Image], target: Sequence[Image]) -> set[str]:
    """The digests whose manifests have to be read to see what is missing.

    An index has no configuration (OCI image specification); an untagged image that the target does not list
    may be a signature.
    """
    listed = {image.digest for image in target}
    known = listed_indexes([*source, *target])
    return {
        image.digest
        for image in source
        if image.digest not in known and (not image.config or (not image.tags and image.digest not in listed))
    }


def to_look_for(source: Sequence[Image], target: Sequence[Image], manifests: Binding) -> set[str]:
    """The digests that the target may have although it does not list them: of untagged images and of parts of
    indexes.
    """
    listed = {image.digest for image in target}
    untagged = {image.digest for image in source if not image.tags}
    children = {child for image in source for child in _children(image.digest, manifests)}
    return (untagged | children) - listed


def compare(
    repository: str,
    source: Sequence[Image],
    target: Sequence[Image] | None,
    manifests: Binding,
    also_there: Collection[str],
    used_by: Callable[[Image], str | None],
) -> Compared:
    """Compares a repository; ``target`` is None if it is not there at all, or has no images.

    ``manifests`` are `listed_indexes` and those that `manifests_needed` asks for, as far as they could be
    had, with the indexes nested in them. ``also_there`` are those digests of `to_look_for` that the target
    has.
    """
    used = {image.digest: where for image in source if (where := used_by(image))}
    there = {image.digest for image in target or ()} | set(also_there)
    owners = {tag: image.digest for image in target or () for tag in image.tags}
    differences: list[Difference] = []
    if source and target is None:
        differences.append(Difference(what="repository", repository=repository))
    differences += _missing(repository, source, manifests, there, owners)
    lacking = {digest for row in differences for digest in (row.digest, row.of)}
    created = {image.digest: image.created_at for image in target or ()}
    dated = [image for image in source if image.digest in created]
    tags = {tag for image in source for tag in image.tags}
    return Compared(
        [
            msgspec.structs.replace(row, used_by=used.get(row.digest) or used.get(row.of) or "")
            for row in differences
        ],
        newer_tags=len(owners.keys() - tags),
        used=len(used),
        used_arrived=len(used.keys() - lacking),
        dated=len(dated),
        dated_alike=sum(same(image.created_at, created[image.digest]) for image in dated),
    )


def _missing(
    repository: str,
    source: Sequence[Image],
    manifests: Binding,
    there: Collection[str],
    owners: Mapping[str, str],
) -> Iterator[Difference]:
    """What the target lacks of the source's images, each thing once."""
    holders = {child: image.digest for image in source for child in _children(image.digest, manifests)}
    for image in source:
        digest, subjects = image.digest, referred_to(image, manifests.get(image.digest, PLAIN))
        gone = [tag for tag in image.tags if tag not in owners]
        if subjects and (gone or (not image.tags and digest not in there)):
            signed = min(subjects)
            yield Difference(
                what="signature", repository=repository, tag=min(gone, default=""), digest=digest, of=signed
            )
            continue
        for tag in image.tags:
            if tag not in owners:
                yield Difference(what="tag", repository=repository, tag=tag, digest=digest)
            elif owners[tag] != digest:
                yield Difference(
                    what="other-digest",
                    repository=repository,
                    tag=tag,
                    digest=digest,
                    other_digest=owners[tag],
                )
        if not image.tags and digest not in there and digest not in holders:
            yield Difference(what="digest", repository=repository, digest=digest)
    for child in sorted(holders.keys() - set(there)):
        yield Difference(what="index-child", repository=repository, digest=child, of=holders[child])


def _children(digest: str, manifests: Binding) -> set[str]:
    """The images that an index holds, through nested indexes too."""
    return within(digest, manifests, attrgetter("platforms"))


def times(compared: Sequence[Compared], created: Counter[str]) -> tuple[Times, str]:
    """Whether the target kept the creation times, and the day on which nearly all of its images seem to have
    been created.

    ``created`` are `creation_times.hours` of the target's images.
    """
    day = one_day(created)
    dated, alike = sum(row.dated for row in compared), sum(row.dated_alike for row in compared)
    if not dated:
        return "not known", day
    if alike >= NEARLY_ALL * dated:
        return "kept", day
    return ("lost" if day else "changed"), day


def missing(differences: Sequence[Difference]) -> dict[str, int]:
    """How many differences there are of each kind."""
    counted = Counter(row.what for row in differences)
    return {kind: counted[kind] for kind in KINDS}
