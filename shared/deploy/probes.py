"""Whether a deployment's account really may do what it must: harmless calls, made as the account itself.

Acting as it takes ``POST /iam/v1/tokens:createForServiceAccount {"serviceAccountId"}`` and the role
``iam.serviceAccounts.tokenCreator`` on it. (yandex/cloud/iam/v1/iam_token_service.proto.) What cannot be
tried without harm, such as deleting, is not tried.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from shared.auth.tokens import Bearer, Token, TokenKeeper
from shared.cloud import container_registry, manifests
from shared.cloud.client import Cloud, part
from shared.cloud.workloads import compute, kubernetes, serverless_containers
from shared.deploy.deployment import Deployment
from shared.deploy.roles import PAYLOAD, Grant
from shared.errors import PERMISSION_DENIED, CallError
from shared.retention.records import Repository, Service

ACT_AS = "iam.serviceAccounts.tokenCreator"

LISTS = {
    container_registry.VIEWER: (container_registry.SERVICE, f"{container_registry.ROOT}/registries"),
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
    if grant.role == container_registry.EDITOR:
        return lambda: _dry_runs(cloud, target_id)
    if grant.role == container_registry.DOCKER.role:
        endpoints: dict[Service, str] = {"container-registry": deployment.access.registry_endpoint}
        return lambda: _reads_manifests(cloud, endpoints, target_id)
    if grant.role == PAYLOAD:
        return lambda: _asks(cloud, "payload.lockbox", f"/lockbox/v1/secrets/{part(target_id)}/payload", {})
    if grant.role in LISTS:
        service, path = LISTS[grant.role]
        return lambda: _asks(cloud, service, path, {"folderId": target_id, "pageSize": 1})
    return None


def _asks(cloud: Cloud, service: str, path: str, params: dict[str, object]) -> bool:
    cloud.call("GET", service, path, msgspec.Raw, params=params)
    return True


def _dry_runs(cloud: Cloud, registry_id: str) -> bool | None:
    policy = next(container_registry.policies(cloud, registry_id), None)
    if policy is None:
        return None
    container_registry.dry_run(cloud, policy.policy_id)
    return True


def _reads_manifests(cloud: Cloud, endpoints: dict[Service, str], registry_id: str) -> bool | None:
    repository: Repository
    for repository in container_registry.repositories(cloud, registry_id):
        image = next(container_registry.images(cloud, repository), None)
        if image:
            return manifests.Manifests(cloud, endpoints, repository).exists(image.digest)
    return None
