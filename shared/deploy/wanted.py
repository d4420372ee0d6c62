"""What a deployment is made of, as bodies of the API's calls. Pure.

A version is known again by a fingerprint in its description: the SHA-256 of its archive and of the rest
of its body. Triggers and the links to plans call the version that has the tag ``live``, so that going back is
moving a tag.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from shared.deploy import recorded
from shared.deploy.api import Item
from shared.deploy.config import MIB, Config, secret_of
from shared.deploy.found import Found
from shared.deploy.names import Names
from shared.retention.records import Service
from shared.settings import deploy_table
from shared.settings.deploy_table import MOST_ENVIRONMENT, WEBHOOK_SECRET, function_environment

LIVE, PREVIOUS = "live", "previous"
RUNTIME = "python312"
RETRY_INTERVAL = "60s"
PUSHED = "CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE"
SECRET_BYTES = 256  # what is left free for the value of a secret
BATCH = {"size": "100", "cutoff": "10s"}


def accounts(config: Config) -> dict[str, str]:
    """The accounts by name, and what each is for."""
    names = Names(config.deploy.name)
    return {
        names.functions_account: "what the clean-up may do",
        names.triggers_account: "what its triggers may do: call it",
    }


def functions(config: Config) -> dict[str, str]:
    """The functions by name, and the entry point of each."""
    names = Names(config.deploy.name)
    entry_points = {names.cleanup: "cleanup.handler"}
    return entry_points | {names.webhook: "webhook.handler"} if config.deploy.webhook else entry_points


def secrets(config: Config) -> list[str]:
    return [Names(config.deploy.name).secret] if config.generates_secret else []


def item_body(config: Config, name: str, description: str) -> dict[str, Any]:
    """An account, a function or a secret."""
    labels = Names(config.deploy.name).labels
    return {"folderId": config.folder_id, "name": name, "description": description, "labels": labels}


def bucket_body(config: Config, name: str) -> dict[str, Any]:
    labels = Names(config.deploy.name).labels
    tags = [{"key": key, "value": value} for key, value in labels.items()]
    return {"folderId": config.folder_id, "name": name, "tags": tags}


def triggers(config: Config, facts: Found) -> dict[str, dict[str, Any]]:
    """The rules of the triggers by name. A member that must be absent is None."""
    names = Names(config.deploy.name)
    call = _call(config, facts)
    timer = {"cronExpression": config.deploy.schedule, "payload": None, "invokeFunctionWithRetry": call}
    rules: dict[str, dict[str, Any]] = {names.timer: {"timer": timer}}
    for registry_id in pushed_to(config, facts, "container-registry"):
        pushes = {
            "eventType": [PUSHED],
            "registryId": registry_id,
            "imageName": None,
            "tag": None,
            "batchSettings": BATCH,
            "invokeFunction": call,
        }
        rules[names.push(registry_id)] = {"containerRegistry": pushes}
    return rules


def pushed_to(config: Config, facts: Found, service: Service) -> list[str]:
    """The ids of the service's registries whose pushes are to start a clean-up."""
    if not config.deploy.registry_trigger:
        return []
    return sorted(registry.registry_id for registry in facts.registries if registry.service == service)


def _call(config: Config, facts: Found) -> dict[str, Any]:
    names = Names(config.deploy.name)
    account_id = facts.id_of("account", names.triggers_account)
    retries, queue = config.deploy.retries, config.deploy.dead_letter_queue
    return {
        "functionId": facts.id_of("function", names.cleanup),
        "functionTag": LIVE,
        "serviceAccountId": account_id,
        "retrySettings": {"retryAttempts": str(retries), "interval": RETRY_INTERVAL} if retries else None,
        "deadLetterQueue": {"queueId": queue, "serviceAccountId": account_id} if queue else None,
    }


def version(config: Config, facts: Found, function: str, archive: bytes) -> dict[str, Any]:
    """The function's version that is wanted now, but for ``content`` and with its fingerprint."""
    deploy, names = config.deploy, Names(config.deploy.name)
    body: dict[str, Any] = {
        "runtime": RUNTIME,
        "entrypoint": functions(config)[function],
        "resources": {"memory": str(deploy.memory_mb * MIB)},
        "executionTimeout": deploy.timeout,
        "serviceAccountId": facts.id_of("account", names.functions_account),
        "environment": {**_environment(config, facts), **_record(config, archive)},
        "secrets": _secrets(config, facts),
        "logOptions": {
            **(
                {"logGroupId": deploy.log_group_id} if deploy.log_group_id else {"folderId": config.folder_id}
            ),
            "minLevel": deploy.log_level,
        },
    }
    if deploy.network_id:
        body["connectivity"] = {"networkId": deploy.network_id}
    encoded = json.dumps(body, sort_keys=True).encode()
    fingerprint = hashlib.sha256(hashlib.sha256(archive).digest() + encoded).hexdigest()
    body["functionId"] = facts.id_of("function", function)
    body["description"] = f"registry-janitor sha256:{fingerprint}"
    return body


def with_content(body: dict[str, Any], archive: bytes) -> dict[str, Any]:
    return {**body, "tag": [LIVE], "content": base64.b64encode(archive).decode()}


def live_url(function: Item) -> str:
    """Where the function's live version is called; without the tag it would be the newest one."""
    return f"{function.http_invoke_url}?tag={LIVE}"


def _environment(config: Config, facts: Found) -> dict[str, str]:
    """The functions' variables; a ``webhook_url`` that is the webhook's own, but lacks the tag, gets it."""
    environment = function_environment(config.deploy)
    webhook = facts.items["function"].get(Names(config.deploy.name).webhook)
    if config.deploy.webhook and config.settings.webhook_url in (None, webhook and webhook.http_invoke_url):
        environment = {"WEBHOOK_URL": live_url(webhook) if webhook else "", **environment}
    return environment


def _record(config: Config, archive: bytes) -> dict[str, str]:
    """The settings as a variable, as far as there is room beside secrets of unknown length."""
    used = deploy_table.environment_bytes(config.deploy) + SECRET_BYTES * len(config.deploy.secrets)
    text = recorded.record(config.settings, archive, MOST_ENVIRONMENT - used - len(recorded.VARIABLE))
    return {recorded.VARIABLE: text} if text else {}


def _secrets(config: Config, facts: Found) -> list[dict[str, str]]:
    references = {}
    for variable, reference in config.deploy.secrets.items():
        secret_id, key = secret_of(reference)
        references[variable] = {"id": secret_id, "versionId": facts.given[secret_id], "key": key}
    if config.generates_secret:
        own = facts.items["secret"].get(Names(config.deploy.name).secret)
        if own:
            version_id = own.current_version.id
            references[WEBHOOK_SECRET] = {"id": own.id, "versionId": version_id, "key": WEBHOOK_SECRET}
    return [{**reference, "environmentVariable": name} for name, reference in sorted(references.items())]
