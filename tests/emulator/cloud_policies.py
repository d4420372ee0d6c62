"""Which policies a registry of Cloud Registry may have: ten at most, one of them ENABLED."""

from yandex.cloud.cloudregistry.v1 import lifecycle_policy_pb2 as messages
from yandex.cloud.cloudregistry.v1.lifecycle_policy_pb2 import LifecyclePolicy

from tests.emulator.cloud_lifecycle import check_rules
from tests.emulator.errors import FAILED_PRECONDITION, ApiError, not_found
from tests.emulator.state import State

MOST_POLICIES = 10


def policy_by_id(state: State, policy_id: str) -> LifecyclePolicy:
    if policy_id not in state.cloud_registries.policies:
        raise not_found("LifecyclePolicy", policy_id)
    return state.cloud_registries.policies[policy_id]


def store(state: State, policy: LifecyclePolicy) -> LifecyclePolicy:
    """Add the policy, or replace the one with its id, if its registry may have it."""
    check_rules(policy.rules)
    registry = state.cloud_registries.registry(policy.registry_id)
    others = [other for other in registry.policies.values() if other.id != policy.id]
    if len(others) >= MOST_POLICIES:
        raise ApiError(FAILED_PRECONDITION, f"Registry {registry.id} has {MOST_POLICIES} policies already")
    if policy.state == messages.ENABLED:
        for other in others:
            if other.state == messages.ENABLED:
                raise ApiError(FAILED_PRECONDITION, f"Registry {registry.id} has policy {other.id} enabled")
    registry.policies[policy.id] = state.cloud_registries.policies[policy.id] = policy
    return policy


def forget(state: State, policy_id: str) -> None:
    policy = policy_by_id(state, policy_id)
    del state.cloud_registries.policies[policy_id]
    del state.cloud_registries.registry(policy.registry_id).policies[policy_id]
