"""Which registries a deployment is about, in each of the services that know them.

A service that is closed (its host is gone, or it has none of its API any more) is left alone as long as
another one answers; ``closed`` says which are, and why.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress

from shared.cleanup.registries import ask, is_closed
from shared.cloud.client import Cloud
from shared.cloud.registry_services import SERVICES
from shared.deploy.config import Config
from shared.deploy.folders import check_folder
from shared.errors import NOT_FOUND, PERMISSION_DENIED, CallError, SettingsError
from shared.retention.records import Registry, Service

Closed = dict[Service, str]


def wanted(cloud: Cloud, config: Config, closed: Closed, *, may_miss: bool) -> list[Registry]:
    """The registries that the settings are about; one that both services know is there twice.

    Raises SettingsError for one that no service knows, unless it ``may_miss``, and CallError.
    """
    settings = config.settings
    if not settings.registries:
        listed = _of_folder(cloud, settings.services, closed, settings.folder_id or "")
        return [registry for registry in listed if not registry.left]
    registries: list[Registry] = []
    for registry_id in settings.registries:
        known = _named(cloud, settings.services, closed, registry_id)
        if not known and not may_miss:
            unasked = "".join(f" ({SERVICES[name].TITLE} cannot be asked: {closed[name]})" for name in closed)
            raise SettingsError(
                f"The registry {registry_id}, named by registries, does not exist, or you have no rights on"
                f" it; in another folder, too, you need the role admin{unasked}.",
                where="registries",
            )
        if known and known[0].folder_id != config.folder_id and not may_miss:
            check_folder(cloud, known[0].folder_id, f"where the registry {registry_id} is")
        registries += known
    return [registry for registry in registries if not registry.left]


def near(
    cloud: Cloud, wanted_services: Collection[Service], closed: Closed, folders: Iterable[str]
) -> Iterator[Registry]:
    """Every registry of the folders, in every service, for earlier settings may have wanted it.

    Raises CallError.
    """
    others = [name for name in SERVICES if name not in wanted_services]
    for folder_id in folders:
        yield from _of_folder(cloud, wanted_services, closed, folder_id)
        with suppress(CallError):
            yield from _of_folder(cloud, others, closed, folder_id)


def _of_folder(cloud: Cloud, services: Collection[Service], closed: Closed, folder_id: str) -> list[Registry]:
    """The registries of the folder. Raises CallError for a service that is not closed, or when all are."""
    asked = [name for name in services if name not in closed]
    answers = ask(asked, lambda service: list(service.registries(cloud, folder_id)))
    for name, error in answers.failures.items():
        if not is_closed(error) or not answers.registries:
            raise error
        closed[name] = str(error)
    return [registry for listed in answers.registries.values() for registry in listed]


def _named(cloud: Cloud, services: Collection[Service], closed: Closed, registry_id: str) -> list[Registry]:
    """The registry in each service that shows it. Raises CallError for a service that is not closed."""
    asked = [name for name in services if name not in closed]
    answers = ask(asked, lambda service: [service.registry(cloud, registry_id)])
    for name, error in answers.failures.items():
        if error.code in (NOT_FOUND, PERMISSION_DENIED) and error.status != 410:
            continue
        if not is_closed(error):
            raise error
        closed[name] = str(error)
    return [registry for known in answers.registries.values() for registry in known]
