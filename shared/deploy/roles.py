"""Which roles the accounts of a deployment need, each on the narrowest thing that the API lets it be bound
to. Pure.

The functions' account runs dry runs, which takes ``container-registry.editor`` on each registry: there is no
smaller role for it. Which role they take in Cloud Registry is not documented: the least that may do is
``cloud-registry.artifacts.pusher``, which may delete, too. The triggers' account may only call the function.
(Yandex Cloud's documentation: container-registry/security, cloud-registry/security,
storage/security, functions/concepts/dlq.)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Literal, NamedTuple

from shared.cloud import cloud_registry, container_registry
from shared.cloud.registry_services import SERVICES
from shared.cloud.workloads import compute, kubernetes, serverless_containers
from shared.deploy.config import Config, secret_of
from shared.deploy.names import Names
from shared.retention.records import Registry, Service

Holder = Literal["functions", "triggers", "everyone"]
TargetKind = Literal["folder", "registry", "cloud registry", "given secret", "secret", "bucket", "function"]
REGISTRY_KINDS: dict[Service, TargetKind] = {
    "container-registry": "registry",
    "cloud-registry": "cloud registry",
}

IN_USE = {
    "serverless-containers": [serverless_containers.ROLE],
    "compute": [compute.ROLE],
    "instance-groups": [compute.ROLE],
    "kubernetes": [kubernetes.ROLE, kubernetes.CLUSTER_ROLE],
}
VIEWERS: dict[Service, str] = {
    "container-registry": container_registry.VIEWER,
    "cloud-registry": cloud_registry.VIEWER,
}
BY_HAND = ("cloud-registry.editor", "cloud-registry.admin")
"""What a refusal in Cloud Registry may name as the next role: whoever has bound it keeps it."""
MONITORING = "monitoring.editor"
PAYLOAD, STATE, INVOKER, QUEUE = (
    "lockbox.payloadViewer",
    "storage.editor",
    "functions.functionInvoker",
    "ymq.writer",
)


class Target(NamedTuple):
    """What a role is bound to: the id of a folder, registry or given secret, the name of what the deployment
    makes.
    """

    kind: TargetKind
    name: str


class Grant(NamedTuple):
    holder: Holder
    role: str
    target: Target
    why: str


def registry_target(registry: Registry) -> Target:
    return Target(REGISTRY_KINDS[registry.service], registry.registry_id)


def twin(target: Target) -> Target:
    """The registry of that id in the other service: one and the same when it was migrated."""
    others: dict[TargetKind, TargetKind] = {"registry": "cloud registry", "cloud registry": "registry"}
    return target._replace(kind=others.get(target.kind, target.kind))


def grants(config: Config, registries: Collection[Registry], closed: Collection[Service] = ()) -> list[Grant]:
    """Every role that is needed.

    ``registries`` are those that the settings are about; nothing is needed in a service that is ``closed``.
    """
    listed = [
        *_finding(config, registries, closed),
        *_cleaning(config, registries),
        *_in_use(config, registries),
        *_running(config),
        *_calling(config),
    ]
    return list({grant[:3]: grant for grant in reversed(listed)}.values())[::-1]


def _finding(
    config: Config, registries: Collection[Registry], closed: Collection[Service]
) -> Iterator[Grant]:
    """Every service is asked for every registry, which may have been migrated."""
    settings = config.settings
    for service in settings.services:
        if service in closed:
            continue
        title = SERVICES[service].TITLE
        if not settings.registries:
            folder = Target("folder", settings.folder_id or "")
            yield Grant("functions", VIEWERS[service], folder, f"to find the folder's registries in {title}")
            continue
        known = {registry.registry_id for registry in registries if registry.service == service}
        for registry in sorted(registries, key=registry_target):
            if registry.registry_id not in known:
                why = f"to see whether {title} has the registry {registry.registry_id}"
                yield Grant("functions", VIEWERS[service], Target("folder", registry.folder_id), why)


def _cleaning(config: Config, registries: Collection[Registry]) -> Iterator[Grant]:
    guards = config.settings.guards
    for registry in sorted(registries, key=registry_target):
        target, service = registry_target(registry), SERVICES[registry.service]
        yield from WORKING[registry.service](config, target)
        if guards.index_children or guards.referrers:
            yield Grant("functions", service.DOCKER.role, target, "to read manifests")


def _in_container_registry(config: Config, target: Target) -> Iterator[Grant]:
    why = "to run policies dry: there is no smaller role for it"
    yield Grant("functions", container_registry.EDITOR, target, why)
    if config.deletes:
        yield Grant("functions", container_registry.PUSHER, target, _deleting(config))


def _in_cloud_registry(config: Config, target: Target) -> Iterator[Grant]:
    if config.settings.registries:
        yield Grant("functions", cloud_registry.VIEWER, target, "to list artifacts and policies")
    why = "to run policies dry: which role that takes is not documented"
    if config.deletes:
        why = f"{_deleting(config)}, and {why}"
    yield Grant("functions", cloud_registry.PUSHER, target, why)


WORKING: dict[Service, Callable[[Config, Target], Iterator[Grant]]] = {
    "container-registry": _in_container_registry,
    "cloud-registry": _in_cloud_registry,
}


def _deleting(config: Config) -> str:
    """Why images may come to be deleted."""
    if config.settings.mode == "dry-run":
        return 'to delete images, when an event sets mode, as allow_overrides = ["mode"] lets it'
    return "to delete images"


def _in_use(config: Config, registries: Collection[Registry]) -> Iterator[Grant]:
    guards = config.settings.guards
    folders = {
        *(registry.folder_id for registry in registries),
        *guards.folders,
        config.settings.folder_id,
    } - {None}
    for source in guards.in_use if guards.in_use != "none" else ():
        for folder in sorted(filter(None, folders)):
            for role in IN_USE[source]:
                yield Grant("functions", role, Target("folder", folder), "to see which images are in use")


def _running(config: Config) -> Iterator[Grant]:
    deploy, names = config.deploy, Names(config.deploy.name)
    metrics = config.settings.metrics.folder_id
    if metrics:
        yield Grant("functions", MONITORING, Target("folder", metrics), "to write metrics")
    if config.bucket:
        bucket = Target("bucket", config.bucket)
        yield Grant("functions", STATE, bucket, "to keep plans, journals and reports, and to give up leases")
    if config.generates_secret:
        yield Grant("functions", PAYLOAD, Target("secret", names.secret), "to read the webhook's secret")
    given = {secret_of(reference)[0] for reference in deploy.secrets.values()}
    given |= {deploy.environment.get("SA_KEY_SECRET_ID", "")} - {""}
    for secret_id in sorted(given):
        yield Grant("functions", PAYLOAD, Target("given secret", secret_id), "to read the secret")


def _calling(config: Config) -> Iterator[Grant]:
    names = Names(config.deploy.name)
    yield Grant("triggers", INVOKER, Target("function", names.cleanup), "to call the function")
    if config.deploy.dead_letter_queue:
        folder = Target("folder", config.folder_id)
        yield Grant(
            "triggers", QUEUE, folder, "to write to the dead-letter queue: no queue can have it bound"
        )
    if config.deploy.webhook:
        webhook = Target("function", names.webhook)
        yield Grant(
            "everyone", INVOKER, webhook, "callers have no account: the webhook checks their signatures"
        )
