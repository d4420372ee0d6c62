"""What a run is about: its registries, their repositories and policies, within what event and settings
allow.
"""

from __future__ import annotations

from functools import partial

from shared.cleanup import registries
from shared.cleanup.run import Run, Survey
from shared.cloud.client import Cloud
from shared.cloud.parallel import for_each, meanwhile
from shared.cloud.registry_services import service_of
from shared.cloud.resource_manager import look_at_folder
from shared.errors import (
    NOT_FOUND,
    PERMISSION_DENIED,
    CallError,
    OverrideRefused,
    SettingsError,
    UnknownName,
)
from shared.retention.policies import applies
from shared.retention.records import Policy, Registry
from shared.retention.rules import covering

UNSEEN = (NOT_FOUND, PERMISSION_DENIED)


def find(run: Run, cloud: Cloud) -> None:
    """Adds a survey to the run for every repository that it is about, in the order of their names."""
    registries = find_registries(run, cloud)
    for_each(registries, partial(find_repositories, run, cloud), cloud.concurrency)
    check_policies(run)


def find_registries(run: Run, cloud: Cloud) -> list[Registry]:
    """The registries to clean.

    Raises SettingsError for one that there isn't, UnknownName if an event names it, OverrideRefused for one
    not allowed.
    """
    settings, permitted = run.narrowed.settings, run.narrowed.permitted
    if settings.registries:
        found = _named(run, cloud, settings.registries)
    else:
        found = _of_folder(run, cloud, settings.folder_id or "")
    for registry in found:
        if not permitted.registries and registry.folder_id != permitted.folder_id:
            raise OverrideRefused(
                f"The event names the registry {registry.registry_id}, which is not in the folder"
                f" {permitted.folder_id}.",
                where="event",
            )
    if run.only is None:
        return found
    wanted = {repository.registry_id for repository in run.only}
    foreign = wanted - {registry.registry_id for registry in found}
    if foreign:
        what = "The plan is about" if run.plan else "The event comes from"
        raise OverrideRefused(
            f"{what} the registry {min(foreign)}, which the settings do not name.",
            where="plan" if run.plan else "event",
        )
    return [registry for registry in found if registry.registry_id in wanted]


def _of_folder(run: Run, cloud: Cloud, folder_id: str) -> list[Registry]:
    try:
        found = registries.of_folder(run, cloud, folder_id)
    except CallError as error:
        if folder_id != run.narrowed.configured.folder_id and error.code in UNSEEN:
            raise _unknown("folder", folder_id) from None
        if error.code in UNSEEN:
            _check_folder(run, cloud, folder_id)
        raise
    if not found:
        _check_folder(run, cloud, folder_id)
        run.warn("no-registries", f"The service account sees no registry in the folder {folder_id}.")
    return found


def _check_folder(run: Run, cloud: Cloud, folder_id: str) -> None:
    """Raises SettingsError or UnknownName when there is no such folder."""
    try:
        look_at_folder(cloud, folder_id)
    except CallError as error:
        if error.code != NOT_FOUND:  # to see a folder's registries is not to see the folder
            return
        if folder_id != run.narrowed.configured.folder_id:
            raise _unknown("folder", folder_id) from None
        raise SettingsError(
            f"The folder {folder_id}, named by folder_id (FOLDER_ID), does not exist; yc resource-manager"
            " folder list shows yours.",
            where="FOLDER_ID",
        ) from None


def _named(run: Run, cloud: Cloud, registry_ids: list[str]) -> list[Registry]:
    found, failures = registries.named(run, cloud, registry_ids)
    for registry_id, error in failures.items():
        if registry_id not in run.narrowed.configured.registries and error.code in UNSEEN:
            raise _unknown("registry", registry_id) from None
        if error.code != NOT_FOUND:
            raise error
        raise SettingsError(
            f"The registry {registry_id}, named by registries (REGISTRY_IDS), does not exist, or the service"
            " account cannot see it; give its id, and not its name.",
            where="REGISTRY_IDS",
        )
    return found


def _unknown(what: str, name: str) -> UnknownName:
    return UnknownName(
        f"The {what} {name}, named by the event, does not exist, or the service account cannot see it.",
        where="event",
    )


def find_repositories(run: Run, cloud: Cloud, registry: Registry) -> None:
    """Adds a survey for every repository of the registry, or for those that the run is about only."""
    wanted = None if run.only is None else {repository.full_name for repository in run.only}
    policies: dict[str, list[Policy]] = {}
    service = service_of(registry)
    try:
        with meanwhile(lambda: list(service.repositories(cloud, registry.registry_id))) as repositories:
            for policy in service.policies(cloud, registry.registry_id):
                policies.setdefault(policy.repository_id, []).append(policy)
        surveys = [
            Survey(
                registry,
                repository,
                [*policies.get(repository.repository_id, []), *policies.get("", [])],
                covering(run.settings.rules, repository.name),
            )
            for repository in repositories()
            if wanted is None or repository.full_name in wanted
        ]
    except CallError as error:
        run.problem(error)
        return
    run.add(registry, surveys)


def check_policies(run: Run) -> None:
    """Warns of names that no policy has.

    Raises UnknownName when an event names one, OverrideRefused when it must not.
    """
    settings, permitted = run.narrowed.settings, run.narrowed.permitted
    apply, allowed = settings.lifecycle_policies.apply, permitted.lifecycle_policies.apply
    policies = [policy for survey in run.surveys for policy in survey.policies]
    for policy in policies:
        if applies(policy, apply) and not applies(policy, allowed):
            raise OverrideRefused(
                f"The event names the policy {policy.label}, which the settings do not let it apply.",
                where="event",
            )
    if isinstance(apply, list) and run.only is None:
        own = run.narrowed.configured.lifecycle_policies.apply
        configured = own if isinstance(own, list) else []
        known = {"active"} | {policy.policy_id for policy in policies} | {policy.name for policy in policies}
        for name in (name for name in apply if name not in known):
            if name not in configured and not run.errors:
                raise _unknown("policy", name)
            run.warn("unknown-policy", f"APPLY_POLICIES names {name}, but no policy has that id or name.")
