"""The report as the contract has it: what each key means, and its unit or format.

A report is built of these records and read as these records. It is a JSON object in four places alone: a
handler's answer, ``--json``, a signed notification, and a file in the state directory. The keys come in the
order of the fields.

Times are RFC 3339 text in UTC (``2026-11-25T03:00:00Z``), sizes are bytes, ids are the cloud's own. What a
report of an earlier version does not say has a default here, so that every stored report can be read.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from shared.retention.records import ImageFacts, Notice, OutcomeName, Problem, Service, Totals

STATUSES = ("ok", "partial", "failed", "refused", "held-back", "unfinished")

Mode = Annotated[str, msgspec.Meta(extra_json_schema={"enum": ["dry-run", "plan", "apply"]})]
Status = Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(STATUSES)})]
PolicyStatus = Annotated[str, msgspec.Meta(description="ACTIVE or DISABLED, as the cloud says it")]


class ImageRow(ImageFacts, frozen=True, gc=False, kw_only=True):
    """A candidate and what became of it.

    ``reason`` names the policies and rules that take it, joined by commas; ``guard`` is the guard that
    protects it, and ``kept_by`` what that guard found, or the limit that keeps the image; null where nothing
    keeps it.
    """

    outcome: OutcomeName
    reason: str
    guard: str | None
    kept_by: str | None = None


class PlanRow(ImageRow, frozen=True, gc=False, kw_only=True):
    """A row of a plan's file: ``reasons`` are the same as ``reason``, one by one."""

    reasons: tuple[str, ...]


class PolicyRow(msgspec.Struct, frozen=True, kw_only=True):
    """A native lifecycle policy's dry run in one repository.

    ``applied`` tells whether images may be deleted in its name; ``candidates`` is how many images it takes.
    """

    service: Service = "container-registry"
    policy_id: str
    policy_name: str
    registry_id: str
    repository: str
    status: PolicyStatus
    applied: bool
    dry_run_result_id: str
    candidates: int


class RepositoryRow(msgspec.Struct, frozen=True, kw_only=True):
    """How much a repository held before the run; ``size_bytes`` counts a layer that images share in each of
    them.
    """

    registry_id: str
    repository: str
    images: int
    size_bytes: int


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What the freed bytes cost a month, in ``currency``, to two decimal places."""

    currency: str
    reclaimed_per_month: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a run found and did.

    ``plan_id`` is the plan that the run made or carried out. ``status`` is the worst that holds.
    ``finished_at`` is null for a run that was cut off. ``images_truncated``: there are more candidates than
    rows in ``images``. ``retries`` counts requests that were sent again; ``price`` is there if the settings
    name a price.
    """

    run_id: str
    plan_id: str | None
    mode: Mode
    status: Status
    started_at: str
    finished_at: str | None
    totals: Totals
    repositories: list[RepositoryRow] = []
    policies: list[PolicyRow]
    images: list[ImageRow]
    images_truncated: bool
    warnings: list[Notice]
    errors: list[Problem]
    retries: int | UnsetType = UNSET
    price: Price | UnsetType = UNSET
