"""Which of some repositories exist, by listings of the cloud's that each warm instance keeps for ten minutes.

So made-up names cost no calls. A repository that is new since then is not known yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache, partial

from shared.auth import sources
from shared.cleanup import registries
from shared.cloud.client import Cloud
from shared.cloud.pace import Pace
from shared.cloud.registry_services import SERVICES
from shared.errors import NOT_FOUND, CallError
from shared.invocation.task import Invocation
from shared.retention.records import RepositoryName

LISTED_FOR = 600.0
LOOKING = 10.0

_listed: dict[str, tuple[float, frozenset[str]]] = {}


def existing(names: frozenset[RepositoryName], invocation: Invocation) -> frozenset[RepositoryName]:
    """Those of the repositories that are in the settings' registries. Raises JanitorError."""
    settings, access = invocation.settings, invocation.access

    @cache
    def cloud() -> Cloud:
        made = Cloud(access.api_endpoint, Pace(settings.limits.concurrency, time.monotonic() + LOOKING))
        sources.sign_in(made, access, invocation.context)
        return made

    def folder_ids() -> frozenset[str]:
        listed = registries.all_of_folder(cloud(), settings.services, settings.folder_id or "")
        return frozenset(each.registry_id for each in listed)

    def repositories(registry_id: str) -> frozenset[str]:
        names: list[frozenset[str]] = []
        for service in settings.services:
            try:
                listed = SERVICES[service].repositories(cloud(), registry_id)
                names.append(frozenset(repository.full_name for repository in listed))
            except CallError as error:
                if error.code != NOT_FOUND or (service == settings.services[-1] and not names):
                    raise
        return frozenset().union(*names)

    def exists(name: RepositoryName) -> bool:
        ours = settings.registries or remembered("", folder_ids)
        return name.registry_id in ours and name.full_name in remembered(
            name.registry_id, partial(repositories, name.registry_id)
        )

    return frozenset(filter(exists, names))


def remembered(what: str, look: Callable[[], frozenset[str]]) -> frozenset[str]:
    """The names of the last listing, or of a new one once that is old.

    A listing that fails is not repeated at once.
    """
    now = time.monotonic()
    if what not in _listed or now - _listed[what][0] >= LISTED_FOR:
        _listed[what] = (now, frozenset())
        _listed[what] = (now, look())
    return _listed[what][1]
