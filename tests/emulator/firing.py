"""Triggers at work: timers fire when a test winds the clock, registry triggers when it has their events
delivered.

A trigger calls its function with `{"messages": [{"event_metadata": {..}, "details": {..}}]}`, as its service
account. A call that fails is made again, after the interval (by the emulator's clock, which is wound), as
often as the retry settings say; then the messages go to the dead-letter queue, if there is one that the
account of the queue may write to. Registry events are put together in batches, and those that a call brings
about wait for the next delivery. (Yandex Cloud: functions/concepts/trigger, functions/concepts/dlq.)
"""

import itertools
from collections.abc import Iterator
from typing import Any

from yandex.cloud.serverless.triggers.v1.trigger_pb2 import Trigger

from tests.emulator.clock import rfc3339
from tests.emulator.cron import schedule_of
from tests.emulator.images import cloud_id
from tests.emulator.running import call_version
from tests.emulator.serverless import Invocation, RegistryEvent, action_of
from tests.emulator.services.folders import CLOUD_ID
from tests.emulator.services.function_calls import INVOKER
from tests.emulator.services.functions import place_of_function
from tests.emulator.state import State

QUEUE_WRITER = "ymq.writer"

_numbers = itertools.count(1)


async def wind(state: State, url: str, until: float | None) -> None:
    """Winds the clock to the moment, or to the next that a timer fires, and fires what is due on the way.

    Raises ValueError when no timer will fire any more and no moment is given.
    """
    serverless = state.serverless
    while (due := _next_timers(state)) and (until is None or due[0] <= until):
        moment, timers = due
        state.clock.wind_to(moment)
        serverless.timers_fired_until = moment
        for trigger in timers:
            details = {"trigger_id": trigger.id, "payload": trigger.rule.timer.payload}
            message = _message("serverless.triggers.TimerMessage", moment, trigger.folder_id, details)
            await _fire(state, url, trigger, [message])
        if until is None:
            return
    if until is None:
        raise ValueError("no timer will fire")
    state.clock.wind_to(until)
    serverless.timers_fired_until = max(until, serverless.timers_fired_until)


def _next_timers(state: State) -> tuple[float, list[Trigger]] | None:
    """The next moment at which timers fire, and which."""
    by_moment: dict[float, list[Trigger]] = {}
    for trigger in state.serverless.triggers.values():
        if trigger.status == Trigger.Status.ACTIVE and trigger.rule.HasField("timer"):
            since = max(state.serverless.timers_fired_until, trigger.created_at.ToNanoseconds() / 10**9)
            moment = schedule_of(trigger.rule.timer.cron_expression).after(since)
            if moment is not None:
                by_moment.setdefault(moment, []).append(trigger)
    return min(by_moment.items(), default=None, key=lambda pair: pair[0])


async def deliver(state: State, url: str) -> None:
    """Gives the registry events so far to the triggers that want them."""
    events, state.serverless.registry_events = state.serverless.registry_events, []
    for trigger in list(state.serverless.triggers.values()):
        if trigger.status == Trigger.Status.ACTIVE and trigger.rule.HasField("container_registry"):
            wanted = [event for event in events if _is_wanted(event, trigger.rule.container_registry)]
            size = max(1, trigger.rule.container_registry.batch_settings.size)
            for first in range(0, len(wanted), size):
                messages = [_registry_message(state, event) for event in wanted[first : first + size]]
                await _fire(state, url, trigger, messages)


def _is_wanted(event: RegistryEvent, rule: Trigger.ContainerRegistry) -> bool:
    kinds = {Trigger.ContainerRegistryEventType.Name(kind) for kind in rule.event_type}
    names = (event.repository_name, event.repository_name.removeprefix(f"{event.registry_id}/"))
    return (
        f"CONTAINER_REGISTRY_EVENT_TYPE_{event.kind}" in kinds
        and event.registry_id == rule.registry_id
        and (not rule.image_name or rule.image_name in names)
        and rule.tag in ("", event.tag)
    )


def _registry_message(state: State, event: RegistryEvent) -> dict[str, Any]:
    name = "".join(word.capitalize() for word in event.kind.split("_"))
    registry = state.registries.get(event.registry_id)
    details = {
        "registry_id": event.registry_id,
        "repository_name": event.repository_name,
        "image_id": event.image_id,
        "image_digest": event.digest,
        "tag": event.tag,
    }
    folder_id = registry.folder_id if registry else ""
    message = _message(f"containerregistry.{name}", event.at, folder_id, details)
    message["event_metadata"]["tracing_context"] = {"parent_span_id": "", "span_id": "", "trace_id": ""}
    return message


def _message(kind: str, at: float, folder_id: str, details: dict[str, Any]) -> dict[str, Any]:
    return {
        "event_metadata": {
            "event_id": cloud_id("a1s", f"event {next(_numbers)}"),
            "event_type": f"yandex.cloud.events.{kind}",
            "created_at": rfc3339(at),
            "cloud_id": CLOUD_ID,
            "folder_id": folder_id,
        },
        "details": details,
    }


async def _fire(state: State, url: str, trigger: Trigger, messages: list[dict[str, Any]]) -> None:
    action = action_of(trigger)
    if "function_id" not in action.DESCRIPTOR.fields_by_name:
        return
    for pause in _pauses(action):
        state.clock.wind_to(state.clock.now() + pause)
        call = await _attempt(state, url, trigger, {"messages": messages})
        if call.status == "ok":
            return
    queue = getattr(action, "dead_letter_queue", None)
    if queue and state.access.allows(queue.service_account_id, QUEUE_WRITER, (trigger.folder_id,)):
        state.serverless.dead_letters.setdefault(queue.queue_id, []).extend(messages)


def _pauses(action: Any) -> Iterator[float]:
    """How long to wait before each attempt, in seconds."""
    yield 0
    if "retry_settings" in action.DESCRIPTOR.fields_by_name:
        interval = action.retry_settings.interval.ToNanoseconds() / 10**9
        yield from itertools.repeat(interval, action.retry_settings.retry_attempts)


async def _attempt(state: State, url: str, trigger: Trigger, event: dict[str, Any]) -> Invocation:
    action = action_of(trigger)
    place = place_of_function(state, action.function_id)
    version = state.serverless.tagged(action.function_id, action.function_tag)
    if version is not None and state.access.allows(action.service_account_id, INVOKER, place):
        return await call_version(state, url, version, event, trigger.id)
    message = (
        f"{action.service_account_id or 'nobody in particular'} may not call function {action.function_id}"
        if version
        else f"function {action.function_id} has no version {action.function_tag or '$latest'}"
    )
    now = state.clock.now()
    call = Invocation(action.function_id, "", "", event, now, trigger.id, ended_at=now)
    call.error = {"errorMessage": message, "errorType": "TriggerError"}
    state.serverless.invocations.append(call)
    return call
