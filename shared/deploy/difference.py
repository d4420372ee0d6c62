"""From what there is to what is wanted: the steps, each with what it is for. Pure.

The steps come in the order in which they can be done: what is made first has its id when the next one needs
it. An id that is not known yet is "" in a step; the difference is taken anew after each step is done.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from shared.cloud.registry_services import SERVICES
from shared.deploy import recorded, wanted
from shared.deploy.api import EVERYONE, Binding, Item, Kind, Subject, Version
from shared.deploy.api_difference import changes, present
from shared.deploy.config import Config
from shared.deploy.found import KINDS, Found
from shared.deploy.names import Names
from shared.deploy.roles import BY_HAND, Grant, Target, grants, registry_target, twin
from shared.deploy.steps import (
    SHOWN,
    Create,
    CreateBucket,
    CreateVersion,
    DeleteVersion,
    Step,
    UpdateTrigger,
    bind_step,
    delete_step,
    left_steps,
    move_step,
)
from shared.deploy.wanted import LIVE, PREVIOUS
from shared.errors import DeploymentRefused

NO_TRIGGER = (
    "Cloud Registry has no triggers for pushes; let your CI call the signed webhook after a push"
    " (deploy.webhook = true)"
)


def difference(config: Config, archive: bytes, facts: Found) -> list[Step]:
    """What is to be done, and what is left.

    Raises DeploymentRefused when something else has a name that is needed.
    """
    return [
        *_items(config, facts),
        *_buckets(config, facts),
        *_functions(config, facts),
        *_roles(config, facts),
        *(step for name in wanted.functions(config) for step in _version(config, facts, name, archive)),
        *_triggers(config, facts),
        *_not_asked(config, facts),
        *_unwanted(config, facts),
        *left_steps(facts),
    ]


def _items(config: Config, facts: Found) -> Iterator[Step]:
    for name, why in wanted.accounts(config).items():
        yield _item("account", name, why, config, facts)
    for name in wanted.secrets(config):
        why = "drawn here, kept in Lockbox alone"
        yield _item("secret", name, why, config, facts)


def _functions(config: Config, facts: Found) -> Iterator[Step]:
    for name, entry_point in wanted.functions(config).items():
        yield _item("function", name, entry_point, config, facts)


def _item(kind: Kind, name: str, why: str, config: Config, facts: Found) -> Step:
    what = f"{SHOWN.get(kind, kind)} {name}"
    if name in facts.items[kind]:
        return Step("leave", what, why)
    _refuse_taken(kind, name, facts)
    body = wanted.item_body(config, name, f"registry-janitor: {why}")
    return Step("create", what, why, (), Create(kind, name, body))


def _refuse_taken(kind: Kind, name: str, facts: Found) -> None:
    if name in facts.taken[kind]:
        raise DeploymentRefused(
            f"There is a {SHOWN.get(kind, kind)} {name} that this deployment has not made (it lacks the"
            " labels); it is left alone. Give the deployment another deploy.name.",
            where="deploy.name",
        )


def _buckets(config: Config, facts: Found) -> Iterator[Step]:
    name = config.bucket
    if not name:
        return
    why = "for the journal, the plans and the reports"
    if name in facts.buckets:
        yield Step("leave", f"bucket {name}", why)
    else:
        body = wanted.bucket_body(config, name)
        yield Step("create", f"bucket {name}", why, (), CreateBucket(name, body))


def _roles(config: Config, facts: Found) -> Iterator[Step]:
    """Adds the roles that our accounts lack, and removes those that they do not need. Other accounts keep
    theirs."""
    granted: dict[Target, dict[Binding, Grant]] = {}
    for grant in grants(config, facts.registries, facts.closed):
        granted.setdefault(grant.target, {})[binding(grant, config, facts)] = grant
    gone = {(kind, name) for kind, name in _unwanted_items(config, facts)}
    homes = {registry_target(registry): registry.folder_id for registry in facts.registries}
    for target in sorted(target for target in {*granted, *facts.roles} if target not in gone):
        needed, held = granted.get(target, {}), facts.roles.get(target, set())
        stays = {*needed, *granted.get(twin(target), ())}
        add = [binding for binding in needed if binding not in held]
        remove = sorted((each for each in held - stays if not _kept(each, needed, facts)), key=repr)
        if add or remove:
            home = homes.get(target, config.folder_id)
            why = f"it is in another folder, {home}" if home != config.folder_id else ""
            yield bind_step(target, facts, add, remove, needed, why)
        elif needed:
            yield Step("leave", f"roles on {target.kind} {target.name}", f"{len(needed)} needed")


def _kept(held: Binding, needed: Collection[Binding], facts: Found) -> bool:
    """Whether a role that is not needed is left: it was bound by hand where a smaller one did not do, or its
    service cannot be asked.
    """
    by_hand = held.role_id in BY_HAND and any(binding.subject == held.subject for binding in needed)
    return by_hand or held.role_id.startswith(tuple(f"{service}." for service in facts.closed))


def binding(grant: Grant, config: Config, facts: Found) -> Binding:
    names = Names(config.deploy.name)
    if grant.holder == "everyone":
        return Binding(grant.role, EVERYONE)
    name = names.functions_account if grant.holder == "functions" else names.triggers_account
    return Binding(grant.role, Subject(facts.id_of("account", name) or name, "serviceAccount"))


def _version(config: Config, facts: Found, function: str, archive: bytes) -> Iterator[Step]:
    body = wanted.version(config, facts, function, archive)
    live = facts.version_with(function, LIVE)
    same = [
        version
        for version in facts.versions.get(function, ())
        if version.description == body["description"] and version.usable
    ]
    if live and live in same:
        yield Step("leave", f"version of {function}", f"{live.id}, made at {live.created_at}")
        yield from _made_twice(function, same)
        return
    if live and PREVIOUS not in live.tags:
        yield move_step(
            function, PREVIOUS, live, facts.version_with(function, PREVIOUS), "kept for --rollback"
        )
    if same:
        why = "it was made with these settings and this program"
        yield move_step(function, LIVE, same[-1], live, why)
        return
    why = "because of what changed" if live else "the first"
    details = tuple(_changed(body, live))
    yield Step("create", f"version of {function}", why, details, CreateVersion(function, body))


def _made_twice(function: str, same: list[Version]) -> Iterator[Step]:
    """What was made once more because nothing was heard of the first time."""
    for version in same:
        if not version.tags:
            what = f"version {version.id} of {function}"
            yield Step("delete", what, "it was made twice", (), DeleteVersion(function, version.id))


def _changed(body: dict[str, Any], live: Version | None) -> Iterator[str]:
    """What is new in the version that ``body`` makes."""
    before = msgspec.to_builtins(live) if live else {}
    yield from recorded.changes(
        recorded.of(live) if live else None, body["environment"].get(recorded.VARIABLE, "")
    )
    variables = dict.fromkeys(before.get("environment", {})) | body["environment"]
    variables.pop(recorded.VARIABLE, None)
    after = {"mounts": None, "connectivity": None, **body, "environment": variables}
    yield from changes({key: after[key] for key in after if key not in ("functionId", "description")}, before)


def _triggers(config: Config, facts: Found) -> Iterator[Step]:
    for name, rule in wanted.triggers(config, facts).items():
        item = facts.items["trigger"].get(name)
        if item is None:
            _refuse_taken("trigger", name, facts)
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


def _not_asked(config: Config, facts: Found) -> Iterator[Step]:
    """What is left because a service is closed, or has no triggers."""
    for service, why in facts.closed.items():
        yield Step("leave", SERVICES[service].TITLE, f"left: it cannot be asked any more ({why})")
    without = wanted.pushed_to(config, facts, "cloud-registry")
    if without:
        yield Step("leave", f"pushes to {', '.join(without)}", NO_TRIGGER)


def _unwanted(config: Config, facts: Found) -> Iterator[Step]:
    for kind, name in _unwanted_items(config, facts):
        yield delete_step(kind, name, facts)


def _unwanted_items(config: Config, facts: Found) -> list[tuple[Kind, str]]:
    """What an earlier apply made and the settings no longer want, in the order in which it can be deleted."""
    wanted_names: dict[Kind, set[str]] = {
        "account": {*wanted.accounts(config)},
        "secret": {*wanted.secrets(config)},
        "function": {*wanted.functions(config)},
        "trigger": {*wanted.triggers(config, facts)},
    }
    return [
        (kind, name)
        for kind in reversed(KINDS)
        for name, item in facts.items[kind].items()
        if name not in wanted_names[kind] and not _waits(config, facts, item)
    ]


def _waits(config: Config, facts: Found, item: Item) -> bool:
    """Whether it is a trigger for pushes, which are wanted, to a service that cannot be asked."""
    return config.deploy.registry_trigger and bool(facts.closed) and "containerRegistry" in item.rule
