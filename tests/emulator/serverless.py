"""Cloud Functions: functions, their versions and tags, triggers, and the calls that were made.

Functions, versions and triggers are the API's own messages; a version's archive lies beside its message. The
newest version bears the tag `$latest`, which cannot be taken from it; a tag is on one version of a function
at a time.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from yandex.cloud.serverless.functions.v1.function_pb2 import Function, Version
from yandex.cloud.serverless.functions.v1.function_service_pb2 import ListFunctionTagHistoryResponse
from yandex.cloud.serverless.triggers.v1.trigger_pb2 import Trigger

from tests.emulator.clock import timestamp

LATEST = "$latest"

TagRecord = ListFunctionTagHistoryResponse.FunctionTagHistoryRecord


@dataclass(frozen=True)
class RegistryEvent:
    """What happened to an image; `kind` is as in a trigger's event types, `CREATE_IMAGE`."""

    kind: str
    at: float
    registry_id: str
    repository_name: str
    image_id: str
    digest: str
    tag: str


@dataclass
class Invocation:
    """A call of a function and what came of it: `status` is ok, error or timeout.

    `log` are the lines that the function wrote, `peak_kb` is the most memory that its process held.
    """

    function_id: str
    version_id: str
    request_id: str
    event: Any
    started_at: float
    trigger_id: str = ""
    ended_at: float = 0.0
    status: str = "error"
    result: Any = None
    error: dict[str, Any] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    peak_kb: int = 0


@dataclass
class Serverless:
    functions: dict[str, Function] = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)
    archives: dict[str, bytes] = field(default_factory=dict)
    tag_history: list[TagRecord] = field(default_factory=list)
    triggers: dict[str, Trigger] = field(default_factory=dict)
    invocations: list[Invocation] = field(default_factory=list)
    dead_letters: dict[str, list[Any]] = field(default_factory=dict)
    registry_events: list[RegistryEvent] = field(default_factory=list)
    timers_fired_until: float = 0.0
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    def versions_of(self, function_id: str) -> list[Version]:
        return [version for version in self.versions.values() if version.function_id == function_id]

    def tagged(self, function_id: str, tag: str) -> Version | None:
        """The version with the tag; no tag stands for the latest."""
        return next((found for found in self.versions_of(function_id) if (tag or LATEST) in found.tags), None)

    def add_version(self, version: Version, archive: bytes, now: float) -> None:
        """Adds it with its tags, which leave the versions that had them."""
        tags = [*version.tags, LATEST]
        del version.tags[:]
        self.versions[version.id], self.archives[version.id] = version, archive
        for tag in tags:
            self.set_tag(version, tag, now)

    def remove_version(self, version_id: str, now: float) -> None:
        version = self.versions[version_id]
        for tag in list(version.tags):
            self.remove_tag(version, tag, now)
        del self.versions[version_id], self.archives[version_id]

    def set_tag(self, version: Version, tag: str, now: float) -> None:
        bearer = self.tagged(version.function_id, tag)
        if bearer is version:
            return
        if bearer is not None:
            self.remove_tag(bearer, tag, now)
        version.tags.append(tag)
        self.tag_history.append(
            TagRecord(
                function_id=version.function_id,
                function_version_id=version.id,
                tag=tag,
                effective_from=timestamp(now),
            )
        )

    def remove_tag(self, version: Version, tag: str, now: float) -> None:
        version.tags.remove(tag)
        for record in self.tag_history:
            if (record.function_version_id, record.tag) == (version.id, tag) and not record.HasField(
                "effective_to"
            ):
                record.effective_to.CopyFrom(timestamp(now))

    def calls_under_way(self) -> int:
        return sum(not call.ended_at for call in self.invocations)

    def in_background(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def users_of(self, account_id: str) -> Iterable[str]:
        """What runs as the service account: its deletion is refused until they are gone."""
        for version in self.versions.values():
            if version.service_account_id == account_id:
                yield f"version {version.id} of function {version.function_id}"
        for trigger in self.triggers.values():
            if account_id in accounts_of(trigger):
                yield f"trigger {trigger.id}"


def action_of(trigger: Trigger) -> Any:
    """What the trigger does when it fires; its rule and its action are of many types, with the same
    fields.
    """
    rule: Any = getattr(trigger.rule, str(trigger.rule.WhichOneof("rule")))
    return getattr(rule, rule.WhichOneof("action"))


def accounts_of(trigger: Trigger) -> set[str]:
    """The service accounts that the trigger uses."""
    action = action_of(trigger)
    queue = getattr(action, "dead_letter_queue", None)
    return {action.service_account_id, queue.service_account_id if queue else ""} - {""}
