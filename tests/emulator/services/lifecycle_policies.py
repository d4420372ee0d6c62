"""Container Registry's lifecycle policies and their dry runs.

A policy belongs to one repository, which has at most one that is ACTIVE. A dry run is an operation; its
result holds the images that the policy would have taken when it ended, whatever happens to them later.
"""

import itertools
from typing import Any

from google.protobuf import empty_pb2
from google.protobuf.message import Message
from yandex.cloud.containerregistry.v1 import lifecycle_policy_service_pb2 as policies
from yandex.cloud.containerregistry.v1.lifecycle_policy_pb2 import LifecyclePolicy
from yandex.cloud.operation.operation_pb2 import Operation

from tests.emulator import lifecycle
from tests.emulator.access import Place
from tests.emulator.clock import timestamp
from tests.emulator.errors import FAILED_PRECONDITION, ApiError, invalid, not_found
from tests.emulator.images import ImageSet, cloud_id
from tests.emulator.methods import method
from tests.emulator.paging import cut_page, filtered_name, order_fields
from tests.emulator.rendered_page import RenderedPage
from tests.emulator.services.container_registry import (
    VIEWER,
    image_page,
    registry_by_id,
    repository_by_id,
)
from tests.emulator.state import DryRun, State, image_set

SERVICES = (policies.DESCRIPTOR.services_by_name["LifecyclePolicyService"],)

API = "yandex.cloud.containerregistry.v1.LifecyclePolicyService"
EDITOR = "container-registry.editor"

ACTIVE = LifecyclePolicy.Status.ACTIVE

_numbers = itertools.count(1)


def place_of(state: State, request: Any) -> Place:
    """Where the policy, dry run, repository or registry is that a request names."""
    policy_id = getattr(request, "lifecycle_policy_id", "")
    if result_id := getattr(request, "dry_run_lifecycle_policy_result_id", ""):
        dry_run = state.dry_runs.get(result_id)
        policy_id = dry_run.result.lifecycle_policy_id if dry_run else ""
    if policy := state.policies.get(policy_id):
        return state.repositories[policy.repository_id].place
    if repository := state.repositories.get(getattr(request, "repository_id", "")):
        return repository.place
    registry = state.registries.get(getattr(request, "registry_id", ""))
    return registry.place if registry else ()


def policy_by_id(state: State, policy_id: str) -> LifecyclePolicy:
    if policy_id not in state.policies:
        raise not_found("LifecyclePolicy", policy_id)
    return state.policies[policy_id]


def dry_run_by_id(state: State, result_id: str) -> DryRun:
    if result_id not in state.dry_runs:
        raise not_found("DryRunLifecyclePolicyResult", result_id)
    return state.dry_runs[result_id]


def check_policy(state: State, policy: LifecyclePolicy) -> None:
    lifecycle.check_rules(policy.rules)
    others = repository_by_id(state, policy.repository_id).policies.values()
    if policy.status == ACTIVE:
        for other in others:
            if other.status == ACTIVE and other.id != policy.id:
                message = f"Repository {policy.repository_id} already has an active policy {other.id}"
                raise ApiError(FAILED_PRECONDITION, message)


@method(f"{API}/Get", role=VIEWER, place_of=place_of)
def get_policy(state: State, request: policies.GetLifecyclePolicyRequest) -> LifecyclePolicy:
    return policy_by_id(state, request.lifecycle_policy_id)


@method(f"{API}/List", role=VIEWER, place_of=place_of)
def list_policies(
    state: State, request: policies.ListLifecyclePoliciesRequest
) -> policies.ListLifecyclePoliciesResponse:
    if request.WhichOneof("id") == "repository_id":
        repositories = [repository_by_id(state, request.repository_id)]
    else:
        repositories = list(registry_by_id(state, request.registry_id).repositories.values())
    name = filtered_name(request.filter)
    order = order_fields(request.order_by, ("name", "created_at", "status"))
    found = sorted(
        (
            ([*(_sortable(policy, field) for field in order), policy.id], policy)
            for repository in repositories
            for policy in repository.policies.values()
            if name in (None, policy.name)
        ),
        key=lambda pair: pair[0],
    )
    query = ("policies", request.registry_id, request.repository_id, name, order)
    keys = [key for key, _ in found]
    part, next_token = cut_page(state.page_tokens, query, keys, request.page_size, request.page_token)
    return policies.ListLifecyclePoliciesResponse(
        lifecycle_policies=[policy for _, policy in found[part]], next_page_token=next_token
    )


def _sortable(message: Message, field: str) -> Any:
    value = getattr(message, field)
    return value.ToNanoseconds() if field in ("created_at", "run_at") else value


@method(f"{API}/Create", role=EDITOR, place_of=place_of)
def create_policy(state: State, request: policies.CreateLifecyclePolicyRequest) -> Operation:
    policy = LifecyclePolicy(
        id=cloud_id("crp", f"policy {next(_numbers)} of {request.repository_id}"),
        name=request.name,
        repository_id=request.repository_id,
        description=request.description,
        status=request.status,
        created_at=timestamp(state.clock.now()),
        rules=request.rules,
    )
    check_policy(state, policy)

    def effect() -> Message:
        check_policy(state, policy)
        state.add_policy(policy)
        return policy

    metadata = policies.CreateLifecyclePolicyMetadata(lifecycle_policy_id=policy.id)
    return state.operations.start("Create lifecycle policy", metadata, effect)


@method(f"{API}/Update", role=EDITOR, place_of=place_of)
def update_policy(state: State, request: policies.UpdateLifecyclePolicyRequest) -> Operation:
    """Change the fields of `updateMask`, or all of them when there is none."""
    fields = list(request.update_mask.paths) or ["name", "description", "status", "rules"]
    for field in fields:
        if field not in ("name", "description", "status", "rules"):
            raise invalid(f"update_mask: no such field {field!r}")
    changed = LifecyclePolicy()
    changed.CopyFrom(policy_by_id(state, request.lifecycle_policy_id))
    for field in fields:
        changed.ClearField(field)
        if field == "rules":
            changed.rules.extend(request.rules)
        else:
            setattr(changed, field, getattr(request, field))
    check_policy(state, changed)

    def effect() -> Message:
        policy_by_id(state, changed.id)
        check_policy(state, changed)
        state.add_policy(changed)
        return changed

    metadata = policies.UpdateLifecyclePolicyMetadata(lifecycle_policy_id=changed.id)
    return state.operations.start("Update lifecycle policy", metadata, effect)


@method(f"{API}/Delete", role=EDITOR, place_of=place_of)
def delete_policy(state: State, request: policies.DeleteLifecyclePolicyRequest) -> Operation:
    policy_id = policy_by_id(state, request.lifecycle_policy_id).id

    def effect() -> Message:
        state.remove_policy(policy_by_id(state, policy_id).id)
        return empty_pb2.Empty()

    metadata = policies.DeleteLifecyclePolicyMetadata(lifecycle_policy_id=policy_id)
    return state.operations.start("Delete lifecycle policy", metadata, effect)


@method(f"{API}/DryRun", role=EDITOR, place_of=place_of)
def start_dry_run(state: State, request: policies.DryRunLifecyclePolicyRequest) -> Operation:
    policy_id = policy_by_id(state, request.lifecycle_policy_id).id
    result_id = cloud_id("crp", f"dry run {next(_numbers)} of {policy_id}")

    def effect() -> Message:
        return _run_dry(state, policy_by_id(state, policy_id), result_id)

    metadata = policies.DryRunLifecyclePolicyMetadata(
        dry_run_lifecycle_policy_result_id=result_id, lifecycle_policy_id=policy_id
    )
    return state.operations.start("Dry run lifecycle policy", metadata, effect)


def _run_dry(state: State, policy: LifecyclePolicy, result_id: str) -> policies.DryRunLifecyclePolicyResult:
    now = state.clock.now()
    repository = state.repositories[policy.repository_id]
    _, images = repository.images.ordered()
    looked_at = images[: lifecycle.MAX_IMAGES_LOOKED_AT]
    affected = lifecycle.affected_images(policy.rules, looked_at, now)
    result = policies.DryRunLifecyclePolicyResult(
        dry_run_lifecycle_policy_result_id=result_id,
        lifecycle_policy_id=policy.id,
        run_at=timestamp(now),
        affected_images_count=len(affected),
    )
    state.add_dry_run(DryRun(result, repository.name, image_set(affected)))
    return result


@method(f"{API}/GetDryRunResult", role=VIEWER, place_of=place_of)
def get_dry_run_result(
    state: State, request: policies.GetDryRunLifecyclePolicyResultRequest
) -> policies.DryRunLifecyclePolicyResult:
    return dry_run_by_id(state, request.dry_run_lifecycle_policy_result_id).result


@method(f"{API}/ListDryRunResults", role=VIEWER, place_of=place_of)
def list_dry_run_results(
    state: State, request: policies.ListDryRunLifecyclePolicyResultsRequest
) -> policies.ListDryRunLifecyclePolicyResultsResponse:
    policy = policy_by_id(state, request.lifecycle_policy_id)
    name = filtered_name(request.filter)
    order = order_fields(request.order_by, ("run_at", "affected_images_count"))
    results = [dry_run.result for dry_run in state.dry_runs_of_policy.get(policy.id, ())]
    found = sorted(
        (
            (
                [*(_sortable(result, field) for field in order), result.dry_run_lifecycle_policy_result_id],
                result,
            )
            for result in results
            if name in (None, policy.name)
        ),
        key=lambda pair: pair[0],
    )
    query = ("dry runs", policy.id, name, order)
    keys = [key for key, _ in found]
    part, next_token = cut_page(state.page_tokens, query, keys, request.page_size, request.page_token)
    return policies.ListDryRunLifecyclePolicyResultsResponse(
        dry_run_lifecycle_policy_results=[result for _, result in found[part]], next_page_token=next_token
    )


@method(f"{API}/ListDryRunResultAffectedImages", role=VIEWER, place_of=place_of)
def list_affected_images(
    state: State, request: policies.ListDryRunLifecyclePolicyResultAffectedImagesRequest
) -> RenderedPage:
    result_id = request.dry_run_lifecycle_policy_result_id
    dry_run = dry_run_by_id(state, result_id)
    images = (
        dry_run.images if filtered_name(request.filter) in (None, dry_run.repository_name) else ImageSet()
    )
    response_class = policies.ListDryRunLifecyclePolicyResultAffectedImagesResponse
    return image_page(state, result_id, images, request, "affected_images", response_class)
