"""What a rule says, in words."""

from __future__ import annotations

from typing import Any

import pytest

from shared.retention.records import NativeRule
from shared.retention.rule import Rule
from shared.retention.rule_words import of_cloud, of_native, of_rule

RULES = {
    "all of it": (
        Rule(name="r", repositories=["a/**", "!a/b"], tags="build-.*", older_than="30d", keep_newest=50),
        "in a/** !a/b, tags build-.*, older than 30 days, all but the newest 50",
    ),
    "a group": (
        Rule(name="r", tags="f-.*", keep_newest=1, group_by="f-(?P<group>.*)"),
        "tags f-.*, all but the newest 1 of each group",
    ),
    "untagged, too": (
        Rule(name="r", tags="x", untagged=True, older_than="36h"),
        "tags x or untagged, older than 36 hours",
    ),
    "a day": (Rule(name="r", untagged=True, older_than="24h"), "untagged, older than 1 day"),
    "nothing": (Rule(name="r", action="keep"), ""),
}


@pytest.mark.parametrize(("rule", "words"), RULES.values(), ids=RULES)
def test_a_rule_of_the_settings(rule: Rule, words: str) -> None:
    assert of_rule(rule) == words


def test_a_native_rule() -> None:
    assert of_native(NativeRule("b-.*", False, 720 * 3600, 1000)) == (
        "tags b-.*, older than 30 days, all but the newest 1,000"
    )
    assert of_native(NativeRule(untagged=True, expire_seconds=3600)) == "untagged, older than 1 hour"


CLOUD: dict[str, tuple[Any, str]] = {
    "all of it": (
        {
            "description": "builds",
            "pathPrefix": "web",
            "versionRegexp": "site-.*",
            "delete": {"type": "HARD_DELETE", "olderThanDays": 14},
        },
        "builds, in web, tags site-.*, older than 14 days",
    ),
    "a number as text": ({"delete": {"olderThanDays": "1"}}, "older than 1 day"),
    "no number": ({"delete": {"olderThanDays": "soon"}}, ""),
    "always": ({"versionRegexp": "x", "delete": {"always": True}}, "tags x"),
    "what is no rule": (["x"], ""),
    "a delete that is none": ({"delete": 1}, ""),
}


@pytest.mark.parametrize(("rule", "words"), CLOUD.values(), ids=CLOUD)
def test_a_rule_of_cloud_registry(rule: Any, words: str) -> None:
    assert of_cloud(rule) == words
