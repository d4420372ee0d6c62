"""Which registries there are in the service that is migrated from, and in the one that is migrated to."""

from __future__ import annotations

from functools import partial

import msgspec

from shared.cleanup import registries
from shared.cleanup.run import Run
from shared.cloud.client import Cloud
from shared.cloud.registry_services import SERVICES, SOURCE, RegistryService, service_of
from shared.errors import NOT_FOUND, CallError
from shared.retention.records import Registry, Repository, Service
from shared.settings.settings import Settings


class Place(msgspec.Struct):
    """A registry in both services, or in one of them."""

    source: Registry | None = None
    target: Registry | None = None

    def either(self) -> list[Registry]:
        """The registry as the source has it or, without that, the target."""
        return [registry for registry in (self.source, self.target) if registry][:1]


class Places(msgspec.Struct):
    """The registries by their ids; those that hold no images of their own; why a service gave no answer."""

    places: dict[str, Place] = {}
    left: list[Registry] = []
    failures: dict[Service, CallError] = {}


def find(settings: Settings, cloud: Cloud) -> Places:
    """The registries that the settings name, in both services whatever ``services`` says."""
    found = Places()
    for registry_id in settings.registries or [""]:
        answers = registries.ask(SERVICES, partial(_ask, cloud, registry_id, settings.folder_id or ""))
        for name, error in answers.failures.items():
            if not registry_id or error.code != NOT_FOUND:
                found.failures[name] = error
        for registry in [registry for listed in answers.registries.values() for registry in listed]:
            _note(found, registry)
    return found


def _ask(cloud: Cloud, registry_id: str, folder_id: str, service: RegistryService) -> list[Registry]:
    if registry_id:
        return [service.registry(cloud, registry_id)]
    return list(service.registries(cloud, folder_id))


def _note(found: Places, registry: Registry) -> None:
    if registry.left:
        found.left.append(registry)
    elif registry.service == SOURCE:
        found.places.setdefault(registry.registry_id, Place()).source = registry
    else:
        found.places.setdefault(registry.registry_id, Place()).target = registry


def tell(run: Run, found: Places) -> None:
    """Says what is not looked at."""
    for registry in found.left:
        why = f"The registry {registry.registry_id} is not compared, for {registry.left}."
        run.warn("registry-left", why)
    for name, error in found.failures.items():
        if registries.is_closed(error):
            registries.tell_unavailable(run, name, error)
        else:
            run.problem(error)


def repositories_of(cloud: Cloud, registry: Registry | None) -> dict[str, Repository]:
    """The registry's repositories by their names. Raises CallError."""
    if not registry:
        return {}
    repositories = service_of(registry).repositories(cloud, registry.registry_id)
    return {repository.name: repository for repository in repositories}
