"""Who may do what: roles that are bound to subjects on resources, and passed on to what those resources hold.

A binding is on a folder or on something in it: a registry, a repository, a function, a secret, a bucket, a
service account. A place is what a call is about: the ids from the thing itself up to its folder; a role that
is bound on any of them counts. Roles include others, as documented (Yandex Cloud: `iam/roles-reference`).
Subjects are service accounts and the two public groups of type `system`: `allUsers`, and
`allAuthenticatedUsers`, which are those with a valid token. Whether bindings of a deleted account vanish
isn't documented; here they stay, so that a client which leaves them behind is seen to.
"""

import functools
from typing import NamedTuple, TypeAlias

from tests.emulator.errors import PERMISSION_DENIED, ApiError

Place: TypeAlias = tuple[str, ...]

ALL_USERS, ALL_AUTHENTICATED_USERS = "allUsers", "allAuthenticatedUsers"
SUBJECT_TYPES = ("serviceAccount", "userAccount", "federatedUser", "group", "system")

INCLUDED_ROLES: dict[str, tuple[str, ...]] = {
    "admin": (
        "editor",
        "cloud-registry.admin",
        "container-registry.admin",
        "functions.admin",
        "iam.admin",
        "lockbox.admin",
        "resource-manager.admin",
        "serverless-containers.admin",
        "storage.admin",
        "ymq.admin",
    ),
    "editor": (
        "viewer",
        "cloud-registry.editor",
        "compute.editor",
        "container-registry.editor",
        "container-registry.images.puller",
        "container-registry.images.pusher",
        "functions.editor",
        "iam.editor",
        "iam.serviceAccounts.user",
        "k8s.editor",
        "lockbox.editor",
        "monitoring.editor",
        "serverless-containers.editor",
        "storage.editor",
        "ymq.writer",
    ),
    "viewer": (
        "cloud-registry.viewer",
        "compute.viewer",
        "container-registry.viewer",
        "functions.viewer",
        "iam.viewer",
        "k8s.viewer",
        "lockbox.viewer",
        "resource-manager.viewer",
        "serverless-containers.viewer",
        "storage.viewer",
    ),
    "cloud-registry.admin": ("cloud-registry.editor", "cloud-registry.registries.migrationRunner"),
    "cloud-registry.artifacts.puller": (),
    "cloud-registry.artifacts.pusher": ("cloud-registry.artifacts.puller",),
    "cloud-registry.artifacts.scanner": (),
    "cloud-registry.auditor": ("resource-manager.auditor",),
    "cloud-registry.editor": ("cloud-registry.viewer", "cloud-registry.artifacts.pusher"),
    "cloud-registry.registries.migrationRunner": ("cloud-registry.registries.migrationViewer",),
    "cloud-registry.registries.migrationViewer": (),
    "cloud-registry.viewer": ("cloud-registry.auditor", "cloud-registry.artifacts.puller"),
    "compute.editor": ("compute.viewer",),
    "compute.viewer": ("resource-manager.auditor",),
    "container-registry.admin": ("container-registry.editor", "container-registry.images.pusher"),
    "container-registry.editor": ("container-registry.viewer",),
    "container-registry.images.pusher": (),
    "container-registry.images.puller": (),
    "container-registry.images.scanner": (),
    "container-registry.viewer": ("resource-manager.auditor",),
    "functions.admin": ("functions.editor",),
    "functions.editor": ("functions.viewer", "functions.functionInvoker"),
    "functions.functionInvoker": (),
    "functions.viewer": ("resource-manager.auditor",),
    "iam.admin": ("iam.editor", "iam.serviceAccounts.admin"),
    "iam.editor": ("iam.viewer",),
    "iam.serviceAccounts.admin": (
        "iam.editor",
        "iam.serviceAccounts.tokenCreator",
        "iam.serviceAccounts.user",
    ),
    "iam.serviceAccounts.tokenCreator": (),
    "iam.serviceAccounts.user": ("iam.viewer",),
    "iam.viewer": ("resource-manager.auditor",),
    "k8s.cluster-api.viewer": (),
    "k8s.editor": ("k8s.viewer",),
    "k8s.viewer": ("resource-manager.auditor",),
    "kms.keys.encrypterDecrypter": (),
    "lockbox.admin": ("lockbox.editor", "lockbox.payloadViewer"),
    "lockbox.editor": ("lockbox.viewer",),
    "lockbox.payloadViewer": (),
    "lockbox.viewer": ("resource-manager.auditor",),
    "logging.writer": (),
    "monitoring.editor": (),
    "resource-manager.admin": ("resource-manager.editor",),
    "resource-manager.auditor": (),
    "resource-manager.editor": ("resource-manager.viewer",),
    "resource-manager.viewer": ("resource-manager.auditor",),
    "serverless-containers.admin": ("serverless-containers.editor",),
    "serverless-containers.editor": ("serverless-containers.viewer",),
    "serverless-containers.viewer": ("resource-manager.auditor",),
    "serverless.functions.invoker": ("functions.functionInvoker",),
    "storage.admin": ("storage.editor",),
    "storage.editor": ("storage.uploader",),
    "storage.uploader": ("storage.viewer",),
    "storage.viewer": ("resource-manager.auditor",),
    "vpc.user": (),
    "ymq.admin": ("ymq.writer",),
    "ymq.writer": (),
}


class Binding(NamedTuple):
    role_id: str
    subject_type: str
    subject_id: str


@functools.cache
def with_included(role: str) -> frozenset[str]:
    """The role and all that it includes."""
    included = (with_included(other) for other in INCLUDED_ROLES.get(role, ()))
    return frozenset({role}).union(*included)


class Access:
    """The bindings by resource; accounts in `unlimited` may do everything everywhere, as a cloud's owner
    may.
    """

    def __init__(self) -> None:
        self.unlimited: set[str] = set()
        self._bindings: dict[str, list[Binding]] = {}

    def bindings(self, resource_id: str) -> list[Binding]:
        return sorted(self._bindings.get(resource_id, ()))

    def all_bindings(self) -> dict[str, list[Binding]]:
        return {resource_id: sorted(bound) for resource_id, bound in self._bindings.items() if bound}

    def replace(self, resource_id: str, bindings: list[Binding]) -> None:
        self._bindings[resource_id] = list(dict.fromkeys(bindings))

    def bind(self, resource_id: str, binding: Binding) -> None:
        self.replace(resource_id, [*self._bindings.get(resource_id, ()), binding])

    def forget(self, resource_id: str) -> None:
        self._bindings.pop(resource_id, None)

    def allows(self, account_id: str, role: str, place: Place) -> bool:
        """Whether the account, "" for a stranger, has the role there; () is a place that doesn't exist:
        anywhere.
        """
        if account_id in self.unlimited:
            return True
        return any(
            role in with_included(binding.role_id) and _covers(binding, account_id)
            for resource_id in place or self._bindings
            for binding in self._bindings.get(resource_id, ())
        )

    def require(self, account_id: str, role: str, place: Place) -> None:
        if not self.allows(account_id, role, place):
            raise ApiError(PERMISSION_DENIED, "Permission denied")


def _covers(binding: Binding, account_id: str) -> bool:
    if binding.subject_type == "system":
        return binding.subject_id == ALL_USERS or bool(account_id)
    return binding.subject_type == "serviceAccount" and binding.subject_id == account_id
