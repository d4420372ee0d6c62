"""Asks both services what they hold of the registries, before a migration or after it. Changes nothing.

Both are listed, repository by repository. Manifests are read only of indexes whose parts no listing names and
of untagged images that the target does not list: from the target, and from the source what the target does
not have. With redirects both answer from the target (container-registry/tutorials,
container-registry-migration); what nobody can show then is compared by the listings alone.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator
from functools import partial

import msgspec

from shared.cleanup import foreign_referrers, protection, scope, surveying
from shared.cleanup.run import Run, Survey
from shared.cloud import container_registry
from shared.cloud.client import Cloud
from shared.cloud.manifests import Manifests
from shared.cloud.parallel import for_each
from shared.cloud.registry_services import SERVICES, SOURCE, TARGET, service_of
from shared.errors import NOT_FOUND, PERMISSION_DENIED, CallError, SettingsError
from shared.retention import migration, policy_translation
from shared.retention.creation_times import hours
from shared.retention.migration import Compared, Contents, InUse, LeftBehind, RegistryMigration
from shared.retention.records import Image, Manifest, Registry, Repository, Service

UNSEEN = (NOT_FOUND, PERMISSION_DENIED)


class _Place(msgspec.Struct):
    """A registry in the service that is migrated from, and in the one that is migrated to."""

    source: Registry | None = None
    target: Registry | None = None

    def either(self) -> list[Registry]:
        """The registry as the source has it or, without that, the target."""
        return [registry for registry in (self.source, self.target) if registry][:1]


class _Looked(msgspec.Struct):
    """What was learnt of a registry so far; not ``whole`` if anything could not be read."""

    moved: bool
    source: Contents
    target: Contents
    compared: list[Compared] = []
    created: Counter[str] = msgspec.field(default_factory=Counter)
    whole: bool = True
    lock: threading.Lock = msgspec.field(default_factory=threading.Lock)

    def note(self, source: list[Image], target: list[Image], compared: Compared | None) -> None:
        with self.lock:
            self.source = self.source.with_images(source) if source else self.source
            self.target = self.target.with_images(target) if target else self.target
            self.created.update(hours(image.created_at for image in target))
            if compared:
                self.compared.append(compared)


def look(run: Run, cloud: Cloud) -> list[RegistryMigration]:
    """What there is to say of each registry that the settings name.

    Raises SettingsError when no service has any; a call that fails is a problem of the run.
    """
    places = _places(run, cloud)
    if not places and not run.errors:
        raise SettingsError(
            "Neither service has a registry that the settings name, or the service account cannot see any.",
            where="REGISTRY_IDS" if run.settings.registries else "FOLDER_ID",
        )
    for registry in [registry for place in places.values() for registry in place.either()]:
        scope.find_repositories(run, cloud, registry)
    protection.look_in_use(run, cloud, run.surveys)
    for unavailable in run.unseen:
        run.hold_back("guard-unavailable", str(unavailable))
    staying = {registry_id for registry_id, place in places.items() if not place.target}
    _survey(run, cloud, [survey for survey in run.surveys if survey.registry.registry_id in staying])
    return [_registry(run, cloud, registry_id, place) for registry_id, place in sorted(places.items())]


def _places(run: Run, cloud: Cloud) -> dict[str, _Place]:
    places: dict[str, _Place] = {}
    try:
        for registry in _registries(run, cloud, SOURCE):
            places.setdefault(registry.registry_id, _Place()).source = registry
    except CallError as error:
        run.problem(error)
    try:
        for registry in _registries(run, cloud, TARGET):
            places.setdefault(registry.registry_id, _Place()).target = registry
    except CallError as error:
        run.problem(error)
    return places


def _registries(run: Run, cloud: Cloud, name: Service) -> Iterator[Registry]:
    """The service's registries that the settings name. Raises CallError."""
    settings, service = run.settings, SERVICES[name]
    if not settings.registries:
        yield from service.registries(cloud, settings.folder_id or "")
    for registry_id in settings.registries:
        try:
            yield service.registry(cloud, registry_id)
        except CallError as error:
            if error.code not in UNSEEN:
                raise


def _survey(run: Run, cloud: Cloud, surveys: list[Survey]) -> None:
    """Finds out what a clean-up would take of repositories that have not moved yet."""

    def one(survey: Survey) -> None:
        with survey.opened():
            surveying.dry_run(run, cloud, survey)
            surveying.look(run, cloud, survey)

    for_each(surveys, one, cloud.concurrency)
    foreign_referrers.keep_referrers(run, cloud)


def _registry(run: Run, cloud: Cloud, registry_id: str, place: _Place) -> RegistryMigration:
    moved = bool(place.source and place.target)
    looked = _Looked(moved, Contents(service=SOURCE), Contents(service=TARGET))
    translated = policy_translation.Translated([], "", [])
    try:
        source, target = _repositories(cloud, place.source), _repositories(cloud, place.target)
        for_each(
            sorted(source.keys() | target.keys()),
            lambda name: _compare(run, cloud, looked, source.get(name), target.get(name)),
            cloud.concurrency,
        )
        if place.source:
            translated = _translated(cloud, registry_id, list(source.values()))
        looked.target = msgspec.structs.replace(looked.target, policies=_count_policies(cloud, place.target))
    except CallError as error:
        run.problem(error)
        looked.whole = False
    return _told(run, registry_id, place, looked, translated)


def _told(
    run: Run,
    registry_id: str,
    place: _Place,
    looked: _Looked,
    translated: policy_translation.Translated,
) -> RegistryMigration:
    differences = sorted(
        (row for compared in looked.compared for row in compared.differences),
        key=lambda row: (migration.KINDS.index(row.what), row.repository, row.tag, row.digest),
    )
    creation_times, created_on = migration.times(looked.compared, looked.created)
    source = msgspec.structs.replace(looked.source, policies=len(translated.translations))
    return RegistryMigration(
        registry_id=registry_id,
        name=place.either()[0].name,
        state="moved" if looked.moved else "to-move" if place.source else "target-only",
        source=source if place.source else None,
        target=looked.target if place.target else None,
        arrived=False if differences else True if looked.moved and looked.whole else None,
        missing=migration.missing(differences),
        differences=differences,
        newer_tags=sum(compared.newer_tags for compared in looked.compared),
        creation_times=creation_times,
        created_on=created_on,
        in_use=InUse(
            known=run.settings.guards.in_use != "none" and not run.unseen and looked.whole,
            images=sum(compared.used for compared in looked.compared),
            arrived=sum(compared.used_arrived for compared in looked.compared),
        ),
        left_behind=_left_behind(run, registry_id),
        policies=translated.translations,
        rules=translated.rules,
        new_policies=translated.new_policies,
    )


def _repositories(cloud: Cloud, registry: Registry | None) -> dict[str, Repository]:
    """The registry's repositories by their names. Raises CallError."""
    if not registry:
        return {}
    repositories = service_of(registry).repositories(cloud, registry.registry_id)
    return {repository.name: repository for repository in repositories}


def _translated(
    cloud: Cloud, registry_id: str, repositories: list[Repository]
) -> policy_translation.Translated:
    names = {repository.repository_id: repository.name for repository in repositories}
    policies = [
        policy_translation.NativePolicy(policy, names[policy.repository_id], rules)
        for policy, rules in container_registry.native_policies(cloud, registry_id)
        if policy.repository_id in names
    ]
    return policy_translation.translate(registry_id, policies, names.values())


def _count_policies(cloud: Cloud, registry: Registry | None) -> int:
    return sum(1 for _ in service_of(registry).policies(cloud, registry.registry_id)) if registry else 0


def _compare(
    run: Run, cloud: Cloud, looked: _Looked, source: Repository | None, target: Repository | None
) -> None:
    """Adds what the services hold of one repository, and what of it has not arrived."""
    try:
        old, new = _images(cloud, source), _images(cloud, target)
    except CallError as error:
        run.problem(error)
        looked.whole = False
        return
    if not source or not looked.moved:
        looked.note(old, new, None)
        return
    manifests = migration.listed_indexes([*old, *new])
    there: set[str] = set()
    try:
        manifests |= _read(run, cloud, (target, source), migration.manifests_needed(old, new))
        if target:
            wanted = migration.to_look_for(old, new, manifests)
            there = _existing(_reader(run, cloud, target), wanted, cloud.concurrency)
    except CallError as error:
        run.problem(error)
        looked.whole = False
        there = migration.to_look_for(
            old, new, manifests
        )  # what cannot be looked for is not said to be missing
    used_by = partial(run.usage.where, source.full_name)
    looked.note(
        old, new, migration.compare(source.name, old, new if target else None, manifests, there, used_by)
    )


def _images(cloud: Cloud, repository: Repository | None) -> list[Image]:
    return list(service_of(repository).images(cloud, repository)) if repository else []


def _reader(run: Run, cloud: Cloud, repository: Repository) -> Manifests:
    return Manifests(cloud, run.registry_endpoint, repository.full_name)


def _read(
    run: Run, cloud: Cloud, repositories: tuple[Repository | None, ...], wanted: set[str]
) -> dict[str, Manifest]:
    """The manifests, each from the first of the repositories that has it. Raises CallError."""
    manifests: dict[str, Manifest] = {}
    for repository in filter(None, repositories):
        manifests |= _reader(run, cloud, repository).read(wanted - manifests.keys(), lambda _: True)
    return manifests


def _existing(reader: Manifests, digests: Collection[str], width: int) -> set[str]:
    """Those of the digests that the registry has. Raises CallError."""
    there: set[str] = set()

    def ask(digest: str) -> None:
        if reader.exists(digest):
            there.add(digest)

    for_each(digests, ask, width)
    return there


def _left_behind(run: Run, registry_id: str) -> list[LeftBehind]:
    """What a clean-up of the registry would take, by policy and rule."""
    counted: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for survey in run.surveys:
        if survey.registry.registry_id == registry_id:
            with survey.opened():
                for candidate in survey.going().values():
                    counted.update(candidate.reasons)
                    sizes.update(dict.fromkeys(candidate.reasons, candidate.image.size_bytes))
    return [
        LeftBehind(reason=reason, images=count, size_bytes=sizes[reason])
        for reason, count in counted.most_common()
    ]
