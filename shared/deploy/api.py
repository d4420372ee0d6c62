"""The calls that a deployment is made of, and what they answer. Knows nothing of what is wanted.

``GET /iam/v1/serviceAccounts``, ``/functions/v1/functions``, ``/triggers/v1/triggers``,
``/lockbox/v1/secrets``, all by ``folderId``; ``GET /functions/v1/versions?functionId=``; ``GET
/storage/v1/buckets/{name}?view=VIEW_FULL``, whose tags stand for the labels of the others. Whatever carries
roles has ``:listAccessBindings`` and ``:updateAccessBindings``. Everything that changes answers an operation.
(yandex/cloud/{iam,serverless,lockbox,storage,access}/.../*.proto.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec

from shared.cloud import operations, resource_manager
from shared.cloud.client import Cloud, part
from shared.cloud.operations import Operation
from shared.errors import NOT_FOUND, UNIMPLEMENTED, CallError

Kind = Literal["account", "secret", "function", "trigger"]
BUCKET_SERVICE, BUCKETS = "storage", "/storage/v1/buckets"
FUNCTION_SERVICE, VERSIONS = "serverless-functions", "/functions/v1/versions"


class Place(NamedTuple):
    """Where things of a kind are: the service, the path of their collection, and what a refusal says is
    missing.
    """

    service: str
    path: str
    role: str


AT_MOST, BUILD_AT_MOST = 120.0, 600.0

PLACES: dict[str, Place] = {
    "account": Place("iam", "/iam/v1/serviceAccounts", "iam.serviceAccounts.admin on the folder"),
    "secret": Place("lockbox", "/lockbox/v1/secrets", "lockbox.admin on the folder"),
    "given secret": Place("lockbox", "/lockbox/v1/secrets", "lockbox.admin on it"),
    "function": Place(FUNCTION_SERVICE, "/functions/v1/functions", "functions.admin on the folder"),
    "version": Place(FUNCTION_SERVICE, VERSIONS, "functions.editor on the folder"),
    "trigger": Place("serverless-triggers", "/triggers/v1/triggers", "functions.editor on the folder"),
    "bucket": Place(BUCKET_SERVICE, BUCKETS, "storage.admin on the folder"),
    "folder": Place(
        resource_manager.SERVICE, resource_manager.FOLDERS, "resource-manager.admin on the folder"
    ),
    "registry": Place(
        "container-registry", "/container-registry/v1/registries", "container-registry.admin on it"
    ),
    "cloud registry": Place("registry", "/cloud-registry/v1/registries", "cloud-registry.admin on it"),
}


class _Identified(msgspec.Struct, frozen=True):
    id: str = ""


class Item(msgspec.Struct, frozen=True, rename="camel"):
    """An account, a secret, a function or a trigger; fields that its kind lacks stay empty."""

    id: str = ""
    name: str = ""
    labels: dict[str, str] = {}
    status: str = ""
    http_invoke_url: str = ""
    rule: dict[str, Any] = {}
    current_version: _Identified = _Identified()


class Version(msgspec.Struct, frozen=True, rename="camel"):
    """A version of a function. ``created_at`` is the API's RFC 3339 text."""

    id: str = ""
    description: str = ""
    created_at: str = ""
    status: str = ""
    tags: list[str] = []
    runtime: str = ""
    entrypoint: str = ""
    resources: dict[str, Any] = {}
    execution_timeout: str = ""
    service_account_id: str = ""
    environment: dict[str, str] = {}
    secrets: list[dict[str, Any]] = []
    log_options: dict[str, Any] = {}
    mounts: list[dict[str, Any]] = []
    connectivity: dict[str, Any] = {}

    @property
    def usable(self) -> bool:
        """Whether it may be called again; an OBSOLETE one, by being given a tag."""
        return self.status != "DELETING"

    @property
    def buckets(self) -> set[str]:
        """The buckets that it uses; those that it mounts were deployed before there was STATE_BUCKET."""
        mounted = {mount.get("objectStorage", {}).get("bucketId", "") for mount in self.mounts}
        return {self.environment.get("STATE_BUCKET", "").partition("/")[0], *mounted} - {""}


class _Tag(msgspec.Struct, frozen=True):
    key: str = ""
    value: str = ""


class Bucket(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    folder_id: str = ""
    tags: list[_Tag] = []

    @property
    def labels(self) -> dict[str, str]:
        return {tag.key: tag.value for tag in self.tags}


class Subject(msgspec.Struct, frozen=True):
    id: str = ""
    type: str = ""


class Binding(msgspec.Struct, frozen=True, rename="camel"):
    """A role and who holds it."""

    role_id: str
    subject: Subject


EVERYONE = Subject("allUsers", "system")


class _Page(msgspec.Struct, rename="camel"):
    next_page_token: str = ""
    service_accounts: list[Item] = []
    secrets: list[Item] = []
    functions: list[Item] = []
    triggers: list[Item] = []
    versions: list[Version] = []
    access_bindings: list[Binding] = []
    operations: list[Operation] = []


def items(cloud: Cloud, kind: Kind, folder_id: str) -> Iterator[Item]:
    service, path, role = PLACES[kind]
    for page in cloud.pages(service, path, _Page, role=role, params={"folderId": folder_id}):
        yield from page.service_accounts or page.secrets or page.functions or page.triggers


def item(cloud: Cloud, kind: Kind, item_id: str) -> Item:
    service, path, role = PLACES[kind]
    return cloud.call("GET", service, f"{path}/{part(item_id)}", Item, role=role)


def versions(cloud: Cloud, function_id: str) -> list[Version]:
    """A function's versions, oldest first."""
    role, params = PLACES["function"].role, {"functionId": function_id}
    pages = cloud.pages(FUNCTION_SERVICE, VERSIONS, _Page, role=role, params=params)
    listed = [version for page in pages for version in page.versions]
    return sorted(listed, key=lambda version: datetime.fromisoformat(version.created_at))


def settle(cloud: Cloud, function_id: str) -> None:
    """Waits until nothing is under way on a function: what an earlier deployment began is not begun again."""
    service, path, role = PLACES["function"]
    pages = cloud.pages(service, f"{path}/{part(function_id)}/operations", _Page, role=role)
    try:
        under_way = [operation for page in pages for operation in page.operations if not operation.done]
    except CallError as error:
        if error.code not in (UNIMPLEMENTED, NOT_FOUND):
            raise
        return
    for operation in under_way:
        with suppress(CallError):  # how it ends is seen by what there is then
            done(cloud, operation, "an earlier change", BUILD_AT_MOST)


def bucket(cloud: Cloud, name: str) -> Bucket | None:
    """The bucket of that name, or None when there is none."""
    service, path, role = PLACES["bucket"]
    try:
        return cloud.call(
            "GET", service, f"{path}/{part(name)}", Bucket, params={"view": "VIEW_FULL"}, role=role
        )
    except CallError as error:
        if error.code != NOT_FOUND:
            raise
        return None


def bindings(cloud: Cloud, kind: str, target_id: str) -> Iterator[Binding]:
    service, path, role = PLACES[kind]
    for page in cloud.pages(service, f"{path}/{part(target_id)}:listAccessBindings", _Page, role=role):
        yield from page.access_bindings


def bind(
    cloud: Cloud, kind: str, target_id: str, add: Sequence[Binding], remove: Sequence[Binding]
) -> Operation:
    """Adds and removes these bindings and no others."""
    service, path, role = PLACES[kind]
    deltas = [
        {"action": action, "accessBinding": msgspec.to_builtins(binding)}
        for action, those in (("ADD", add), ("REMOVE", remove))
        for binding in those
    ]
    method = "PATCH" if kind == "bucket" else "POST"
    path = f"{path}/{part(target_id)}:updateAccessBindings"
    return cloud.call(method, service, path, Operation, body={"accessBindingDeltas": deltas}, role=role)


def create(cloud: Cloud, kind: str, body: dict[str, Any], secret: str = "") -> Operation:
    """Makes an item or a bucket; ``secret`` is what no error may show."""
    service, path, role = PLACES[kind]
    return cloud.call("POST", service, path, Operation, body=body, role=role, secrets=(secret,))


def delete(cloud: Cloud, kind: str, item_id: str) -> Operation:
    """Deletes an item, a version, or a bucket, whose id is its name."""
    service, path, role = PLACES[kind]
    return cloud.call("DELETE", service, f"{path}/{part(item_id)}", Operation, role=role)


def update_trigger(cloud: Cloud, trigger_id: str, rule: dict[str, Any]) -> Operation:
    service, path, role = PLACES["trigger"]
    body = {"updateMask": "rule", "rule": rule}
    return cloud.call("PATCH", service, f"{path}/{part(trigger_id)}", Operation, body=body, role=role)


def create_version(cloud: Cloud, body: dict[str, Any]) -> Operation:
    return cloud.call("POST", FUNCTION_SERVICE, VERSIONS, Operation, body=body, role=PLACES["function"].role)


def set_tag(cloud: Cloud, version_id: str, tag: str) -> Operation:
    path, role = f"{VERSIONS}/{part(version_id)}:setTag", PLACES["function"].role
    return cloud.call("POST", FUNCTION_SERVICE, path, Operation, body={"tag": tag}, role=role)


def done(cloud: Cloud, operation: Operation, what: str, at_most: float = AT_MOST) -> Operation:
    """The operation when it is done.

    Raises CallError when it failed, or lasts longer than ``at_most`` seconds.
    """
    return operations.wait(cloud, operation, what, at_most=at_most)
