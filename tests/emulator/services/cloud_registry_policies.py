"""Cloud Registry's lifecycle policies and their dry runs.

A policy belongs to a registry, which has at most ten, one of them ENABLED. The result of a dry run holds the
artifacts that the policy would have taken when it ended, each with its rule in the snapshot of the rules.
"""

import itertools
from typing import Any

from google.protobuf import empty_pb2
from google.protobuf.message import Message
from yandex.cloud.cloudregistry.v1 import lifecycle_policy_pb2 as messages
from yandex.cloud.cloudregistry.v1 import lifecycle_policy_service_pb2 as policies
from yandex.cloud.cloudregistry.v1.lifecycle_policy_pb2 import LifecyclePolicy
from yandex.cloud.operation.operation_pb2 import Operation

from tests.emulator import cloud_lifecycle
from tests.emulator.access import Place
from tests.emulator.clock import timestamp
from tests.emulator.cloud_artifacts import ARTIFACT
from tests.emulator.cloud_policies import forget, policy_by_id, store
from tests.emulator.cloud_registries import CloudDryRun
from tests.emulator.errors import invalid, not_found
from tests.emulator.images import cloud_id
from tests.emulator.methods import method
from tests.emulator.operations import origin
from tests.emulator.paging import cut_page
from tests.emulator.services.cloud_registry import (
    DEFAULT_PAGE_SIZE,
    VIEWER,
    Descending,
    condition_of,
    query_of,
    require_role,
)
from tests.emulator.state import State
from tests.emulator.switches import PUSHER
from tests.emulator.updating import updated

SERVICES = (policies.DESCRIPTOR.services_by_name["LifecyclePolicyService"],)

API = "yandex.cloud.cloudregistry.v1.LifecyclePolicyService"
EDITOR = "cloud-registry.editor"

_numbers = itertools.count(1)


def place_of(state: State, request: Any) -> Place:
    """Where the registry is of what the request names."""
    registries = state.cloud_registries
    policy_id = getattr(request, "policy_id", "")
    if dry_run := registries.dry_runs.get(getattr(request, "dry_run_id", "")):
        policy_id = dry_run.result.policy_id
    policy = registries.policies.get(policy_id)
    registry_id = policy.registry_id if policy else getattr(request, "registry_id", "")
    registry = registries.by_id.get(registry_id)
    return registry.place if registry else ()


def dry_run_by_id(state: State, dry_run_id: str) -> CloudDryRun:
    if dry_run_id not in state.cloud_registries.dry_runs:
        raise not_found("DryRun", dry_run_id)
    return state.cloud_registries.dry_runs[dry_run_id]


@method(f"{API}/Get", role=VIEWER, place_of=place_of)
def get_policy(state: State, request: policies.GetLifecyclePolicyRequest) -> LifecyclePolicy:
    return policy_by_id(state, request.policy_id)


@method(f"{API}/List", role=VIEWER, place_of=place_of)
def list_policies(
    state: State, request: policies.ListLifecyclePolicyRequest
) -> policies.ListLifecyclePolicyResponse:
    if not request.registry_id:
        raise invalid("registry_id: is required")
    registry = state.cloud_registries.registry(request.registry_id)
    held = sorted(registry.policies.values(), key=lambda policy: policy.id)
    part, next_token = _page(state, request, [policy.id for policy in held])
    return policies.ListLifecyclePolicyResponse(policies=held[part], next_page_token=next_token)


def _page(state: State, request: Any, keys: list[Any]) -> tuple[slice, str]:
    return cut_page(
        state.page_tokens, query_of(request), keys, request.page_size, request.page_token, DEFAULT_PAGE_SIZE
    )


@method(f"{API}/Create", role=EDITOR, place_of=place_of)
def create_policy(state: State, request: policies.CreateLifecyclePolicyRequest) -> Operation:
    state.cloud_registries.registry(request.registry_id)
    cloud_lifecycle.check_rules(request.rules)
    now = timestamp(state.clock.now())
    policy = LifecyclePolicy(
        id=cloud_id("crl", f"policy {next(_numbers)} of {request.registry_id}"),
        name=request.name,
        description=request.description,
        rules=request.rules,
        state=request.state or messages.DISABLED,
        registry_id=request.registry_id,
        created_at=now,
        modified_at=now,
        created_by=origin.get().subject_id,
        modified_by=origin.get().subject_id,
    )
    metadata = policies.CreateLifecyclePolicyMetadata(policy_id=policy.id)
    return state.operations.start("Create lifecycle policy", metadata, lambda: store(state, policy))


def _touched(state: State, policy: LifecyclePolicy) -> LifecyclePolicy:
    policy.modified_at.CopyFrom(timestamp(state.clock.now()))
    policy.modified_by = origin.get().subject_id
    return policy


@method(f"{API}/Update", role=EDITOR, place_of=place_of)
def update_policy(state: State, request: policies.UpdateLifecyclePolicyRequest) -> Operation:
    changed = _touched(state, updated(policy_by_id(state, request.policy_id), request))
    cloud_lifecycle.check_rules(changed.rules)

    def effect() -> Message:
        policy_by_id(state, changed.id)
        return store(state, changed)

    metadata = policies.UpdateLifecyclePolicyMetadata(policy_id=changed.id)
    return state.operations.start("Update lifecycle policy", metadata, effect)


@method(f"{API}/ChangeState", role=EDITOR, place_of=place_of)
def change_state(state: State, request: policies.ChangeLifecyclePolicyStateRequest) -> Message:
    changed = LifecyclePolicy()
    changed.CopyFrom(policy_by_id(state, request.policy_id))
    changed.state = request.state
    store(state, _touched(state, changed))
    return empty_pb2.Empty()


@method(f"{API}/Delete", role=EDITOR, place_of=place_of)
def delete_policy(state: State, request: policies.DeleteLifecyclePolicyRequest) -> Operation:
    policy_id = policy_by_id(state, request.policy_id).id

    def effect() -> Message:
        forget(state, policy_id)
        return empty_pb2.Empty()

    metadata = policies.DeleteLifecyclePolicyMetadata(policy_id=policy_id)
    return state.operations.start("Delete lifecycle policy", metadata, effect)


@method(f"{API}/DryRun", role=PUSHER, place_of=place_of)
def start_dry_run(state: State, request: policies.DryRunLifecyclePolicyRequest) -> Operation:
    require_role(state, state.cloud_registries.switches.dry_run_role, place_of(state, request))
    policy_id = policy_by_id(state, request.policy_id).id

    def effect() -> Message:
        return _run_dry(state, policy_by_id(state, policy_id))

    metadata = policies.DryRunLifecyclePolicyMetadata(policy_id=policy_id)
    return state.operations.start("Dry run lifecycle policy", metadata, effect)


def _run_dry(state: State, policy: LifecyclePolicy) -> policies.DryRunLifecyclePolicyResponse:
    now = state.clock.now()
    registries = state.cloud_registries
    registry = registries.by_id[policy.registry_id]
    artifacts = [node for node in registries.shown(registry) if node.kind == ARTIFACT]
    verdicts = cloud_lifecycle.verdicts(policy.rules, artifacts, now)
    counted = [verdict.rule_type for verdict in verdicts]
    result = policies.DryRunLifecyclePolicyResponse(
        policy_id=policy.id,
        run_at=timestamp(now),
        artifacts_to_hard_delete_count=counted.count(cloud_lifecycle.HARD),
        artifacts_to_soft_delete_count=counted.count(cloud_lifecycle.SOFT),
        dry_run_id=cloud_id("crd", f"dry run {next(_numbers)} of {policy.id}"),
        policy_snapshot=policy.rules,
    )
    told = [
        _affected(verdict)
        for verdict in verdicts
        if verdict.rule_type != cloud_lifecycle.RETAIN or registries.switches.retained_in_dry_run
    ]
    registries.dry_runs[result.dry_run_id] = CloudDryRun(result, told)
    return result


def _affected(verdict: cloud_lifecycle.Verdict) -> policies.AffectedArtifact:
    rule = policies.AffectedArtifact.TriggeredRule(
        rule_type=verdict.rule_type,  # type: ignore[arg-type]
        rule_index=verdict.rule_index,
    )
    artifact = verdict.artifact
    return policies.AffectedArtifact(
        path=artifact.path, version=artifact.name, artifact_id=artifact.id, affected_by=rule
    )


@method(f"{API}/GetDryRunResult", role=VIEWER, place_of=place_of)
def get_dry_run_result(
    state: State, request: policies.GetDryRunLifecyclePolicyResultRequest
) -> policies.DryRunLifecyclePolicyResponse:
    return dry_run_by_id(state, request.dry_run_id).result


@method(f"{API}/ListDryRunResults", role=VIEWER, place_of=place_of)
def list_dry_run_results(
    state: State, request: policies.ListDryRunLifecyclePolicyResultsRequest
) -> policies.ListDryRunLifecyclePolicyResultsResponse:
    policy_by_id(state, request.policy_id)
    if request.order_by not in ("", "run_at", "run_at asc", "run_at desc"):
        raise invalid("order_by: expected run_at with asc or desc")
    after, before = request.run_after.ToNanoseconds(), request.run_before.ToNanoseconds()
    newest_first = not request.order_by or request.order_by.endswith("desc")
    keyed: list[tuple[Any, policies.DryRunLifecyclePolicyResponse]] = []
    for dry_run in state.cloud_registries.dry_runs.values():
        run_at = dry_run.result.run_at.ToNanoseconds()
        if dry_run.result.policy_id != request.policy_id or run_at < after or (before and run_at >= before):
            continue
        place = Descending(run_at) if newest_first else run_at
        keyed.append(((place, dry_run.result.dry_run_id), dry_run.result))
    keyed.sort(key=lambda pair: pair[0])
    part, next_token = _page(state, request, [key for key, _ in keyed])
    return policies.ListDryRunLifecyclePolicyResultsResponse(
        results=[result for _, result in keyed[part]], next_page_token=next_token
    )


@method(f"{API}/ListDryRunArtifacts", role=VIEWER, place_of=place_of)
def list_dry_run_artifacts(
    state: State, request: policies.ListDryRunLifecyclePolicyArtifactsRequest
) -> policies.ListDryRunLifecyclePolicyArtifactsResponse:
    if request.order_by not in ("", "path", "path asc", "path desc"):
        raise invalid("order_by: expected path with asc or desc")
    has_path = condition_of(request.path_filter, "path", "path_filter")
    has_version = condition_of(request.version_filter, "version", "version_filter")
    wanted = [
        artifact
        for artifact in dry_run_by_id(state, request.dry_run_id).artifacts
        if has_path(artifact.path) and has_version(artifact.version)
    ]
    descending = request.order_by.endswith("desc")
    wanted.sort(key=lambda artifact: artifact.path, reverse=descending)
    keys: list[Any] = [Descending(item.path) if descending else item.path for item in wanted]
    part, next_token = _page(state, request, keys)
    return policies.ListDryRunLifecyclePolicyArtifactsResponse(
        artifacts=wanted[part], next_page_token=next_token
    )
