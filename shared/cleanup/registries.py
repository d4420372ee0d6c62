"""Which registries there are, and in which of the services: a registry that was migrated is in both, and is
worked on in the first of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from shared.cleanup.run import Run
from shared.cloud.client import Cloud
from shared.cloud.parallel import for_each
from shared.cloud.registry_services import SERVICES, RegistryService, service_of
from shared.errors import NOT_FOUND, PERMISSION_DENIED, UNAVAILABLE, CallError
from shared.retention.records import Registry, Service

GONE = (404, 410)


class Answers(msgspec.Struct, frozen=True):
    """What the services answered, and why some did not; the order is theirs."""

    registries: dict[Service, list[Registry]] = {}
    failures: dict[Service, CallError] = {}


def of_folder(run: Run, cloud: Cloud, folder_id: str) -> list[Registry]:
    """The registries of the folder, each once. Raises CallError when no service answers, or none but one
    without registries.
    """
    answers = ask(run.settings.services, lambda service: list(service.registries(cloud, folder_id)))
    if answers.failures and not any(answers.registries.values()):
        first, *others = [answers.failures[name] for name in SERVICES if name in answers.failures]
        for error in others:
            if error.code != NOT_FOUND:
                run.problem(error)
        raise first
    for name, error in answers.failures.items():
        if _is_unavailable(error):
            tell_unavailable(run, name, error)
        else:
            run.problem(error)
    return _each_once(run, answers)


def all_of_folder(cloud: Cloud, services: Collection[Service], folder_id: str) -> list[Registry]:
    """The same without a word about them. Raises CallError when any service gives no answer but is there."""
    answers = ask(services, lambda service: list(service.registries(cloud, folder_id)))
    for error in answers.failures.values():
        if not answers.registries or not is_closed(error):
            raise error
    return [ours for ours, *_ in _by_id(answers) if not ours.left]


def named(run: Run, cloud: Cloud, registry_ids: list[str]) -> tuple[list[Registry], dict[str, CallError]]:
    """The registries of these ids, each once, and why there are no others. Raises nothing."""
    registries: list[Registry] = []
    failures: dict[str, CallError] = {}
    closed: dict[Service, CallError] = {}

    def find(registry_id: str) -> None:
        answers = ask(run.settings.services, lambda service: [service.registry(cloud, registry_id)])
        registries.extend(_each_once(run, answers))
        others = {name: error for name, error in answers.failures.items() if error.code != NOT_FOUND}
        if not answers.registries:
            failures[registry_id] = next(iter([*others.values(), *answers.failures.values()]))
            return
        for name, error in others.items():
            if _is_unavailable(error):
                closed[name] = error
            else:
                run.problem(error)

    for_each(list(dict.fromkeys(registry_ids)), find, cloud.concurrency)
    for name, error in closed.items():
        tell_unavailable(run, name, error)
    order = {registry_id: number for number, registry_id in enumerate(registry_ids)}
    return sorted(registries, key=lambda registry: order[registry.registry_id]), failures


def ask(services: Collection[Service], question: Callable[[RegistryService], list[Registry]]) -> Answers:
    """Asks the services at once. Raises OutOfTime."""
    answers = Answers({}, {})

    def ask_one(name: Service) -> None:
        try:
            answers.registries[name] = question(SERVICES[name])
        except CallError as error:
            answers.failures[name] = error

    for_each([name for name in SERVICES if name in services], ask_one, len(SERVICES))
    return answers


def is_closed(error: CallError) -> bool:
    """Whether the service cannot be asked at all: its host is gone, or has none of its API any more."""
    return error.status in GONE or (error.code == UNAVAILABLE and not error.status)


def _is_unavailable(error: CallError) -> bool:
    """Whether the other service may be worked in all the same."""
    return is_closed(error) or error.code == PERMISSION_DENIED


def tell_unavailable(run: Run, name: Service, error: CallError) -> None:
    run.warn(
        "service-unavailable",
        f"{SERVICES[name].TITLE} cannot be asked, so its registries are left alone: {error}. To do without"
        f" it, leave {name} out of SERVICES.",
    )


def _each_once(run: Run, answers: Answers) -> list[Registry]:
    """The registries that can be cleaned, each in the first service that knows it."""
    registries = _by_id(answers)
    for ours, *others in registries:
        for other in others:
            run.warn(
                "migrated",
                f"The registry {ours.registry_id} is in both services: this run works on the one in"
                f" {service_of(ours).TITLE}. If redirects are off, the one in {service_of(other).TITLE} is"
                " another copy, and stays as it is.",
            )
    for ours, *_ in registries:
        if ours.left:
            run.warn("registry-left", f"The registry {ours.registry_id} is left alone, for {ours.left}.")
    return [ours for ours, *_ in registries if not ours.left]


def _by_id(answers: Answers) -> list[list[Registry]]:
    """The registries, those of one id together, in the order of the services."""
    by_id: dict[str, list[Registry]] = {}
    for name in SERVICES:
        for registry in answers.registries.get(name, ()):
            by_id.setdefault(registry.registry_id, []).append(registry)
    return list(by_id.values())
