"""Native policies of one service in the words of the other."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from google.protobuf import json_format
from yandex.cloud.cloudregistry.v1.lifecycle_policy_service_pb2 import CreateLifecyclePolicyRequest

from shared.retention.policy_translation import (
    MOST_POLICIES,
    MOST_RULES,
    NativePolicy,
    Translated,
    translate,
)
from shared.retention.records import NativeRule, Policy
from shared.settings.rules import check_rules
from tests.emulator.cloud_lifecycle import check_rules as check_new_rules

DAY = 86_400
OLD = NativeRule("build-.*", expire_seconds=30 * DAY)
NEWEST = NativeRule(".*", retained_top=5)
BOTH = NativeRule("build-.*", expire_seconds=30 * DAY, retained_top=50)
BARE = NativeRule(untagged=True, expire_seconds=2 * DAY)


def native(repository: str, *rules: NativeRule, status: str = "ACTIVE", name: str = "old") -> NativePolicy:
    policy_id = f"pol-{repository}-{name}"[:50]
    return NativePolicy(Policy(policy_id, name, f"id-{repository}", status), repository, rules)


def translated(*policies: NativePolicy, others: tuple[str, ...] = ()) -> Translated:
    return translate("crp1", policies, [*(each.repository for each in policies), *others])


TAGGED: dict[str, Any] = {"pathPrefix": "app", "dockerFilters": {"tagStatus": "TAGGED"}}
BUILDS = {**TAGGED, "versionRegexp": "build-.*"}
ALL = {**TAGGED, "versionRegexp": ".*"}
UNTAGGED: dict[str, Any] = {"pathPrefix": "app", "dockerFilters": {"tagStatus": "UNTAGGED"}}


def delete(**condition: Any) -> dict[str, Any]:
    return {"delete": {"type": "HARD_DELETE", **condition}}


CASES = {
    "by age": ([OLD], [BUILDS | delete(olderThanDays="30")]),
    "by number": ([NEWEST], [ALL | delete(versionCondition={"versionsCountGreaterThan": "5"})]),
    "by both": (
        [BOTH],
        [BUILDS | {"keepByVersion": {"keepVersionsCount": "50"}}, BUILDS | delete(olderThanDays="30")],
    ),
    "tagged and untagged apart": (
        [OLD, BARE],
        [BUILDS | delete(olderThanDays="30"), UNTAGGED | delete(olderThanDays="2")],
    ),
    "one rule about both": (
        [NativeRule("build-.*", untagged=True, expire_seconds=DAY)],
        [BUILDS | delete(olderThanDays="1"), UNTAGGED | delete(olderThanDays="1")],
    ),
    "what any rule leaves, all leave": (
        [OLD, NEWEST],
        [
            BUILDS | {"keepByAge": {"youngerThanDays": "30"}},
            ALL | {"keepByVersion": {"keepVersionsCount": "5"}},
            BUILDS | delete(olderThanDays="30"),
            ALL | delete(versionCondition={"versionsCountGreaterThan": "5"}),
        ],
    ),
    "a part of a day is a day": (
        [NativeRule(".*", expire_seconds=DAY + 1)],
        [ALL | delete(olderThanDays="2")],
    ),
}


@pytest.mark.parametrize(("rules", "new"), CASES.values(), ids=CASES)
def test_a_policy_is_put_into_the_other_services_words(
    rules: list[NativeRule], new: list[dict[str, Any]]
) -> None:
    done = translated(native("app", *rules))

    assert done.new_policies[0]["rules"] == new
    assert done.translations[0].new_policy == done.new_policies[0]["name"]


@pytest.mark.parametrize("rules", [rules for rules, _ in CASES.values()], ids=CASES)
def test_the_service_would_take_it_and_it_is_disabled(rules: list[NativeRule]) -> None:
    done = translated(native("app", *rules), native("team-a/app", *rules, status="DISABLED"))

    for body in done.new_policies:
        request = CreateLifecyclePolicyRequest()
        json_format.ParseDict(body, request)
        check_new_rules(request.rules)
        assert body["state"] == "DISABLED"


def test_the_rules_are_toml_that_the_settings_take() -> None:
    done = translated(
        native("app", BOTH, BARE), native("team-a/app", BOTH, BARE), native("try", OLD, status="DISABLED")
    )

    rules = check_rules(tomllib.loads(done.rules)["rules"], lambda key: key)

    assert [rule.repositories[0] for rule in rules] == ["/app", "/app", "/team-a/app", "/team-a/app"]
    assert 'older_than = "30d"' in done.translations[0].rules
    assert 'repositories = ["/try", "!/try/*"]' in done.translations[2].rules


def test_active_policies_become_one_and_those_that_say_the_same_share_its_rules() -> None:
    done = translated(
        native("a", BARE), native("b", OLD), native("c", BARE), native("d", BARE, status="DISABLED")
    )

    assert [body["name"] for body in done.new_policies] == ["registry-janitor", "registry-janitor-2"]
    assert [rule["pathPrefix"] for rule in done.new_policies[0]["rules"]] == ["a,c", "b"]


def test_what_has_no_room_in_the_one_enabled_policy_is_said() -> None:
    policies = [native(f"r{number:02}", NativeRule(f"v{number}", retained_top=1)) for number in range(12)]

    done = translated(*policies)

    left = [each for each in done.translations if not each.new_policy]
    assert len(done.new_policies[0]["rules"]) == MOST_RULES
    assert [each.repository for each in left] == ["r10", "r11"]
    assert all("one ENABLED policy of 10 rules" in each.no_policy[0] for each in left)
    assert all(each.rules for each in left)


def test_there_are_no_more_policies_than_a_registry_has() -> None:
    policies = [
        native(f"r{number:02}", NativeRule(f"v{number}", retained_top=1), status="DISABLED")
        for number in range(12)
    ]

    done = translated(native("active", OLD), *policies)

    assert len(done.new_policies) == MOST_POLICIES
    assert sum("10 policies at most" in "".join(each.no_policy) for each in done.translations) == 3


NOT_KEPT: dict[str, tuple[NativePolicy, tuple[str, ...], str]] = {
    "a repository below": (native("app", OLD), ("app/base",), "app/base"),
    "a repository that begins so": (native("app", OLD), ("app2", "b"), "app2"),
    "no condition": (native("app", NativeRule(".*")), (), "rule 1 has neither"),
    "no filter": (native("app", NativeRule(retained_top=1)), (), "rule 1 matches neither"),
    "no rules": (native("app"), (), "no rules"),
    "too many rules": (
        native("app", *(NativeRule(f"v{number}", expire_seconds=DAY) for number in range(6))),
        (),
        "12 rules",
    ),
}


@pytest.mark.parametrize(("policy", "others", "why"), NOT_KEPT.values(), ids=NOT_KEPT)
def test_what_cannot_be_kept_says_why(policy: NativePolicy, others: tuple[str, ...], why: str) -> None:
    done = translated(policy, others=others)

    assert done.new_policies == []
    assert done.translations[0].new_policy == ""
    assert why in done.translations[0].no_policy[0]


def test_a_regular_expression_of_javas_own_cannot_be_a_rule() -> None:
    done = translated(native("app", NativeRule(r"\Qv1.0\E", retained_top=1)))

    assert done.translations[0].rules == done.rules == ""
    assert "Java" in done.translations[0].no_rules[0]
    assert done.translations[0].new_policy


def test_what_is_not_documented_is_doubted() -> None:
    doubts = {
        name: " ".join(translated(native("app", rule)).translations[0].doubts)
        for name, rule in {"old": OLD, "newest": NEWEST, "bare": BARE}.items()
    }

    assert all("creation time" in text and "pathPrefix" in text for text in doubts.values())
    assert [name for name, text in doubts.items() if "retained_top" in text] == ["newest"]
    assert [name for name, text in doubts.items() if "versionRegexp" in text] == ["old"]
    assert [name for name, text in doubts.items() if "untagged" in text] == ["bare"]


def test_a_long_name_does_not_make_a_rule_without_one() -> None:
    done = translated(native("r" * 150, OLD))

    assert check_rules(tomllib.loads(done.rules)["rules"], lambda key: key)
