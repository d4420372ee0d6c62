"""The plain records that pass between asking the cloud, deciding, deleting and reporting."""

from __future__ import annotations

from typing import Literal

import msgspec

Service = Literal["container-registry", "cloud-registry"]
OutcomeName = Literal["would-delete", "deleted", "already-gone", "protected", "failed", "remaining"]


def blob_key(digest: str) -> int:
    """64 bits of a digest, which tell blobs apart: among a million, two meet by chance once in 37 million
    times.
    """
    try:
        return int(digest.rpartition(":")[2][:16], 16)
    except ValueError:
        return hash(digest) & 0xFFFFFFFFFFFFFFFF


class Registry(msgspec.Struct, frozen=True):
    """A registry of a service; ``left`` is why it is none that can be cleaned, "" when it can."""

    registry_id: str
    folder_id: str
    name: str
    service: Service = "container-registry"
    left: str = ""


class Repository(msgspec.Struct, frozen=True):
    """``full_name`` is the API's ``<registry id>/<name>``; ``name`` the part that people write."""

    repository_id: str
    registry_id: str
    full_name: str
    service: Service = "container-registry"

    @property
    def name(self) -> str:
        return self.full_name.removeprefix(f"{self.registry_id}/")


class Policy(msgspec.Struct, frozen=True):
    """A native lifecycle policy; ``status`` is ``ACTIVE`` or ``DISABLED``, ``definition`` a hash of its
    rules. Without a ``repository_id`` it is about every repository of its registry.

    One that ``ranks`` keeps so many of the newest images, so that what it takes depends on which others there
    are. ``says`` has the words of each of its rules, in their order.
    """

    policy_id: str
    name: str
    repository_id: str
    status: str
    definition: str = ""
    ranks: bool = True
    says: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return self.name or self.policy_id


class NativeRule(msgspec.Struct, frozen=True):
    """A rule of a native lifecycle policy; ``expire_seconds`` and ``retained_top`` are 0 when it has none."""

    tag_regexp: str = ""
    untagged: bool = False
    expire_seconds: float = 0
    retained_top: int = 0


class Image(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An image as the registry lists it.

    ``created_at`` is the API's RFC 3339 text. ``config`` is the key (`blob_key`) of the image's
    configuration, and ``layers`` alternates a layer's key and its size in bytes, 8 bytes each: 50,000 images
    fit in a small function that way. ``parts`` are the ids of what makes up the image, where a service
    deletes it piece by piece; ``children`` the digests that its index names, where a listing tells them.
    """

    image_id: str
    digest: str
    tags: tuple[str, ...]
    created_at: str
    size_bytes: int
    layers: bytes
    config: int = 0
    parts: tuple[str, ...] = ()
    children: tuple[str, ...] = ()

    def sighting(self) -> Sighting:
        return Sighting(self.image_id, self.tags, self.parts)


class Sighting(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a look remembers of an image."""

    image_id: str
    tags: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


class DryRun(msgspec.Struct, frozen=True):
    """The result of a policy's dry run: the images that it takes, or the ``parts`` of images, by their ids,
    each with how the report names the rule that takes it. ``run_at`` is the service's RFC 3339 text.
    """

    result_id: str
    images: tuple[Image, ...] = ()
    parts: dict[str, str] = {}
    run_at: str = ""


class Manifest(msgspec.Struct, frozen=True, gc=False):
    """What matters of a manifest.

    ``holds``: every digest that it may need; ``nested``: those that may be indexes themselves; ``refers_to``:
    its subject; ``platforms``: those that are images, whose absence breaks it. ``unclear``: why it is not
    understood, "" when it is. ``lost``: it could not be had, so that nothing is known of what it holds.
    """

    holds: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()
    refers_to: str = ""
    platforms: tuple[str, ...] = ()
    unclear: str = ""
    lost: bool = False


PLAIN = Manifest()


class Candidate(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An image that applied policies or delete rules take, with the labels of those that do."""

    image: Image
    reasons: tuple[str, ...]


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What became of a candidate: the contract's outcome, the guard that holds it and for what, or why it
    failed.
    """

    outcome: OutcomeName
    guard: str | None = None
    kept_by: str = ""
    message: str = ""
    code: int = 0


class PolicyResult(msgspec.Struct, frozen=True):
    """A policy's dry run on one repository: how many images it takes, whether they may be deleted in its
    name, and the reasons that it gives for them.
    """

    policy: Policy
    registry_id: str
    repository: str
    applied: bool
    dry_run_result_id: str
    candidates: int
    reasons: frozenset[str] = frozenset()


class ImageFacts(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An image and where it lies, as reports, plans and explanations begin their rows.

    ``repository`` is the name without the registry's id, ``created_at`` the API's RFC 3339 text. What was
    written before there were two services names none: it is Container Registry's.
    """

    service: Service = "container-registry"
    image_id: str
    registry_id: str
    repository: str
    digest: str
    tags: tuple[str, ...]
    created_at: str
    size_bytes: int


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """A run in numbers; sizes are in bytes.

    ``images`` counts every image of the repositories that the run looked at, ``candidates`` those that an
    applied policy or a delete rule takes; the next five count candidates by their outcome.
    ``candidate_bytes`` adds up the candidates' sizes. ``reclaimed_bytes`` counts a layer once, and only if no
    image that stays uses it.
    """

    images: int = 0
    candidates: int = 0
    protected: int = 0
    deleted: int = 0
    already_gone: int = 0
    failed: int = 0
    remaining: int = 0
    candidate_bytes: int = 0
    reclaimed_bytes: int = 0


class Notice(msgspec.Struct, frozen=True):
    """A row of the report's ``warnings``; ``code`` is a word that stays the same, ``message`` a sentence."""

    code: str
    message: str


class Problem(msgspec.Struct, frozen=True):
    """A row of the report's ``errors``: the call or the setting, the gRPC code, a sentence, the image if it
    is about one.
    """

    where: str
    code: int
    message: str
    image_id: str = ""


class RepositoryName(msgspec.Struct, frozen=True):
    """A repository by its full name ``<registry id>/<name>``."""

    registry_id: str
    full_name: str


DELETED, ALREADY_GONE = Outcome("deleted"), Outcome("already-gone")


REMAINING = Outcome("remaining")


WOULD_DELETE = Outcome("would-delete")
