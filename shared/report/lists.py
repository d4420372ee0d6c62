"""The lists of a report for a terminal: repositories with what goes and stays there, images, policies."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from shared.report import sentence
from shared.report.contract import ImageRow, PolicyRow, Report
from shared.report.legend import Legend
from shared.report.sentence import GUARDS, Held, service_title, short_digests
from shared.report.summary import size
from shared.report.tables import Column

DAMAGE = ("broken-index", "partial-index", "orphaned-referrer")
GONE = ("would-delete", "deleted")
STAY = ("failed", "protected", "remaining")


class Repository(msgspec.Struct):
    """What goes of a repository and what stays of its candidates; sizes add up the images' own."""

    name: str
    registry_id: str
    service: str = ""
    images: int = 0
    go: int = 0
    go_bytes: int = 0
    kept: int = 0
    held: int = 0
    failed: int = 0


def repositories(report: Report) -> list[Repository]:
    """Those with candidates, where most goes first; of a part of the images, if the report has no more."""
    every = _repositories(report)
    touched = [row for row in every.values() if row.go or row.kept or row.held or row.failed]
    return sorted(touched, key=lambda row: (-row.go_bytes, -row.go, -row.held, row.name))


def unchanged(report: Report) -> int:
    """How many repositories have no candidate."""
    return len(_repositories(report)) - len(repositories(report))


def _repositories(report: Report) -> dict[tuple[str, str], Repository]:
    several = len({row.registry_id for row in report.images}) > 1
    every = {
        (row.registry_id, row.repository): Repository(
            f"{row.registry_id}/{row.repository}" if several else row.repository,
            row.registry_id,
            images=row.images,
        )
        for row in report.repositories
    }
    for image in report.images:
        key = image.registry_id, image.repository
        row = every.setdefault(key, Repository(image.repository, image.registry_id))
        row.service = service_title(image.service)
        if image.outcome in GONE:
            row.go += 1
            row.go_bytes += image.size_bytes
        row.kept += image.outcome == "protected"
        row.held += image.outcome == "remaining"
        row.failed += image.outcome == "failed"
    return every


def _number(count: int) -> str:
    return f"{count:,}" if count else ""


REPOSITORIES: list[Column[Repository]] = [
    Column("repository", lambda row: row.name),
    Column("images", lambda row: _number(row.images), number=True),
    Column("delete", lambda row: _number(row.go), number=True),
    Column("size", lambda row: size(row.go_bytes) if row.go else "", number=True),
    Column("keep", lambda row: _number(row.kept), number=True),
    Column("hold", lambda row: _number(row.held), number=True),
    Column("failed", lambda row: _number(row.failed), number=True),
    Column("service", lambda row: row.service),
]


HELD: list[Column[Held]] = [
    Column("images", lambda row: f"{row.count:,}", number=True),
    Column("in", lambda row: row.where),
    Column("by", lambda row: row.why),
]


def policies(legend: Legend | None) -> list[Column[PolicyRow]]:
    says = legend.says if legend else {}
    return [
        Column("policy", lambda row: row.policy_name or row.policy_id),
        Column("takes", lambda row: f"{row.candidates:,}", number=True),
        Column("status", lambda row: row.status if row.applied else f"{row.status}, not applied"),
        Column("repository", lambda row: row.repository or "all repositories"),
        Column("service", lambda row: service_title(row.service)),
        Column("says", lambda row: says.get(f"policy {row.policy_name or row.policy_id}", "")),
    ]


def images(legend: Legend | None) -> list[Column[ImageRow]]:
    return [
        *_IMAGE,
        Column("outcome", lambda row: row.outcome),
        Column("why", lambda row: why(row, legend)),
    ]


def stays() -> list[Column[ImageRow]]:
    """The same of images that stay: what keeps them, not what takes them."""
    return [*_IMAGE, Column("why", lambda row: f"{row.outcome}: {why(row, None, reasons=False)}")]


def _digest(row: ImageRow) -> str:
    return f"{row.repository}@{short_digests(row.digest)}"


_IMAGE: list[Column[ImageRow]] = [
    Column("image", lambda row: f"{row.repository}:{', '.join(row.tags)}" if row.tags else _digest(row)),
    Column("created", lambda row: row.created_at[:10]),
    Column("size", lambda row: size(row.size_bytes), number=True),
]


def why(row: ImageRow, legend: Legend | None, *, reasons: bool = True) -> str:
    """Why the image stays, with the guard in words, and what takes it, with what that says."""
    says = legend.says.get(row.reason, "") if legend else ""
    reason = f"{row.reason}: {says}" if says else row.reason
    kept = ": ".join(filter(None, (GUARDS.get(row.guard or "", row.guard), row.kept_by)))
    if not kept:
        return reason
    return short_digests(f"{kept}; taken by {reason}" if reasons else kept)


def newest_first(rows: Iterable[ImageRow]) -> list[ImageRow]:
    """By repository, the newest first there, the bigger of equals."""
    newest = sorted(rows, key=lambda row: (row.created_at, row.size_bytes), reverse=True)
    return sorted(newest, key=lambda row: (row.registry_id, row.repository))


def notable(report: Report) -> list[ImageRow]:
    """The images that stay although something takes them, those that need a look first; of images that a
    limit keeps, its sentence tells.
    """
    limits = {held.why for held in sentence.held(report) if held.count > 1}
    rows = [row for row in report.images if row.outcome in STAY and row.kept_by not in limits]
    return sorted(newest_first(rows), key=lambda row: STAY.index(row.outcome))
