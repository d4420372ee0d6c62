"""From what there is to what is wanted: the steps, each with what it is for. Pure.

The steps come in the order in which they can be done: what is made first has its id when the next one needs it. An id
that is not known yet is "" in a step; the difference is taken anew after each step is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from shared.deploy import wanted
from shared.deploy.api import EVERYONE, Binding, Kind, Subject, Version
from shared.deploy.config import Config
from shared.deploy.found import KINDS, Found
from shared.deploy.names import Names
from shared.deploy.roles import Grant, Target, grants
from shared.deploy.wanted import LIVE, PREVIOUS
from shared.errors import DeploymentRefused

USABLE = ("ACTIVE", "CREATING", "")
SHOWN = {"account": "service account", "secret": "Lockbox secret"}


class Create(msgspec.Struct, frozen=True):
    """An item or a bucket is made. A secret's body has no payload: it is drawn when it is made."""

    kind: str
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
    kind: str
    name: str
    item_id: str


Change = Create | CreateVersion | SetTag | UpdateTrigger | Bind | Delete


class Step(msgspec.Struct, frozen=True):
    """One line of the plan: ``details`` are the lines below it, ``change`` is None for what is left as it is."""

    action: Literal["create", "change", "delete", "leave"]
    what: str
    why: str = ""
    details: tuple[str, ...] = ()
    change: Change | None = None


def difference(config: Config, archive: bytes, found: Found) -> list[Step]:
    """What is to be done, and what is left. Raises DeploymentRefused when something else has a name that is needed."""
    return [
        *_items(config, found),
        *_buckets(config, found),
        *_functions(config, found),
        *_roles(config, found),
        *(step for name in wanted.functions(config) for step in _version(config, found, name, archive)),
        *_triggers(config, found),
        *_unwanted(config, found),
    ]


def removal(config: Config, found: Found, *, with_state: bool) -> list[Step]:
    """What is to be deleted so that nothing of ours is left, and what stays all the same."""
    own_buckets = {name: Names(config.deploy.name).are_on(one.labels) for name, one in found.buckets.items()}
    kept = [name for name, own in own_buckets.items() if not (own and with_state)]
    steps = [_delete("trigger", name, found) for name in found.items["trigger"]]
    steps += [_delete("function", name, found) for name in found.items["function"]]
    for target, held in found.roles.items():
        stays = target.name in kept if target.kind == "bucket" else target.kind not in ("function", "secret")
        if stays and held:
            steps.append(_bind(target, found, [], sorted(held, key=repr), {}))
    steps += [_delete("secret", name, found) for name in found.items["secret"]]
    for name, own in own_buckets.items():
        if name not in kept:
            steps.append(Step("delete", f"bucket {name}", "the state", (), Delete("bucket", name, name)))
        else:
            why = "its state is kept; --delete-state deletes it too" if own else "it was there before"
            steps.append(Step("leave", f"bucket {name}", why))
    return steps + [_delete("account", name, found) for name in found.items["account"]]


def earlier_versions(config: Config, found: Found) -> dict[str, str]:
    """The id of the version before the live one, by function. Raises DeploymentRefused when there is none."""
    earlier = {}
    for name in wanted.functions(config):
        live, versions = found.version_with(name, LIVE), found.versions.get(name, [])
        usable = [one for one in versions[: versions.index(live)] if one.status in USABLE] if live else []
        if not usable:
            raise DeploymentRefused(
                f"The function {name} has no version before the one that is live; nothing is changed.",
                where=name,
            )
        earlier[name] = usable[-1].id
    return earlier


def moves(to: Mapping[str, str], found: Found) -> list[Step]:
    """The tag ``live`` of each function goes to the version with that id."""
    steps = []
    for name, version_id in to.items():
        live = found.version_with(name, LIVE)
        version = next((one for one in found.versions.get(name, ()) if one.id == version_id), None)
        if version and version != live:
            steps.append(_move(name, LIVE, version, live, "the version before"))
    return steps


def _items(config: Config, found: Found) -> Iterator[Step]:
    for name, why in wanted.accounts(config).items():
        yield _item("account", name, why, config, found)
    for name in wanted.secrets(config):
        why = "drawn here, kept in Lockbox alone"
        yield _item("secret", name, why, config, found)


def _functions(config: Config, found: Found) -> Iterator[Step]:
    for name, entry_point in wanted.functions(config).items():
        yield _item("function", name, entry_point, config, found)


def _item(kind: Kind, name: str, why: str, config: Config, found: Found) -> Step:
    what = f"{SHOWN.get(kind, kind)} {name}"
    if name in found.items[kind]:
        return Step("leave", what, why)
    _refuse_taken(kind, name, found)
    body = wanted.item_body(config, name, f"registry-janitor: {why}")
    return Step("create", what, why, (), Create(kind, name, body))


def _refuse_taken(kind: Kind, name: str, found: Found) -> None:
    if name in found.taken[kind]:
        raise DeploymentRefused(
            f"There is a {SHOWN.get(kind, kind)} {name} that this deployment has not made (it lacks the labels); it is"
            " left alone. Give the deployment another deploy.name.",
            where="deploy.name",
        )


def _buckets(config: Config, found: Found) -> Iterator[Step]:
    name = config.deploy.state_bucket
    if not name:
        return
    why = "for the journal, the plans and the reports"
    if name in found.buckets:
        yield Step("leave", f"bucket {name}", why)
    else:
        yield Step(
            "create", f"bucket {name}", why, (), Create("bucket", name, wanted.bucket_body(config, name))
        )


def _roles(config: Config, found: Found) -> Iterator[Step]:
    """What our accounts lack is added, and what they hold without need is removed; nobody else's roles are touched."""
    asked: dict[Target, dict[Binding, Grant]] = {}
    for grant in grants(config, found.registries):
        asked.setdefault(grant.target, {})[binding(grant, config, found)] = grant
    gone = {(kind, name) for kind, name in _unwanted_items(config, found)}
    for target in sorted(target for target in {*asked, *found.roles} if target not in gone):
        needed, held = asked.get(target, {}), found.roles.get(target, set())
        add, remove = [one for one in needed if one not in held], sorted(held - needed.keys(), key=repr)
        if add or remove:
            yield _bind(target, found, add, remove, needed)
        elif needed:
            details = tuple(_granted(one, grant.why, found) for one, grant in needed.items())
            yield Step("leave", f"roles on {target.kind} {target.name}", "", details)


def binding(grant: Grant, config: Config, found: Found) -> Binding:
    names = Names(config.deploy.name)
    if grant.holder == "everyone":
        return Binding(grant.role, EVERYONE)
    name = names.functions_account if grant.holder == "functions" else names.triggers_account
    return Binding(grant.role, Subject(found.id_of("account", name) or name, "serviceAccount"))


def _bind(
    target: Target, found: Found, add: list[Binding], remove: list[Binding], needed: dict[Binding, Grant]
) -> Step:
    details = [f"+ {_granted(one, needed[one].why, found)}" for one in add]
    details += [f"- {_granted(one, 'no longer needed', found)}" for one in remove]
    what = f"roles on {target.kind} {target.name}"
    action: Literal["create", "change", "delete"] = "create" if not remove else "change" if add else "delete"
    return Step(action, what, "", tuple(details), Bind(target, found.target_id(target), add, remove))


def _granted(binding: Binding, why: str, found: Found) -> str:
    holders = {item.id: name for name, item in found.items["account"].items()}
    holder = (
        "everyone" if binding.subject == EVERYONE else holders.get(binding.subject.id, binding.subject.id)
    )
    return f"{binding.role_id} for {holder} ({why})"


def _version(config: Config, found: Found, function: str, archive: bytes) -> Iterator[Step]:
    body = wanted.version(config, found, function, archive)
    live = found.version_with(function, LIVE)
    same = [
        one
        for one in found.versions.get(function, ())
        if one.description == body["description"] and one.status in USABLE
    ]
    if live and live in same:
        yield Step("leave", f"version of {function}", f"{live.id}, made at {live.created_at}")
        return
    if live and PREVIOUS not in live.tags:
        yield _move(function, PREVIOUS, live, found.version_with(function, PREVIOUS), "kept for --rollback")
    if same:
        yield _move(function, LIVE, same[-1], live, "it has this archive and these settings")
        return
    why = "because of what changed" if live else "the first"
    details = tuple(_said(body, live))
    yield Step("create", f"version of {function}", why, details, CreateVersion(function, body))


def _said(body: dict[str, Any], live: Version | None) -> Iterator[str]:
    """What is new in the version that ``body`` makes."""
    before = msgspec.to_builtins(live) if live else {}
    without = dict.fromkeys(before.get("environment", {}))
    said = {"mounts": None, "connectivity": None, **body, "environment": without | body["environment"]}
    yield from changes({key: said[key] for key in said if key not in ("functionId", "description")}, before)
    yield f"archive and settings: {body['description'].rpartition(':')[2][:12]}"


def _move(function: str, tag: str, to: Version, holder: Version | None, why: str) -> Step:
    details = (f"{holder.id if holder else 'nothing'} -> {to.id}, made at {to.created_at}",)
    return Step("change", f"tag {tag} of {function}", why, details, SetTag(function, to.id, tag))


def _triggers(config: Config, found: Found) -> Iterator[Step]:
    for name, rule in wanted.triggers(config, found).items():
        item = found.items["trigger"].get(name)
        if item is None:
            _refuse_taken("trigger", name, found)
            body = wanted.item_body(config, name, "registry-janitor") | {"rule": present(rule)}
            details = tuple(changes(rule, {}))
            yield Step("create", f"trigger {name}", "", details, Create("trigger", name, body))
            continue
        lines = tuple(changes(rule, item.rule))
        if lines:
            change = UpdateTrigger(name, item.id, present(rule))
            yield Step("change", f"trigger {name}", "", lines, change)
        else:
            yield Step("leave", f"trigger {name}", "paused" if item.status == "PAUSED" else "")


def _unwanted(config: Config, found: Found) -> Iterator[Step]:
    for kind, name in _unwanted_items(config, found):
        yield _delete(kind, name, found)


def _unwanted_items(config: Config, found: Found) -> list[tuple[Kind, str]]:
    """What an earlier apply made and the settings no longer want, in the order in which it can be deleted."""
    asked: dict[Kind, set[str]] = {
        "account": {*wanted.accounts(config)},
        "secret": {*wanted.secrets(config)},
        "function": {*wanted.functions(config)},
        "trigger": {*wanted.triggers(config, found)},
    }
    return [(kind, name) for kind in reversed(KINDS) for name in found.items[kind] if name not in asked[kind]]


def _delete(kind: Kind, name: str, found: Found) -> Step:
    what = f"{SHOWN.get(kind, kind)} {name}"
    return Step("delete", what, "", (), Delete(kind, name, found.id_of(kind, name)))


def present(value: Any) -> Any:
    """``value`` without the members that must be absent."""
    if isinstance(value, dict):
        return {key: present(inner) for key, inner in value.items() if inner is not None}
    return value


def changes(asked: Any, there: Any, path: str = "") -> Iterator[str]:
    """A line for every member of ``asked`` that is not the same ``there``.

    Answers leave out what is empty or zero, and write whole numbers as texts: those count as the same.
    """
    if isinstance(asked, dict):
        for key, value in asked.items():
            inner = there.get(key) if isinstance(there, dict) else None
            yield from changes(value, inner, f"{path}.{key}" if path else key)
    elif isinstance(asked, list) and isinstance(there, list) and len(asked) == len(there):
        for number, (value, inner) in enumerate(zip(asked, there, strict=True), 1):
            yield from changes(value, inner, f"{path}.{number}")
    elif _plain(asked) != _plain(there):
        yield f"{path}: {_shown(asked)}" if there is None else f"{path}: {_shown(there)} -> {_shown(asked)}"


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return "" if value in (None, "", 0, "0", False, {}, []) else str(value)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={_shown(inner)}" for key, inner in value.items()) or "none"
    if isinstance(value, list):
        return "; ".join(map(_shown, value)) or "none"
    return '""' if value == "" else "none" if value is None else str(value)
