"""A plan: the images that a run in mode ``plan`` would delete, kept until a person says yes or no. No I/O, no clock.

A plan's file is one JSON object, ``{"created_at": ..., "takers": ..., "report": ..., "images": [...]}``, an image a line.
Its id is the moment at which it was made and a hash of all that follows ``created_at``: whatever is changed in the
file, the id fits no longer; and two plans of the same content, made at different times, are told by the same hash.

``takers`` says for each repository by what its images are taken, and how that is defined (a hash): a policy that has
been changed since is another one, whatever its name.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.records import Candidate, Image, PolicyResult

ID = re.compile(r"([0-9]{8}T[0-9]{12}Z)-([0-9a-f]{32})")
STAMP = "%Y%m%dT%H%M%S%fZ"
FOLLOWS = ", with its image"
# What tells runs apart that found the same.
VOLATILE = ("run_id", "plan_id", "started_at", "finished_at", "retries", "images", "images_truncated")

Takers = dict[str, dict[str, str]]


class Planned(msgspec.Struct, frozen=True, gc=False):
    """An image of a plan, as its row in the file says; ``outcome`` is ``would-delete`` or ``protected``."""

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
    def full_name(self) -> str:
        return f"{self.registry_id}/{self.repository}"

    @property
    def follows(self) -> bool:
        """Whether nothing takes it but that the image goes to which it refers."""
        return all(reason.endswith(FOLLOWS) for reason in self.reasons)

    def candidate(self) -> Candidate:
        image = Image(self.image_id, self.digest, self.tags, self.created_at, self.size_bytes, b"")
        return Candidate(image, self.reasons)


class Plan(msgspec.Struct, frozen=True):
    """A plan that may be carried out: by repository, by its full name, the images that it would delete, by id."""

    plan_id: str
    created_at: datetime
    takers: Takers
    images: dict[str, dict[str, Planned]]


class _File(msgspec.Struct):
    created_at: str
    takers: Takers
    images: list[Planned]


def takers(results: Iterable[PolicyResult]) -> dict[str, str]:
    """For each reason that an image of one repository can have, how what takes it is defined."""
    found: dict[str, list[str]] = {}
    for result in results:
        if result.applied:
            found.setdefault(f"policy {result.policy.label}", []).append(result.policy.definition)
    return {reason: " ".join(sorted(definitions)) for reason, definitions in found.items()}


def head(takers: Takers, report: Mapping[str, Any]) -> dict[str, Any]:
    """All of the file but the moment and the images."""
    policies = [{**policy, "dry_run_result_id": ""} for policy in report["policies"]]
    same = {name: value for name, value in report.items() if name not in VOLATILE}
    return {"takers": takers, "report": {**same, "policies": policies}}


def content(head: Mapping[str, Any], rows: Iterable[bytes]) -> Iterator[bytes]:
    """What the id's hash is made of: the file but for its beginning, which is `beginning`."""
    yield json.dumps(head).encode()[1:-1] + b', "images": ['
    separator = b"\n"
    for row in rows:
        yield separator + row
        separator = b",\n"
    yield b"\n]}\n"


def beginning(made_at: str) -> bytes:
    return json.dumps({"created_at": made_at}).encode()[:-1] + b", "


def digest(parts: Iterable[bytes]) -> str:
    sha256 = hashlib.sha256()
    for part in parts:
        sha256.update(part)
    return sha256.hexdigest()[:32]


def made_at(plan_id: str) -> datetime:
    """The moment in a plan's id. Raises ValueError for what is no plan's id."""
    found = ID.fullmatch(plan_id)
    if not found or not plan_id.isascii():
        raise ValueError("not a plan's id")
    return datetime.strptime(found[1], STAMP).replace(tzinfo=UTC)


def unchanged(plan_id: str, text: bytes) -> bool:
    """Whether the file is, byte by byte, the one that got this id."""
    start = beginning(made_at(plan_id).isoformat())
    return text.startswith(start) and digest([text[len(start) :]]) == plan_id.rpartition("-")[2]


def read(plan_id: str, text: bytes) -> Plan:
    """The plan in a file that is `unchanged`."""
    file = msgspec.json.decode(text, type=_File)
    images: dict[str, dict[str, Planned]] = {}
    for image in file.images:
        if image.outcome == "would-delete":
            images.setdefault(image.full_name, {})[image.image_id] = image
    return Plan(plan_id, made_at(plan_id), file.takers, images)


def report(plan_id: str, text: bytes) -> dict[str, Any]:
    """The report of the run that made the plan, as far as the plan has it."""
    file = msgspec.json.decode(text, type=dict[str, Any])
    moment = file["created_at"]
    return {
        "run_id": "",
        "plan_id": plan_id,
        "started_at": moment,
        "finished_at": moment,
        **file["report"],
        "images": file["images"],
        "images_truncated": False,
    }


def change(
    planned: Planned, now: Candidate | None, were: Mapping[str, str], are: Mapping[str, str]
) -> str | None:
    """What has happened to an image of a plan since, if it must stay for it; ``were`` and ``are`` are `takers`."""
    if now is None or not set(planned.reasons) <= set(now.reasons):
        return "what took it takes it no longer"
    if any(were.get(reason) != are.get(reason) for reason in planned.reasons):
        return "what takes it has been changed"
    if now.image.digest != planned.digest:
        return "it has another digest"
    if set(now.image.tags) - set(planned.tags):
        return "it has gained a tag"
    return None
