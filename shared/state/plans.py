"""The plans in the state, their files, and what was decided about them.

``plans/<plan id>.json``       a plan, written once
``plans/<plan id>.decision``   whether it was carried out or rejected; whoever creates this object has
                               decided

A plan's file is one JSON object, ``{"created_at": ..., "legend": ..., "takers": ..., "report": ...,
"images": [...]}``, an image a line. The id of a plan is the moment at which it was made, and a hash of all
that follows ``created_at``. If anybody changes the file, the id fits it no longer. Plans that say the same
have the same hash.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, TypeVar

import msgspec

from shared.errors import OverrideRefused, PlanRefused
from shared.retention.moments import duration, timestamp
from shared.retention.plan import Plan, Planned, Takers
from shared.settings.settings import Settings
from shared.state import json_file
from shared.state.store import Store, body, write_once

FOLDER = "plans/"
CARRIED_OUT, REJECTED = "carried out", "rejected"
ID = re.compile(r"([0-9]{8}T[0-9]{12}Z)-([0-9a-f]{32})", re.ASCII)
STAMP = "%Y%m%dT%H%M%S%fZ"
Report = TypeVar("Report", bound=msgspec.Struct)
Legend = TypeVar("Legend", bound=msgspec.Struct)
DIFFERS = ("run_id", "plan_id", "started_at", "finished_at", "retries", "images", "images_truncated")


class Decision(msgspec.Struct, frozen=True):
    """``what`` is ``carried out`` or ``rejected``, ``at`` an RFC 3339 time, ``by`` a run's id."""

    what: str = CARRIED_OUT
    at: str = ""
    by: str = ""

    def __str__(self) -> str:
        at = f" at {self.at}" if self.at else ""
        by = f" by the run {self.by}" if self.by else ""
        return f"was {self.what}{at}{by}"


def save(
    state: Store,
    head: Mapping[str, Any],
    rows: Callable[[], Iterable[msgspec.Struct]],
    now: datetime,
    valid: timedelta,
) -> str:
    """Keeps a plan and returns its id: that of an open plan that says the same, if there is one. Raises
    StateError.

    ``rows`` is called twice, so that the rows need not be held.
    """
    plan_id = identify(now, rest(head, rows()))
    names = [name.removeprefix(FOLDER) for name in state.names(FOLDER)]
    for name in reversed(names):
        same = name.removesuffix(".json")
        if (
            same[-32:] == plan_id[-32:]
            and f"{same}.decision" not in names
            and _is_open(state, same, now, valid)
        ):
            return same
    write_once(state, f"{FOLDER}{plan_id}.json", chain([beginning(now)], rest(head, rows())))
    return plan_id


def _is_open(state: Store, plan_id: str, now: datetime, valid: timedelta) -> bool:
    try:
        check_open(state, plan_id, now, valid)
        text(state, plan_id)
    except PlanRefused:
        return False
    return True


def text(state: Store, plan_id: str) -> bytes:
    """The plan's file as it was written. Raises PlanRefused, StateError."""
    try:
        made_at(plan_id)
    except ValueError:
        raise PlanRefused(
            "That is no plan's id; give one as a report in mode plan has it.", http_status=404
        ) from None
    file = body(state.read(f"{FOLDER}{plan_id}.json"))
    if file is None:
        raise PlanRefused(
            f"There is no plan {plan_id} in {state.where}; make one in mode plan.", http_status=404
        )
    if not is_unchanged(plan_id, file):
        raise PlanRefused(
            f"The file of the plan {plan_id} has been changed since it was written, so it is not used; make a"
            " new plan."
        )
    return file


def load(state: Store, plan_id: str, now: datetime, valid: timedelta) -> Plan:
    """The plan, if it may be carried out now. Raises PlanRefused, StateError."""
    file = text(state, plan_id)
    check_open(state, plan_id, now, valid)
    return read(plan_id, file)


def check_open(state: Store, plan_id: str, now: datetime, valid: timedelta) -> None:
    """Raises PlanRefused for a plan that was decided about, or is too old; StateError."""
    check_undecided(state, plan_id)
    if now >= ends_at(plan_id, valid):
        raise PlanRefused(
            f"The plan {plan_id} ran out at {timestamp(ends_at(plan_id, valid))} (plans.valid_for); make a"
            " new plan.",
            http_status=410,
        )


def check_undecided(state: Store, plan_id: str) -> None:
    """Raises PlanRefused, StateError."""
    decided = decision(state, plan_id)
    if decided:
        raise PlanRefused(f"The plan {plan_id} {decided}; a plan runs once. Make a new plan.")


def open_ids(state: Store, now: datetime, valid: timedelta) -> list[str]:
    """The ids of the plans that nobody has decided about and that have not run out, newest first.

    Raises StateError.
    """
    names = set(state.names(FOLDER))
    ids = [name.removeprefix(FOLDER).removesuffix(".json") for name in names if name.endswith(".json")]
    return sorted(
        (
            plan_id
            for plan_id in ids
            if ID.fullmatch(plan_id)
            and f"{FOLDER}{plan_id}.decision" not in names
            and now < ends_at(plan_id, valid)
        ),
        reverse=True,
    )


def ends_at(plan_id: str, valid: timedelta) -> datetime:
    return made_at(plan_id) + valid


def decision(state: Store, plan_id: str) -> Decision | None:
    """The decision about the plan, None while it is open. Raises StateError."""
    file = body(state.read(f"{FOLDER}{plan_id}.decision"))
    if file is None:
        return None
    try:
        return msgspec.json.decode(file, type=Decision)
    except msgspec.DecodeError:  # whoever wrote it was cut off: it may have begun to delete
        return Decision()


def decide(state: Store, plan_id: str, decided: Decision) -> None:
    """Settles what becomes of the plan, unless that is settled. Raises PlanRefused, StateError."""
    if state.create(f"{FOLDER}{plan_id}.decision", [msgspec.json.encode(decided)]) is None:
        check_undecided(state, plan_id)
        raise PlanRefused(f"The plan {plan_id} is just being decided about by another run; look again later.")


class _File(msgspec.Struct):
    created_at: str
    takers: dict[str, Takers]
    images: list[Planned]


class _Reported(msgspec.Struct):
    """The same file, as its report is read: the images stay JSON until they are rows."""

    created_at: str
    report: dict[str, Any]
    images: msgspec.Raw


class _Explained(msgspec.Struct):
    legend: dict[str, Any] = {}


def head(
    takers: Mapping[str, Takers], report: Mapping[str, Any], legend: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """All of the file but the moment and the images. Runs that decide the same have the same head.

    ``report`` is the report as JSON, ``legend`` what its ids and reasons mean to people.
    """
    same = {name: value for name, value in report.items() if name not in DIFFERS}
    same["policies"] = [{**policy, "dry_run_result_id": ""} for policy in report["policies"]]
    for name in ("policies", "warnings", "errors"):
        same[name] = sorted(same[name], key=lambda row: json.dumps(row, sort_keys=True))
    return {"takers": takers, "report": same, **({"legend": legend} if legend else {})}


def beginning(made_at: datetime) -> bytes:
    return f'{{"created_at": "{made_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}", '.encode()


def rest(head: Mapping[str, Any], rows: Iterable[msgspec.Struct]) -> Iterator[bytes]:
    """The file after its `beginning`."""
    chunks = json_file.chunks(json.dumps(head, sort_keys=True), "images", map(msgspec.json.encode, rows))
    yield next(chunks)[1:]
    yield from chunks


def identify(made_at: datetime, rest: Iterable[bytes]) -> str:
    hashed = hashlib.sha256()
    for part in rest:
        hashed.update(part)
    return f"{made_at.astimezone(UTC):{STAMP}}-{hashed.hexdigest()[:32]}"


def made_at(plan_id: str) -> datetime:
    """The moment in a plan's id. Raises ValueError for what is no plan's id."""
    parts = ID.fullmatch(plan_id)
    if not parts:
        raise ValueError("not a plan's id")
    return datetime.strptime(parts[1], STAMP).replace(tzinfo=UTC)


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


def report(plan_id: str, text: bytes, kind: type[Report]) -> Report:
    """The report of the run that made the plan, as a ``kind``, as far as its file, which `is_unchanged`, has
    it.
    """
    file = msgspec.json.decode(text, type=_Reported)
    moment = {"started_at": file.created_at, "finished_at": file.created_at}
    rows = {"images": file.images, "images_truncated": False}
    document = {"run_id": "", "plan_id": plan_id, **moment, **file.report, **rows}
    return msgspec.json.decode(msgspec.json.encode(document), type=kind)


def legend(text: bytes, kind: type[Legend]) -> Legend:
    """What the ids and the reasons in the plan's file mean to people, as a ``kind``."""
    return msgspec.convert(msgspec.json.decode(text, type=_Explained).legend, kind)


def kept_in(state: Store | None) -> Store:
    """Where plans are kept. Raises PlanRefused."""
    if state is None:
        raise PlanRefused(
            "Neither STATE_BUCKET nor STATE_DIR is set, and plans are kept there; set STATE_BUCKET to a"
            " bucket, or STATE_DIR to a directory of this machine.",
            where="STATE_BUCKET",
        )
    return state


def to_carry_out(state: Store | None, settings: Settings, plan_id: str) -> Plan:
    """The plan, if it may be carried out now. Raises OverrideRefused, PlanRefused, StateError."""
    if settings.mode == "dry-run":
        raise OverrideRefused(
            "In mode dry-run no event deletes anything, and no plan is carried out; set CLEANUP_MODE to plan"
            " or apply.",
            where="CLEANUP_MODE",
        )
    return load(kept_in(state), plan_id, datetime.now(UTC), duration(settings.plans.valid_for))
