"""Deciding what should go: images in, candidates with reasons out. No I/O, no clock, no environment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from shared.retention.records import Candidate, Image, Policy
from shared.retention.rule import Rule
from shared.retention.rules import label

SMALL_REPOSITORY = 10


def definition(policy_id: str, rules: Any) -> str:
    """A hash of a policy's rules, as the API tells them."""
    return hashlib.sha256(json.dumps([policy_id, rules], sort_keys=True).encode()).hexdigest()


def applies(policy: Policy, apply: Literal["active"] | list[str]) -> bool:
    """Whether the setting ``lifecycle_policies.apply`` lets the policy's images be deleted.

    ``active``, alone or in the list, stands for every ACTIVE policy, and is never a name; a DISABLED one must
    be named by id or name.
    """
    if policy.status == "ACTIVE" and "active" in apply:
        return True
    named = [name for name in apply if name != "active"] if isinstance(apply, list) else []
    return policy.policy_id in named or policy.name in named


def union(taken: Iterable[tuple[str, Iterable[Image]]]) -> dict[str, Candidate]:
    """The images that any of the policies takes, each once, by id, with the reason of every policy that takes
    it.
    """
    candidates: dict[str, Candidate] = {}
    for reason, images in taken:
        for image in images:
            known = candidates.get(image.image_id)
            reasons = (*known.reasons, reason) if known else (reason,)
            candidates[image.image_id] = Candidate(image, reasons)
    return candidates


def also_taken(
    candidates: Mapping[str, Candidate], images: Iterable[Image], taken: Mapping[str, tuple[str, ...]]
) -> dict[str, Candidate]:
    """The images that delete rules take, with their reasons behind those of the policies."""
    return {
        image.image_id: Candidate(image, candidates[image.image_id].reasons + taken[image.image_id])
        if image.image_id in candidates
        else Candidate(image, taken[image.image_id])
        for image in images
        if image.image_id in taken
    }


def spared(
    candidates: Iterable[Candidate], rules: Iterable[Rule], taken: Mapping[str, tuple[str, ...]]
) -> list[Image]:
    """The images of those candidates that only rules took, and that none takes any more."""
    by_rules = {label(rule) for rule in rules}
    return [
        candidate.image
        for candidate in candidates
        if candidate.image.image_id not in taken and by_rules.issuperset(candidate.reasons)
    ]


def over_share(going: int, images: int, max_share: float) -> bool:
    """Whether deleting ``going`` of a repository's ``images`` is more than its ``max_share`` allows."""
    return images >= SMALL_REPOSITORY and going > max_share * images + 1e-9


def changed(candidate: Candidate, now: Mapping[str, Image]) -> Literal["gone", "gained a tag"] | None:
    """What happened to a candidate since its dry run, if it must not be deleted for it."""
    image = now.get(candidate.image.image_id)
    if image is None:
        return "gone"
    return "gained a tag" if set(image.tags) - set(candidate.image.tags) else None
