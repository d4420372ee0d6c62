"""Rules from a native lifecycle policy, and native policies from rules: texts in, texts out.

A native policy is for one repository, by its exact name; its expire period is whole days of 24 hours at
least, its regular expressions are Java's, of 256 characters at most, and it knows no keep rules and no groups
(the service's lifecycle_policy.proto, and its documentation of lifecycle policies). In both worlds an image
that several rules match goes only when all of them say delete: leaving one out would delete more, so a policy
is converted whole or not at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import msgspec

from shared.retention.moments import duration
from shared.retention.patterns import pattern
from shared.retention.records import NativeRule
from shared.retention.rule import Rule
from shared.retention.rules import covering

DAY = timedelta(days=1)
LONGEST_TAG_REGEXP = 256
JAVA_ONLY = re.compile(r"\\[QE]|&&|\\p\{(?:java|Is|In)|\\[hHvVXz]")
OURS_ONLY = re.compile(r"\(\?P|\(\?[a-zA-Z]*[LufVebp]|\\[mMN]|\[\[:|\(\?\||\(\?&|\(\?R\)")
SPECIAL = re.compile(r"[*?\[\]!\\#\s]")


def to_rules(label: str, repository: str, native: list[NativeRule]) -> tuple[list[Rule], list[str]]:
    """The rules that take what the native policy takes, or none and why not."""
    faults = [
        f"rule {number} of the policy: {fault}"
        for number, native_rule in enumerate(native, 1)
        for fault in [_no_rule(native_rule)]
        if fault
    ]
    if faults:
        return [], faults
    rules = [
        Rule(
            name=label if len(native) == 1 else f"{label} {number}",
            repositories=[f"/{repository}", f"!/{repository}/*"],
            tags=native_rule.tag_regexp or None,
            untagged=native_rule.untagged,
            older_than=_older_than(native_rule.expire_seconds) if native_rule.expire_seconds else None,
            keep_newest=native_rule.retained_top or None,
        )
        for number, native_rule in enumerate(native, 1)
    ]
    return rules, []


def _no_rule(native: NativeRule) -> str:
    if JAVA_ONLY.search(native.tag_regexp):
        return f"its regular expression {json.dumps(native.tag_regexp)} is written in Java's own way"
    try:
        pattern(native.tag_regexp)
    except ValueError as error:
        return f"its regular expression {json.dumps(native.tag_regexp)} is not understood: {error}"
    if not native.expire_seconds and not native.retained_top:
        return "it has neither an expire period nor a number of retained images"
    return ""


def _older_than(seconds: float) -> str:
    hours = -(-seconds // 3600)  # rounded up, so that nothing goes earlier
    return f"{hours // 24:.0f}d" if hours % 24 == 0 else f"{hours:.0f}h"


def to_toml(rules: Iterable[Rule]) -> str:
    """The rules as ``[[rules]]`` tables."""
    return "\n".join(
        "[[rules]]\n"
        + "".join(f"{key} = {_value(value)}\n" for key, value in msgspec.to_builtins(rule).items())
        for rule in rules
    )


def _value(value: Any) -> str:
    """A TOML value; TOML's strings and lists are JSON's, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def to_policies(rules: list[Rule]) -> dict[str, Any]:
    """What of the rules Yandex Cloud could run itself.

    ``policies`` has the bodies to create them with, each for a repository (``repositoryId`` is to be added),
    and ``not_native`` says of each other rule why not.
    """
    faults = {rule.name: _not_native(rule) for rule in rules}
    repositories = dict.fromkeys(name for rule in rules if not faults[rule.name] for name in _names(rule))
    policies = []
    for name in repositories:
        there = covering(rules, name)
        other = next((rule for rule in there if faults[rule.name]), None)
        if other:
            for rule in there:
                faults[rule.name] = faults[rule.name] or (
                    f'the rule "{other.name}", which cannot be native, is about {name} too'
                )
            continue
        body = {"name": "registry-janitor", "status": "DISABLED", "rules": [_native(rule) for rule in there]}
        policies.append({"repository": name, "policy": body})
    return {
        "policies": policies,
        "not_native": [{"rule": name, "why": fault} for name, fault in faults.items() if fault],
    }


def _not_native(rule: Rule) -> str:
    """Why a native policy cannot say what the rule says, or nothing."""
    if rule.action == "keep":
        return "a native policy has no keep rules"
    if not _names(rule):
        return "a native policy is for one repository, by its exact name, as in /team-a/app"
    if rule.group_by:
        return "a native policy counts by repository, not by group"
    if rule.older_than and (duration(rule.older_than) < DAY or duration(rule.older_than) % DAY):
        return "a native policy's expire period is in whole days"
    if rule.tags and len(rule.tags) > LONGEST_TAG_REGEXP:
        return f"a native policy's regular expression has {LONGEST_TAG_REGEXP} characters at most"
    if rule.tags and OURS_ONLY.search(rule.tags):
        return "its regular expression is not written in Java's way"
    return ""


def _names(rule: Rule) -> list[str]:
    """The repositories that the rule names exactly; none when it has a pattern."""
    names = []
    for text in rule.repositories:
        name = text.strip("/")
        if text.startswith("!") and text.removesuffix("/*").removesuffix("/**")[1:] in rule.repositories:
            continue  # "/team-a/app", "!/team-a/app/*": without what is below
        if SPECIAL.search(text) or text.endswith("/") or "/" not in text:
            return []
        names.append(name)
    return names


def _native(rule: Rule) -> dict[str, Any]:
    native: dict[str, Any] = {"description": rule.name, "untagged": rule.untagged}
    if rule.tags:
        native["tagRegexp"] = rule.tags
    if rule.older_than:
        native["expirePeriod"] = f"{duration(rule.older_than).total_seconds():.0f}s"
    if rule.keep_newest:
        native["retainedTop"] = str(rule.keep_newest)
    return native
