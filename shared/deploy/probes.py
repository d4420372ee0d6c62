"""Whether a deployment's account really may do what it must: harmless calls, made as the account itself.

Acting as it takes ``POST /iam/v1/tokens:createForServiceAccount {"serviceAccountId"}`` and the role
``iam.serviceAccounts.tokenCreator`` on it. (yandex/cloud/iam/v1/iam_token_service.proto.) What cannot be
tried without harm, such as deleting, is not tried.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from shared.auth.environment import Access
from shared.auth.tokens import Bearer, Token, TokenKeeper
from shared.cloud import cloud_registry, container_registry, manifests
from shared.cloud.client import Cloud, part
from shared.cloud.registry_services import SERVICES, RegistryService
from shared.cloud.workloads import compute, kubernetes, serverless_containers
from shared.deploy.deployment import Deployment
from shared.deploy.roles import PAYLOAD, REGISTRY_KINDS, Grant, TargetKind
from shared.errors import PERMISSION_DENIED, CallError
from shared.retention.records import Repository, Service

OF_KIND: dict[TargetKind, RegistryService] = {
    kind: SERVICES[service] for service, kind in REGISTRY_KINDS.items()
}
ACT_AS = "iam.serviceAccounts.tokenCreator"

LISTS = {
    container_registry.VIEWER: (container_registry.SERVICE, f"{container_registry.ROOT}/registries"),
    cloud_registry.VIEWER: (cloud_registry.SERVICE, f"{cloud_registry.ROOT}/registries"),
    serverless_containers.ROLE: (serverless_containers.SERVICE, "/containers/v1/containers"),
    compute.ROLE: (compute.SERVICE, compute.ROOT),
    kubernetes.ROLE: (kubernetes.SERVICE, "/managed-kubernetes/v1/clusters"),
}


class _Issued(msgspec.Struct, rename="camel"):
    iam_token: str


def acting_as(cloud: Cloud, account_id: str) -> Cloud | None:
    """``cloud`` as the account sees it, or None when acting as it is refused."""

    def token(_: Cloud) -> Token:
        body = {"serviceAccountId": account_id}
        issued = cloud.call(
            "POST", "iam", "/iam/v1/tokens:createForServiceAccount", _Issued, body=body, role=ACT_AS
        )
        return Token(issued.iam_token)

    other = Cloud(cloud.endpoint, cloud.pace)
    other.credentials = bearer = Bearer(TokenKeeper(token), other)
    try:
        bearer.token()
    except CallError:
        return None
    return other


def may(cloud: Cloud, deployment: Deployment, grant: Grant, target_id: str) -> bool | None:
    """Whether ``cloud``, which is the account's, may do what the role is for; None when that cannot be
    tried.
    """
    probe = _probe(cloud, deployment, grant, target_id)
    try:
        return None if probe is None else probe()
    except CallError as error:
        return False if error.code == PERMISSION_DENIED else None


def _probe(
    cloud: Cloud, deployment: Deployment, grant: Grant, target_id: str
) -> Callable[[], bool | None] | None:
    """The call that tries the role. It returns None when it finds nothing to try it on."""
    if grant.holder != "functions":
        return None
    registries = OF_KIND.get(grant.target.kind)
    if registries:
        return _probe_of_registry(cloud, deployment, registries, grant.role, target_id)
    if grant.role == PAYLOAD:
        return lambda: _asks(cloud, "payload.lockbox", f"/lockbox/v1/secrets/{part(target_id)}/payload", {})
    if grant.role in LISTS:
        service, path = LISTS[grant.role]
        return lambda: _asks(cloud, service, path, {"folderId": target_id, "pageSize": 1})
    return None


def _probe_of_registry(
    cloud: Cloud, deployment: Deployment, service: RegistryService, role: str, registry_id: str
) -> Callable[[], bool | None] | None:
    if role in (container_registry.EDITOR, cloud_registry.PUSHER):
        return lambda: _dry_runs(cloud, service, registry_id)
    if role == service.DOCKER.role:
        return lambda: _reads_manifests(cloud, service, deployment.access, registry_id)
    if role == cloud_registry.VIEWER:
        return lambda: bool(service.registry(cloud, registry_id))
    return None


def _asks(cloud: Cloud, service: str, path: str, params: dict[str, object]) -> bool:
    cloud.call("GET", service, path, msgspec.Raw, params=params)
    return True


def _dry_runs(cloud: Cloud, service: RegistryService, registry_id: str) -> bool | None:
    policy = next(service.policies(cloud, registry_id), None)
    if policy is None:
        return None
    service.dry_run(cloud, policy.policy_id)
    return True


def _reads_manifests(cloud: Cloud, service: RegistryService, access: Access, registry_id: str) -> bool | None:
    endpoints: dict[Service, str] = {
        "container-registry": access.registry_endpoint,
        "cloud-registry": access.cloud_registry_endpoint,
    }
    repository: Repository
    for repository in service.repositories(cloud, registry_id):
        image = next(service.images(cloud, repository), None)
        if image:
            return manifests.Manifests(cloud, endpoints, repository).exists(image.digest)
    return None
