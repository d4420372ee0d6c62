"""Asks both services what they hold of the registries, before a migration or after it. Changes nothing."""

from __future__ import annotations

import msgspec

from shared.cleanup import left_behind, places, protection, scope
from shared.cleanup.comparison import Looked, compare
from shared.cleanup.places import Place, repositories_of
from shared.cleanup.run import Run
from shared.cloud import container_registry
from shared.cloud.client import Cloud
from shared.cloud.parallel import for_each
from shared.cloud.registry_services import SOURCE, TARGET, service_of
from shared.errors import CallError, SettingsError
from shared.retention import migration, policy_translation
from shared.retention.migration import Contents, InUse, RegistryMigration
from shared.retention.records import Registry, Repository


def look(run: Run, cloud: Cloud) -> list[RegistryMigration]:
    """What there is to say of each registry that the settings name.

    Raises SettingsError when no service has any; a call that fails is a problem of the run.
    """
    found = places.find(run.settings, cloud)
    places.tell(run, found)
    if not found.places and not run.errors:
        raise SettingsError(
            "Neither service has a registry that the settings name, or the service account cannot see any.",
            where="REGISTRY_IDS" if run.settings.registries else "FOLDER_ID",
        )
    for registry in [registry for place in found.places.values() for registry in place.either()]:
        scope.find_repositories(run, cloud, registry)
    protection.look_in_use(run, cloud, run.surveys)
    for unavailable in run.unseen:
        run.hold_back("guard-unavailable", str(unavailable))
    staying = {registry_id for registry_id, place in found.places.items() if not place.target}
    left_behind.survey(
        run, cloud, [survey for survey in run.surveys if survey.registry.registry_id in staying]
    )
    return [_registry(run, cloud, registry_id, place) for registry_id, place in sorted(found.places.items())]


def _registry(run: Run, cloud: Cloud, registry_id: str, place: Place) -> RegistryMigration:
    moved = bool(place.source and place.target)
    looked = Looked(moved, Contents(service=SOURCE), Contents(service=TARGET))
    translated = policy_translation.Translated([], "", [])
    try:
        source, target = repositories_of(cloud, place.source), repositories_of(cloud, place.target)
        for_each(
            sorted(source.keys() | target.keys()),
            lambda name: compare(run, cloud, looked, source.get(name), target.get(name)),
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
    place: Place,
    looked: Looked,
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
        left_behind=left_behind.rows(run, registry_id),
        policies=translated.translations,
        rules=translated.rules,
        new_policies=translated.new_policies,
    )


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
