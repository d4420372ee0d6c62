"""A plan: the images that a run in mode ``plan`` would delete, kept until a person says yes or no. No I/O, no clock.

A plan's file is one JSON object, ``{"created_at": ..., "takers": ..., "report": ..., "images": [...]}``, an image a line.
Its id is the moment at which it was made and a hash of all that follows ``created_at``: whatever is changed in the
file, the id fits it no longer, and plans that say the same have the same hash.

``takers`` tells for each repository what takes its images (the reasons in the report), and a hash of how that is
defined: a policy or rule that has been changed since is another one, whatever its name.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared import guards, json_file
from shared.events import Pushed
from shared.records import Candidate, Image, PolicyResult
from shared.rule_settings import Rule
from shared.rules import label

ID = re.compile(r"([0-9]{8}T[0-9]{12}Z)-([0-9a-f]{32})", re.ASCII)
STAMP = "%Y%m%dT%H%M%S%fZ"
DIFFERS = ("run_id", "plan_id", "started_at", "finished_at", "retries", "images", "images_truncated")

Takers = dict[str, str]


class Planned(msgspec.Struct, frozen=True, gc=False):
    """An image as a row of the file says; ``outcome`` is ``would-delete`` or ``protected``."""

    image_id: str
    registry_id: str
    repository: str
    digest: str
    tags: tuple[str, ...]
    created_at: str
    size_bytes: int
    outcome: str
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
    """What a plan would delete: by the repository's full name, its images by id; ``takers`` by full name too."""

    plan_id: str
    images: dict[str, dict[str, Planned]]
    takers: dict[str, Takers]

    @property
    def repositories(self) -> frozenset[Pushed]:
        return frozenset(Pushed(name.partition("/")[0], name) for name in self.images)

    def has(self, full_name: str, image: Image) -> bool:
        """Whether the plan has the image as it is, or with more tags than it has now."""
        planned = self.images.get(full_name, {}).get(image.image_id)
        return planned is not None and not _differs(planned, image)


class _File(msgspec.Struct):
    created_at: str
    takers: dict[str, Takers]
    images: list[Planned]


def takers(results: Iterable[PolicyResult], rules: Iterable[Rule]) -> Takers:
    """What may take images of a repository, and a hash of how each is defined."""
    found: dict[str, list[str]] = {}
    for result in results:
        if result.applied:
            found.setdefault(f"policy {result.policy.label}", []).append(result.policy.definition)
    for rule in rules:
        if rule.action == "delete":
            found.setdefault(label(rule), []).append(hashlib.sha256(msgspec.json.encode(rule)).hexdigest())
    return {reason: " ".join(sorted(definitions)) for reason, definitions in found.items()}


def head(takers: Mapping[str, Takers], report: Mapping[str, Any]) -> dict[str, Any]:
    """All of the file but the moment and the images, without what tells apart runs that found the same."""
    same = {name: value for name, value in report.items() if name not in DIFFERS}
    same["policies"] = [{**policy, "dry_run_result_id": ""} for policy in report["policies"]]
    for name in ("policies", "warnings", "errors"):
        same[name] = sorted(same[name], key=lambda row: json.dumps(row, sort_keys=True))
    return {"takers": takers, "report": same}


def beginning(made_at: datetime) -> bytes:
    return f'{{"created_at": "{made_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}", '.encode()


def rest(head: Mapping[str, Any], rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """The file after its `beginning`."""
    whole = json_file.chunks(json.dumps(head, sort_keys=True), "images", map(msgspec.json.encode, rows))
    yield next(whole)[1:]
    yield from whole


def identify(made_at: datetime, rest: Iterable[bytes]) -> str:
    hashed = hashlib.sha256()
    for part in rest:
        hashed.update(part)
    return f"{made_at.astimezone(UTC):{STAMP}}-{hashed.hexdigest()[:32]}"


def made_at(plan_id: str) -> datetime:
    """The moment in a plan's id. Raises ValueError for what is no plan's id."""
    found = ID.fullmatch(plan_id)
    if not found:
        raise ValueError("not a plan's id")
    return datetime.strptime(found[1], STAMP).replace(tzinfo=UTC)


def is_unchanged(plan_id: str, text: bytes) -> bool:
    """Whether the file is, byte by byte, the one that got this id."""
    moment = made_at(plan_id)
    start = beginning(moment)
    return text.startswith(start) and identify(moment, [text[len(start) :]]) == plan_id


def read(plan_id: str, text: bytes) -> Plan:
    """The plan in a file that `is_unchanged`."""
    file = msgspec.json.decode(text, type=_File)
    images: dict[str, dict[str, Planned]] = {}
    for image in file.images:
        if image.outcome == "would-delete":
            images.setdefault(f"{image.registry_id}/{image.repository}", {})[image.image_id] = image
    return Plan(plan_id, images, file.takers)


def report(plan_id: str, text: bytes) -> dict[str, Any]:
    """The report of the run that made the plan, as far as its file, which `is_unchanged`, has it."""
    file = msgspec.json.decode(text, type=dict[str, Any])
    moment = {"started_at": file["created_at"], "finished_at": file["created_at"]}
    rows = {"images": file["images"], "images_truncated": False}
    return {"run_id": "", "plan_id": plan_id, **moment, **file["report"], **rows}


def change(planned: Planned, now: Candidate | None, were: Takers, are: Takers) -> str:
    """What has changed about a planned image for which it must stay; ``now`` is it as taken today. "" for nothing."""
    if now is None or not set(planned.reasons) <= set(now.reasons):
        return "what took it does so no longer"
    if any(were.get(reason) != are.get(reason) for reason in planned.reasons):
        return "what takes it has been changed"
    return _differs(planned, now.image)


def _differs(planned: Planned, image: Image) -> str:
    if image.digest != planned.digest:
        return "it has another digest"
    return "it has gained a tag" if set(image.tags) - set(planned.tags) else ""
