"""The lifecycle policies of a seed (the format is told in `seed.py`)."""

from typing import Any

from google.protobuf import json_format
from yandex.cloud.containerregistry.v1.lifecycle_policy_pb2 import LifecyclePolicy

from tests.emulator.clock import span_seconds, timestamp
from tests.emulator.documents import checked, listed
from tests.emulator.images import cloud_id
from tests.emulator.lifecycle import check_rules
from tests.emulator.state import Repository, State
from tests.emulator.validation import validate


def policy_of(state: State, where: str, repository: Repository, document: dict[str, Any]) -> LifecyclePolicy:
    checked(document, where, optional="id name description status age rules")
    policy = LifecyclePolicy(
        id=document.get("id") or cloud_id("crp", f"{where} of {repository.name}"),
        name=document.get("name", ""),
        repository_id=repository.id,
        description=document.get("description", ""),
        status=document.get("status", "DISABLED"),
        created_at=timestamp(state.clock.now() // 1 - span_seconds(document.get("age", "90d"))),
    )
    for rule_where, rule in listed(document.get("rules"), f"{where}.rules"):
        checked(rule, rule_where, optional="description tag_regexp untagged expire_period retained_top")
        fields = dict(rule)
        if "expire_period" in rule:
            fields["expire_period"] = f"{span_seconds(rule['expire_period']):.0f}s"
        json_format.ParseDict(fields, policy.rules.add())
    validate(policy, f"{where}.")
    check_rules(policy.rules)
    return policy
