"""Carries out the steps of a plan, each to the end of its operation. After a failure, the next apply goes on
from there.

A call that changes something is sent once. It may fail in a way that may pass, or because somebody was
faster, and may have taken effect all the same. Then the facts are fetched again and the difference is taken
anew, so that nothing is made twice.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from typing import TypeVar

import msgspec

from shared.cloud.client import Cloud
from shared.cloud.operations import Operation
from shared.cloud.pace import backoff
from shared.deploy import api, package, storage, wanted
from shared.deploy.api import Bucket, Item, Version
from shared.deploy.deployment import Deployment
from shared.deploy.found import Found
from shared.deploy.roles import Target
from shared.deploy.steps import (
    Bind,
    Change,
    Create,
    CreateBucket,
    CreateVersion,
    Delete,
    DeleteBucket,
    DeleteVersion,
    SetTag,
    Step,
    UpdateTrigger,
)
from shared.errors import (
    ABORTED,
    ALREADY_EXISTS,
    FAILED_PRECONDITION,
    INTERNAL,
    NOT_FOUND,
    PERMISSION_DENIED,
    UNIMPLEMENTED,
    CallError,
)
from shared.settings.deploy_table import WEBHOOK_SECRET

TRIES = 6
NOT_EMPTY = (FAILED_PRECONDITION, ABORTED)
READ_ONLY = (FAILED_PRECONDITION, UNIMPLEMENTED)  # PERMISSION_DENIED may be the deployer's own trouble
PASSING = (ABORTED, ALREADY_EXISTS, NOT_FOUND)

Answer = TypeVar("Answer")


def carry_out(
    deployment: Deployment,
    facts: Found,
    look: Callable[[], Found],
    compare: Callable[[Found], list[Step]],
    tell: Callable[[Step, str], None],
) -> None:
    """Does the first step that ``compare`` finds in ``facts``, and the next, until nothing is left to do.

    ``look`` fetches the facts again after an error. ``tell`` gets each step that is done, and each that a
    service refuses because it is read-only, with its refusal.

    Raises CallError.
    """
    tries, bound = 0, False
    refused: set[Target] = set()
    while True:
        step = next((step for step in compare(facts) if step.change and _target(step) not in refused), None)
        if step is None or step.change is None:
            return
        try:
            _do(deployment, step.change, facts)
        except CallError as error:
            target = _target(step)
            if target and target.kind == "registry" and error.code in READ_ONLY:
                refused.add(target)
                tell(step, str(error))
                continue
            tries += 1
            # a role that was bound just now may take some seconds to count
            if tries >= TRIES or not (_may_pass(error) or (bound and error.code == PERMISSION_DENIED)):
                raise
            deployment.cloud.pause(backoff(tries + 2), str(error))
            facts = look()
            continue
        tell(step, "")
        tries, bound = 0, bound or isinstance(step.change, Bind)


def _target(step: Step) -> Target | None:
    """What the step binds roles to."""
    return step.change.target if isinstance(step.change, Bind) else None


def _may_pass(error: CallError) -> bool:
    return error.retryable or error.ambiguous or error.code in PASSING


def _do(deployment: Deployment, change: Change, facts: Found) -> None:
    """Makes one change, waits for its end, and puts what came of it into ``found``."""
    cloud = deployment.cloud
    unrepeated = cloud.at(cloud.endpoint, attempts=1)
    match change:
        case Create():
            _create(cloud, unrepeated, change, facts)
        case CreateBucket(name=name, body=body):
            made = api.done(cloud, api.create(unrepeated, "bucket", body), f"making the bucket {name}")
            facts.buckets[name] = _response(made, Bucket)
        case CreateVersion(function=function, body=body):
            operation = api.create_version(
                unrepeated, wanted.with_content(body, package.compiled(deployment.archive))
            )
            made = api.done(cloud, operation, f"making a version of {function}", api.BUILD_AT_MOST)
            version = _response(made, Version)
            facts.versions.setdefault(function, []).append(version)
            _tagged(facts, function, version.id, wanted.LIVE)
        case SetTag(function=function, version_id=version_id, tag=tag):
            operation = api.set_tag(unrepeated, version_id, tag)
            api.done(cloud, operation, f"setting the tag {tag} of {function}")
            _tagged(facts, function, version_id, tag)
        case UpdateTrigger(name=name, trigger_id=trigger_id, rule=rule):
            api.done(cloud, api.update_trigger(unrepeated, trigger_id, rule), f"changing the trigger {name}")
            triggers = facts.items["trigger"]
            triggers[name] = msgspec.structs.replace(triggers[name], rule=rule)
        case Bind(target=target, target_id=target_id, add=add, remove=remove):
            operation = api.bind(unrepeated, target.kind, target_id, add, remove)
            api.done(cloud, operation, f"changing the roles on the {target.kind} {target.name}")
            facts.roles[target] = (facts.roles.get(target, set()) - {*remove}) | {*add}
        case Delete():
            _delete(cloud, unrepeated, change, facts)
        case DeleteBucket(name=name):
            _delete_bucket(deployment, unrepeated, name)
            del facts.buckets[name]
        case DeleteVersion(function=function, version_id=version_id):
            api.done(
                cloud, api.delete(unrepeated, "version", version_id), f"deleting the version {version_id}"
            )
            facts.versions[function] = [
                version for version in facts.versions[function] if version.id != version_id
            ]


def _create(cloud: Cloud, unrepeated: Cloud, change: Create, facts: Found) -> None:
    """Makes an item; a secret's value is drawn here, and is nowhere but in Lockbox after that."""
    kind, name, body, drawn = change.kind, change.name, change.body, ""
    if kind == "secret":
        drawn = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
        body = body | {"versionPayloadEntries": [{"key": WEBHOOK_SECRET, "textValue": drawn}]}
    made = api.done(cloud, api.create(unrepeated, kind, body, drawn), f"making the {kind} {name}")
    facts.items[kind][name] = api.item(cloud, kind, _response(made, Item).id)


def _delete(cloud: Cloud, unrepeated: Cloud, change: Delete, facts: Found) -> None:
    api.done(
        cloud,
        api.delete(unrepeated, change.kind, change.item_id),
        f"deleting the {change.kind} {change.name}",
    )
    del facts.items[change.kind][change.name]
    for target in [role for role in facts.roles if (role.kind, role.name) == (change.kind, change.name)]:
        del facts.roles[target]
    if change.kind == "function":
        del facts.versions[change.name]


def _delete_bucket(deployment: Deployment, unrepeated: Cloud, name: str) -> None:
    """Deletes the bucket, which has to be empty first; its objects are reached only when it is not."""
    what = f"deleting the bucket {name}"
    try:
        api.done(deployment.cloud, api.delete(unrepeated, "bucket", name), what)
    except CallError as error:
        if error.code not in NOT_EMPTY:
            raise
        storage.empty(deployment.cloud, deployment.access, name)
        api.done(deployment.cloud, api.delete(unrepeated, "bucket", name), what)


def _response(operation: Operation, kind: type[Answer]) -> Answer:
    """What the operation made. Raises CallError when it does not say, so that all is looked at again."""
    try:
        made = msgspec.json.decode(operation.response, type=kind, strict=False)
    except msgspec.DecodeError:
        made = kind()
    if not (getattr(made, "id", "") or getattr(made, "name", "")):
        raise CallError(
            f"the operation {operation.id} does not say what it made",
            service="operation",
            call="GET /operations",
            code=INTERNAL,
            retryable=True,
        )
    return made


def _tagged(facts: Found, function: str, version_id: str, tag: str) -> None:
    """The tag goes from the version that has it to another."""

    def tags(version: Version) -> list[str]:
        others = [other for other in version.tags if other != tag]
        return [*others, tag] if version.id == version_id else others

    replaced = [msgspec.structs.replace(version, tags=tags(version)) for version in facts.versions[function]]
    facts.versions[function] = replaced
