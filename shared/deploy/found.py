"""What there is of a deployment: found by its labels and names, and for what has none (roles) by its
accounts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import msgspec

from shared.cloud.client import Cloud
from shared.deploy import api, registries
from shared.deploy.api import EVERYONE, Binding, Bucket, Item, Kind, Version
from shared.deploy.config import Config, secret_of
from shared.deploy.names import Names
from shared.deploy.roles import Target, registry_target
from shared.errors import NOT_FOUND, PERMISSION_DENIED, CallError, SettingsError
from shared.retention.records import Registry, Service

KINDS: tuple[Kind, ...] = ("account", "secret", "function", "trigger")


class Found(msgspec.Struct):
    """What there is.

    ``registries`` are those that the settings are about, in each service; ``closed`` are the services that
    cannot be asked any more, and why. ``items`` are ours, by kind and
    name: what carries the deployment's labels and a name that it gives. ``labelled`` are the names of what
    carries the labels alone, ``taken`` all names of the folder that are not of ours. ``versions`` are a
    function's, by its name, oldest first. ``buckets`` are by name, ours or not. ``given`` are the current
    versions of the Lockbox secrets that the settings name, by id. ``roles`` are those that our accounts hold,
    and everyone on our webhook, by what they are bound to.
    """

    registries: list[Registry] = []
    closed: dict[Service, str] = {}
    items: dict[Kind, dict[str, Item]] = {}
    labelled: dict[Kind, list[str]] = {}
    taken: dict[Kind, set[str]] = {}
    versions: dict[str, list[Version]] = {}
    buckets: dict[str, Bucket] = {}
    given: dict[str, str] = {}
    roles: dict[Target, set[Binding]] = {}

    def id_of(self, kind: Kind, name: str) -> str:
        """The id of what is ours, "" when there is none."""
        item = self.items[kind].get(name)
        return item.id if item else ""

    def version_with(self, function: str, tag: str) -> Version | None:
        return next((version for version in self.versions.get(function, ()) if tag in version.tags), None)

    def target_id(self, target: Target) -> str:
        """The id of what roles are bound to; "" when it is still to be made. A bucket's id is its name."""
        if target.kind == "secret" or target.kind == "function":
            return self.id_of(target.kind, target.name)
        return target.name


def find(cloud: Cloud, config: Config, *, may_miss: bool = False) -> Found:
    """Looks at all that a deployment may be made of. Raises CallError.

    Raises SettingsError for a registry or a secret that there isn't, unless it ``may_miss``.
    """
    facts = Found()
    names = Names(config.deploy.name)
    facts.registries = registries.wanted(cloud, config, facts.closed, may_miss=may_miss)
    for kind in KINDS:
        _sort(facts, names, kind, list(api.items(cloud, kind, config.folder_id)))
    for name, function in facts.items["function"].items():
        api.settle(cloud, function.id)
        facts.versions[name] = api.versions(cloud, function.id)
    facts.given = _given(cloud, config, may_miss)
    used = {name for versions in facts.versions.values() for version in versions for name in version.buckets}
    for name in sorted({config.bucket, *used} - {""}):
        bucket = _bucket(cloud, config, name)
        if bucket:
            facts.buckets[name] = bucket
    _find_roles(cloud, config, facts)
    return facts


def _bucket(cloud: Cloud, config: Config, name: str) -> Bucket | None:
    try:
        return api.bucket(cloud, name)
    except CallError as error:
        if error.code != PERMISSION_DENIED or name != config.bucket:
            raise
        raise SettingsError(
            f"You have no rights on the bucket {name}, named by state_bucket ({error.message}); if it is not"
            " yours, give another name, for all of Yandex Cloud shares the names of buckets.",
            where="state_bucket",
        ) from None


def _sort(facts: Found, names: Names, kind: Kind, items: list[Item]) -> None:
    """Tells ours from the others, of all things of a kind in the folder."""
    labelled = [item for item in items if names.are_on(item.labels)]
    pushes = {names.push(each.registry_id) for each in facts.registries} if kind == "trigger" else set()
    ours = [item for item in labelled if item.name in pushes or names.are_of(kind, item)]
    facts.items[kind] = _by_name(ours)
    facts.labelled[kind] = sorted(item.name for item in labelled if item not in ours)
    facts.taken[kind] = {item.name for item in items if item not in ours}


def _by_name(items: Iterable[Item]) -> dict[str, Item]:
    """What is ours, by its name. A duplicate name gets its id appended, so that it is treated as unwanted."""
    by_name: dict[str, Item] = {}
    for item in sorted(items, key=lambda item: item.id):
        if item.status != "DELETING":
            by_name[item.name if item.name not in by_name else f"{item.name} ({item.id})"] = item
    return by_name


def _given(cloud: Cloud, config: Config, may_miss: bool) -> dict[str, str]:
    versions = {}
    for secret_id in sorted({secret_of(reference)[0] for reference in config.deploy.secrets.values()}):
        with _named(f"Lockbox secret {secret_id}", "deploy.secrets", may_miss):
            versions[secret_id] = api.item(cloud, "secret", secret_id).current_version.id
    return versions


@contextmanager
def _named(what: str, key: str, may_miss: bool) -> Iterator[None]:
    """Looks at what the settings name. Raises SettingsError when it isn't there, unless it ``may_miss``."""
    try:
        yield
    except CallError as error:
        if error.code not in (NOT_FOUND, PERMISSION_DENIED):
            raise
        if not may_miss:
            message = f"The {what}, named by {key}, does not exist, or you have no rights on it"
            raise SettingsError(
                f"{message}; in another folder, too, you need the role admin.", where=key
            ) from None


def _find_roles(cloud: Cloud, config: Config, facts: Found) -> None:
    accounts = {item.id for item in facts.items["account"].values()}
    webhook = Names(config.deploy.name).webhook
    for target in _targets(cloud, config, facts) if accounts else ():
        facts.roles[target] = {
            binding for binding in _bindings(cloud, target, target.name) if binding.subject.id in accounts
        }
    for name, item in facts.items["secret"].items():
        held = _bindings(cloud, Target("secret", name), item.id)
        facts.roles[Target("secret", name)] = {binding for binding in held if binding.subject.id in accounts}
    for name, item in facts.items["function"].items():
        ours = {*accounts, EVERYONE.id} if item.name == webhook else accounts
        held = _bindings(cloud, Target("function", name), item.id)
        facts.roles[Target("function", name)] = {binding for binding in held if binding.subject.id in ours}


def _targets(cloud: Cloud, config: Config, facts: Found) -> Iterator[Target]:
    """Where our accounts may hold roles, our own parts aside: also where earlier settings wanted roles."""
    settings = config.settings
    homes = {config.folder_id, *(each.folder_id for each in facts.registries), settings.folder_id or ""} - {
        ""
    }
    metrics = {settings.metrics.folder_id or ""} - {""}
    for folder_id in sorted({*homes, *metrics, *settings.guards.folders}):
        yield Target("folder", folder_id)
    near = registries.near(cloud, settings.services, facts.closed, sorted(homes))
    yield from sorted({registry_target(registry) for registry in [*facts.registries, *near]})
    own = {item.id for item in facts.items["secret"].values()}
    used = {
        secret.get("id", "")
        for versions in facts.versions.values()
        for version in versions
        for secret in version.secrets
    }
    given = {config.deploy.environment.get("SA_KEY_SECRET_ID", "")} - {""}
    for secret_id in sorted({*facts.given, *used, *given} - own):
        yield Target("given secret", secret_id)
    for name in sorted(facts.buckets):
        yield Target("bucket", name)


def _bindings(cloud: Cloud, target: Target, target_id: str) -> list[Binding]:
    """The roles on it; none when it is gone."""
    try:
        return list(api.bindings(cloud, target.kind, target_id))
    except CallError as error:
        if error.code != NOT_FOUND:
            raise
        return []
