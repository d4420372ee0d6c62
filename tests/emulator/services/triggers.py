"""Triggers: timers, and those for Container Registry. The others can be kept, and never fire.

What is needed to make one is checked: a schedule that can be read, a function and service accounts that exist
and that the caller may use, a standard queue for dead letters, and for a registry's events the right to pull
from it. That the function lets itself be called is only found out when the trigger fires (`firing.py`).
"""

import itertools
from functools import partial
from typing import Any

from google.protobuf.message import Message
from yandex.cloud.operation.operation_pb2 import Operation
from yandex.cloud.serverless.triggers.v1 import trigger_service_pb2 as service
from yandex.cloud.serverless.triggers.v1.trigger_pb2 import Trigger

from tests.emulator.access import Place
from tests.emulator.clock import timestamp
from tests.emulator.cron import schedule_of
from tests.emulator.errors import RESOURCE_EXHAUSTED, ApiError, invalid, not_found
from tests.emulator.images import cloud_id
from tests.emulator.labelled import Labelled
from tests.emulator.listing import check_folder, check_name_in_folder, folder_asked
from tests.emulator.methods import method
from tests.emulator.operations import origin
from tests.emulator.serverless import accounts_of, action_of
from tests.emulator.services.functions import function_by_id
from tests.emulator.services.service_accounts import check_usable
from tests.emulator.state import State
from tests.emulator.updating import updated, with_status

SERVICES = (service.DESCRIPTOR.services_by_name["TriggerService"],)

API = "yandex.cloud.serverless.triggers.v1.TriggerService"
VIEWER = "functions.viewer"
EDITOR = "functions.editor"
PULLER = "container-registry.images.puller"
MOST_TRIGGERS = 100
CUTOFF_SECONDS = range(1, 61)

ACTIVE, PAUSED = Trigger.Status.ACTIVE, Trigger.Status.PAUSED

_numbers = itertools.count(1)


def place_of(state: State, request: Any) -> Place:
    trigger = state.serverless.triggers.get(request.trigger_id)
    return (trigger.folder_id,) if trigger else ()


TRIGGERS: Labelled[Trigger] = Labelled(
    "Trigger", service, API, "trigger_id", lambda state: state.serverless.triggers
)
TRIGGERS.offer_reading(VIEWER, place_of, ("name",))
TRIGGERS.offer_operations(VIEWER, place_of)
trigger_by_id = TRIGGERS.by_id


def _check_name(state: State, trigger: Trigger) -> None:
    check_name_in_folder("Trigger", trigger, state.serverless.triggers.values())


@method(f"{API}/Create", role=EDITOR, place_of=folder_asked)
def create_trigger(state: State, request: service.CreateTriggerRequest) -> Operation:
    check_folder(state, request.folder_id)
    trigger = Trigger(
        id=cloud_id("a1s", f"trigger {next(_numbers)}"),
        folder_id=request.folder_id,
        created_at=timestamp(state.clock.now()),
        name=request.name,
        description=request.description,
        labels=request.labels,
        rule=request.rule,
        status=ACTIVE,
    )
    _check_name(state, trigger)
    _check_rule(state, trigger)
    if len(state.serverless.triggers) >= MOST_TRIGGERS:
        raise ApiError(RESOURCE_EXHAUSTED, f"The quota of {MOST_TRIGGERS} triggers is exceeded")

    return TRIGGERS.create(state, trigger, _check_name)


def _check_rule(state: State, trigger: Trigger) -> None:
    rule, action = trigger.rule, action_of(trigger)
    if rule.HasField("timer"):
        try:
            schedule_of(rule.timer.cron_expression)
        except ValueError as error:
            raise invalid(f"rule.timer.cron_expression: {error}") from None
    if rule.HasField("container_registry"):
        _check_registry(state, rule.container_registry)
    if "function_id" in action.DESCRIPTOR.fields_by_name:
        function_by_id(state, action.function_id)
    queue = getattr(action, "dead_letter_queue", None)
    if queue is not None and queue.queue_id.endswith(".fifo"):
        raise invalid("dead_letter_queue.queue_id: must be a standard queue")
    if queue is not None and queue.service_account_id and not queue.queue_id:
        raise invalid("dead_letter_queue.queue_id: is required")
    for account_id in sorted(accounts_of(trigger)):
        check_usable(state, account_id)


def _check_registry(state: State, rule: Trigger.ContainerRegistry) -> None:
    if rule.registry_id not in state.registries:
        raise not_found("Registry", rule.registry_id)
    state.access.require(origin.get().subject_id, PULLER, state.registries[rule.registry_id].place)
    cutoff = rule.batch_settings.cutoff
    if rule.HasField("batch_settings") and cutoff.ToSeconds() not in CUTOFF_SECONDS:
        raise invalid("rule.container_registry.batch_settings.cutoff: must be 1s-60s")


@method(f"{API}/Update", role=EDITOR, place_of=place_of)
def update_trigger(state: State, request: service.UpdateTriggerRequest) -> Operation:
    trigger = trigger_by_id(state, request.trigger_id)
    changed = updated(trigger, request)
    if changed.rule.WhichOneof("rule") != trigger.rule.WhichOneof("rule"):
        raise invalid("rule: the type of a trigger cannot be changed")
    _check_name(state, changed)
    _check_rule(state, changed)

    def effect() -> Message:
        held = trigger_by_id(state, request.trigger_id)
        status = held.status
        held.CopyFrom(changed)
        held.status = status
        return held

    metadata = service.UpdateTriggerMetadata(trigger_id=request.trigger_id)
    return state.operations.start("Update trigger", metadata, effect)


@method(f"{API}/Delete", role=EDITOR, place_of=place_of)
def delete_trigger(state: State, request: service.DeleteTriggerRequest) -> Operation:
    return TRIGGERS.delete(state, request.trigger_id)


@method(f"{API}/Pause", role=EDITOR, place_of=place_of)
def pause_trigger(state: State, request: service.PauseTriggerRequest) -> Operation:
    return _set_status(
        state, request.trigger_id, PAUSED, service.PauseTriggerMetadata(trigger_id=request.trigger_id)
    )


@method(f"{API}/Resume", role=EDITOR, place_of=place_of)
def resume_trigger(state: State, request: service.ResumeTriggerRequest) -> Operation:
    return _set_status(
        state, request.trigger_id, ACTIVE, service.ResumeTriggerMetadata(trigger_id=request.trigger_id)
    )


def _set_status(state: State, trigger_id: str, status: Any, metadata: Message) -> Operation:
    trigger_by_id(state, trigger_id)
    effect = with_status(partial(trigger_by_id, state, trigger_id), status)
    return state.operations.start("Change the status of a trigger", metadata, effect)
