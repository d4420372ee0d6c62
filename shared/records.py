"""The plain records that pass between asking the cloud, deciding, deleting and reporting."""

from __future__ import annotations

from array import array

import msgspec


class Registry(msgspec.Struct, frozen=True):
    registry_id: str
    folder_id: str
    name: str


class Repository(msgspec.Struct, frozen=True):
    """``full_name`` is the API's ``<registry id>/<name>``; ``name`` the part that people write."""

    repository_id: str
    registry_id: str
    full_name: str

    @property
    def name(self) -> str:
        return self.full_name.removeprefix(f"{self.registry_id}/")


class Policy(msgspec.Struct, frozen=True):
    """A native lifecycle policy; ``status`` is ``ACTIVE`` or ``DISABLED``."""

    policy_id: str
    name: str
    repository_id: str
    status: str

    @property
    def label(self) -> str:
        return self.name or self.policy_id


class Image(msgspec.Struct, frozen=True, gc=False):
    """An image as the registry lists it.

    ``created_at`` is the API's RFC 3339 text. ``layers`` alternates a layer's key (the first 8 bytes of its
    digest) and its size in bytes: a repository of 50,000 images fits in a small function that way.
    """

    image_id: str
    digest: str
    tags: tuple[str, ...]
    created_at: str
    size_bytes: int
    layers: array[int]


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """An image that an applied policy takes, with the labels of those that do."""

    image: Image
    reasons: tuple[str, ...]


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What became of a candidate: the contract's outcome, its guard if one holds it, and why it failed."""

    outcome: str
    guard: str | None = None
    message: str = ""
    code: int = 0


class PolicyResult(msgspec.Struct, frozen=True):
    """A policy's dry run: how many images it takes, and whether they may be deleted in its name."""

    policy: Policy
    registry_id: str
    repository: str
    applied: bool
    dry_run_result_id: str
    candidates: int


class Notice(msgspec.Struct, frozen=True):
    code: str
    message: str


class Problem(msgspec.Struct, frozen=True):
    """A row of the report's ``errors``; ``code`` is a gRPC code."""

    where: str
    code: int
    message: str
    image_id: str = ""
