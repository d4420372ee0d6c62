"""Which roles the accounts of a deployment need, each on the narrowest thing that the API lets it be bound
to. Pure.

The functions' account runs dry runs, which takes ``container-registry.editor`` on each registry: there is no
smaller role for it. The triggers' account may only call the function. (Yandex Cloud's documentation:
container-registry/security, functions/operations/function/mount-bucket, functions/concepts/dlq.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from shared.cloud import container_registry
from shared.cloud.workloads import compute, kubernetes, serverless_containers
from shared.deploy.config import Config, secret_of
from shared.deploy.names import Names

Holder = Literal["functions", "triggers", "everyone"]
TargetKind = Literal["folder", "registry", "given secret", "secret", "bucket", "function"]

IN_USE = {
    "serverless-containers": [serverless_containers.ROLE],
    "compute": [compute.ROLE],
    "instance-groups": [compute.ROLE],
    "kubernetes": [kubernetes.ROLE, kubernetes.CLUSTER_ROLE],
}
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


def grants(config: Config, registries: Mapping[str, str]) -> list[Grant]:
    """Every role that is needed; ``registries`` are those that the settings are about, with their folders."""
    listed = [
        *_cleaning(config, registries),
        *_in_use(config, registries),
        *_running(config),
        *_calling(config),
    ]
    return list({grant[:3]: grant for grant in reversed(listed)}.values())[::-1]


def _cleaning(config: Config, registries: Mapping[str, str]) -> Iterator[Grant]:
    settings = config.settings
    if settings.folder_id and not settings.registries:
        folder = Target("folder", settings.folder_id)
        yield Grant("functions", container_registry.VIEWER, folder, "to find the folder's registries")
    for registry_id in sorted(registries):
        target = Target("registry", registry_id)
        yield Grant(
            "functions",
            container_registry.EDITOR,
            target,
            "to run policies dry: there is no smaller role for it",
        )
        if settings.guards.index_children or settings.guards.referrers:
            yield Grant("functions", container_registry.DOCKER.role, target, "to read manifests")
        if config.deletes:
            yield Grant("functions", container_registry.PUSHER, target, "to delete images")


def _in_use(config: Config, registries: Mapping[str, str]) -> Iterator[Grant]:
    guards = config.settings.guards
    folders = {*registries.values(), *guards.folders, config.settings.folder_id} - {None}
    for source in guards.in_use if guards.in_use != "none" else ():
        for folder in sorted(filter(None, folders)):
            for role in IN_USE[source]:
                yield Grant("functions", role, Target("folder", folder), "to see which images are in use")


def _running(config: Config) -> Iterator[Grant]:
    deploy, names = config.deploy, Names(config.deploy.name)
    metrics = config.settings.metrics.folder_id
    if metrics:
        yield Grant("functions", MONITORING, Target("folder", metrics), "to write metrics")
    if deploy.state_bucket:
        bucket = Target("bucket", deploy.state_bucket)
        yield Grant("functions", STATE, bucket, "to keep the journal and the reports, and to give up leases")
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
