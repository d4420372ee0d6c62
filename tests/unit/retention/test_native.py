"""``check``, ``schema``, ``convert``, ``explain``, ``dry-run --diff`` and ``--listing``: trusting the rules
before they run.
"""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.retention.native import to_policies, to_rules, to_toml
from shared.retention.records import NativeRule
from shared.retention.rule import Rule
from shared.settings.rules import check_rules

NOT_CONVERTED = {
    "Java's quotation": NativeRule(r"\Qv1.0\E", retained_top=1),
    "Java's intersection": NativeRule("[a-z&&[^b]]", retained_top=1),
    "Java's class": NativeRule(r"\p{javaLowerCase}", retained_top=1),
    "no regular expression": NativeRule("(", retained_top=1),
    "no condition": NativeRule(".*"),
}


@pytest.mark.parametrize("native", NOT_CONVERTED.values(), ids=NOT_CONVERTED)
def test_a_policy_is_converted_whole_or_not_at_all(native: NativeRule) -> None:
    rules, faults = to_rules("p", "app", [NativeRule(".*", retained_top=1), native])

    assert rules == []
    assert faults[0].startswith("rule 2")


NOT_NATIVE = {
    "a pattern of repositories": ({"repositories": ["team-a/*"]}, "exact name"),
    "every repository": ({}, "exact name"),
    "a name anywhere": ({"repositories": ["app"]}, "exact name"),
    "hours": ({"repositories": ["/app"], "older_than": "36h"}, "whole days"),
    "groups": ({"repositories": ["/app"], "keep_newest": 1, "group_by": "(?P<group>.*)"}, "group"),
    "a long expression": ({"repositories": ["/app"], "tags": "x" * 257}, "256"),
    "a named group": ({"repositories": ["/app"], "tags": "(?P<x>.)"}, "Java"),
}


@pytest.mark.parametrize(("keys", "why"), NOT_NATIVE.values(), ids=NOT_NATIVE)
def test_what_a_native_policy_cannot_say_is_said(keys: dict[str, Any], why: str) -> None:
    rules = check_rules([{"name": "r", "tags": ".*", "older_than": "1d", **keys}], lambda key: key)

    told = to_policies(rules)

    assert told["policies"] == []
    assert why in told["not_native"][0]["why"]


def test_a_keep_rule_in_the_same_repository_makes_the_others_not_native() -> None:
    rules = check_rules(
        [
            {"name": "k", "action": "keep", "tags": "v.*"},
            {"name": "r", "repositories": ["/app"], "tags": ".*", "older_than": "1d"},
        ],
        lambda key: key,
    )

    assert [one["rule"] for one in to_policies(rules)["not_native"]] == ["k", "r"]


NATIVE = st.builds(
    NativeRule,
    st.sampled_from(["", ".*", 'a"b\\.', "é\x7f"]),
    st.just(True),
    st.sampled_from([0, 86_400, 172_800, 90_000.5]),
    st.integers(1, 50),
)


@given(st.lists(NATIVE, min_size=1, max_size=3))
def test_converted_rules_are_good_settings(native: list[NativeRule]) -> None:
    rules, _ = to_rules("policy é", "team-a/app", native)

    document = tomllib.loads(to_toml(rules))

    assert check_rules(document["rules"], lambda key: key) == rules
    assert all(isinstance(rule, Rule) for rule in rules)
