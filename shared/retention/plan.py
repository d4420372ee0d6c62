"""A plan: the images that a run in mode ``plan`` would delete, kept until a person says yes or no. No I/O, no
clock.

``takers`` tells for each repository what takes its images (the reasons in the report), and a hash of how that
is defined: a policy or rule that has been changed since is another one, whatever its name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from shared.retention import guards
from shared.retention.records import Candidate, Image, ImageFacts, OutcomeName, PolicyResult, RepositoryName
from shared.retention.rule import Rule
from shared.retention.rules import label

Takers = dict[str, str]


class Planned(ImageFacts, frozen=True, gc=False, kw_only=True):
    """An image as a row of the file says; ``reasons`` are the labels of what takes it."""

    outcome: OutcomeName
    reasons: tuple[str, ...]

    @property
    def follows(self) -> bool:
        """Whether nothing takes it, but it goes with the image that it refers to."""
        return all(reason.endswith(guards.FOLLOWS) for reason in self.reasons)

    def candidate(self, listed: Image | None) -> Candidate:
        """The candidate, with the image as it is listed now if it still is."""
        image = Image(self.image_id, self.digest, self.tags, self.created_at, self.size_bytes, b"")
        return Candidate(listed or image, self.reasons)


class Plan(msgspec.Struct, frozen=True):
    """What a plan would delete: by the repository's full name, its images by id; ``takers`` by full name
    too.
    """

    plan_id: str
    images: dict[str, dict[str, Planned]]
    takers: dict[str, Takers]

    @property
    def repositories(self) -> frozenset[RepositoryName]:
        return frozenset(RepositoryName(name.partition("/")[0], name) for name in self.images)

    def has(self, full_name: str, image: Image) -> bool:
        """Whether the plan has the image as it is, or with more tags than it has now."""
        planned = self.images.get(full_name, {}).get(image.image_id)
        return planned is not None and not _differs(planned, image)


def takers(results: Iterable[PolicyResult], rules: Iterable[Rule]) -> Takers:
    """What may take images of a repository, and a hash of how each is defined."""
    definitions_by_reason: dict[str, list[str]] = {}
    for result in results:
        if result.applied:
            definitions_by_reason.setdefault(f"policy {result.policy.label}", []).append(
                result.policy.definition
            )
    for rule in rules:
        if rule.action == "delete":
            definitions_by_reason.setdefault(label(rule), []).append(
                hashlib.sha256(msgspec.json.encode(rule)).hexdigest()
            )
    return {reason: " ".join(sorted(definitions)) for reason, definitions in definitions_by_reason.items()}


def change(planned: Planned, now: Candidate | None, were: Takers, are: Takers) -> str:
    """Why a planned image must be kept now, or "". ``now`` is today's candidate, None if nothing takes it."""
    if now is None or not set(planned.reasons) <= set(now.reasons):
        return "what took it does so no longer"
    if any(were.get(reason) != are.get(reason) for reason in planned.reasons):
        return "what takes it has been changed"
    return _differs(planned, now.image)


def _differs(planned: Planned, image: Image) -> str:
    if image.digest != planned.digest:
        return "it has another digest"
    return "it has gained a tag" if set(image.tags) - set(planned.tags) else ""
