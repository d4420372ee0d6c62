"""The steps of a plan: what each line says, and what it changes. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from shared.deploy import recorded
from shared.deploy.api import EVERYONE, Binding, Kind, Version
from shared.deploy.found import Found
from shared.deploy.roles import Grant, Target
from shared.deploy.wanted import LIVE

LABELS_ALONE = "left: carries the deployment's labels, but not a name of its"
SHOWN = {"account": "service account", "secret": "Lockbox secret"}


class Create(msgspec.Struct, frozen=True):
    """An item is made. A secret's body has no payload: it is drawn when it is made."""

    kind: Kind
    name: str
    body: dict[str, Any]


class CreateBucket(msgspec.Struct, frozen=True):
    name: str
    body: dict[str, Any]


class CreateVersion(msgspec.Struct, frozen=True):
    function: str
    body: dict[str, Any]


class SetTag(msgspec.Struct, frozen=True):
    function: str
    version_id: str
    tag: str


class UpdateTrigger(msgspec.Struct, frozen=True):
    name: str
    trigger_id: str
    rule: dict[str, Any]


class Bind(msgspec.Struct, frozen=True):
    target: Target
    target_id: str
    add: list[Binding]
    remove: list[Binding]


class Delete(msgspec.Struct, frozen=True):
    kind: Kind
    name: str
    item_id: str


class DeleteBucket(msgspec.Struct, frozen=True):
    name: str


class DeleteVersion(msgspec.Struct, frozen=True):
    function: str
    version_id: str


Change = (
    Create
    | CreateBucket
    | CreateVersion
    | SetTag
    | UpdateTrigger
    | Bind
    | Delete
    | DeleteBucket
    | DeleteVersion
)


class Step(msgspec.Struct, frozen=True):
    """One line of the plan: ``details`` are the lines below it, ``change`` is None for what is left as it
    is.
    """

    action: Literal["create", "change", "delete", "leave"]
    what: str
    why: str = ""
    details: tuple[str, ...] = ()
    change: Change | None = None


def bind_step(
    target: Target,
    facts: Found,
    add: list[Binding],
    remove: list[Binding],
    needed: dict[Binding, Grant],
    why: str = "",
) -> Step:
    details = [f"+ {_granted(binding, needed[binding].why, facts)}" for binding in add]
    details += [f"- {_granted(binding, 'no longer needed', facts)}" for binding in remove]
    what = f"roles on {target.kind} {target.name}"
    action: Literal["create", "change", "delete"] = "create" if not remove else "change" if add else "delete"
    return Step(action, what, why, tuple(details), Bind(target, facts.target_id(target), add, remove))


def _granted(binding: Binding, why: str, facts: Found) -> str:
    holders = {item.id: name for name, item in facts.items["account"].items()}
    holder = (
        "everyone" if binding.subject == EVERYONE else holders.get(binding.subject.id, binding.subject.id)
    )
    return f"{binding.role_id} for {holder} ({why})"


def move_step(function: str, tag: str, to: Version, holder: Version | None, why: str) -> Step:
    details = [f"{holder.id if holder else 'nothing'} -> {to.id}, made at {to.created_at}"]
    if holder and tag == LIVE:
        details += recorded.changes(recorded.of(holder), recorded.of(to))
    return Step("change", f"tag {tag} of {function}", why, tuple(details), SetTag(function, to.id, tag))


def delete_step(kind: Kind, name: str, facts: Found) -> Step:
    what = f"{SHOWN.get(kind, kind)} {name}"
    return Step("delete", what, "", (), Delete(kind, name, facts.id_of(kind, name)))


def left_steps(facts: Found) -> Iterator[Step]:
    """What carries the deployment's labels and is not its own."""
    for kind, names in facts.labelled.items():
        for name in names:
            yield Step("leave", f"{SHOWN.get(kind, kind)} {name}", LABELS_ALONE)
