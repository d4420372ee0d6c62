"""The lifecycle policies of Container Registry in the words of Cloud Registry: records in, JSON out. Pure.

A policy there is for one repository by its exact name; an image goes when every rule that matches it says so.
Here a registry has 10 policies, one of them ENABLED, of 10 rules each; a rule names repositories by prefixes
that a comma separates, keeps by age or by number (``keepByAge``, ``keepByVersion``) or deletes, and a rule
that keeps wins (cloud-registry/concepts/lifecycle-policy, lifecycle_policy.proto). So all ACTIVE policies of
a registry have to fit into 10 rules, and what keeps in any rule there is a rule of its own here.

Much of both is not documented. Nothing here claims that two policies are equal: each translation names its
doubts, and the policies are DISABLED until their dry run has been looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from shared.retention import native
from shared.retention.records import NativeRule, Policy
from shared.retention.rule import Rule

MOST_POLICIES, MOST_RULES = 10, 10
LONGEST_NAME = 90
DAY_SECONDS = 86_400
MERGED = "registry-janitor"
ALWAYS_DOUBTED = (
    "ages are counted from the creation time, which the migration may have set anew",
    "the new policy deletes tags one by one; what the old one does with an image of several tags, of which it"
    " matches some, is not documented",
    "pathPrefix takes every repository whose name begins so, later ones too, and the documentation says both"
    " that it is no pattern and uses it as one",
)
DOUBTED_COUNT = (
    "that retained_top keeps the newest images is not documented; keepByVersion does, and counts tags where"
    " retained_top counts images"
)
DOUBTED_PATTERN = (
    "which dialect versionRegexp is written in, and whether it must match the whole tag, is not documented"
)
DOUBTED_UNTAGGED = (
    "whether untagged images are listed in Cloud Registry, and whether the parts of an index count as"
    " untagged, is not documented"
)


class NativePolicy(msgspec.Struct, frozen=True):
    """A native policy with its rules; ``repository`` is the name without the registry's id."""

    policy: Policy
    repository: str
    rules: tuple[NativeRule, ...]


class Translation(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a native policy.

    ``rules``: the ``[[rules]]`` that say the same, as TOML, or "" for the reasons of ``no_rules``.
    ``new_policy``: its name among the new policies, or "" for the reasons of ``no_policy``. ``doubts`` name
    what is not documented of either service.
    """

    policy_id: str
    policy_name: str
    repository: str
    status: str
    rules: str
    no_rules: list[str]
    new_policy: str
    no_policy: list[str]
    doubts: list[str]


class Translated(msgspec.Struct, frozen=True):
    """The policies of a registry; ``rules`` has those of the ACTIVE ones as TOML, ``new_policies`` the JSON
    bodies.
    """

    translations: list[Translation]
    rules: str
    new_policies: list[dict[str, Any]]


def translate(registry_id: str, policies: Iterable[NativePolicy], repositories: Iterable[str]) -> Translated:
    """The policies of a registry that has these repositories."""
    policies, names = sorted(policies, key=_place), sorted(repositories)
    faults = {each.policy.policy_id: _faults(each, names) for each in policies}
    sound = [each for each in policies if not faults[each.policy.policy_id]]
    bodies: list[dict[str, Any]] = []
    named = _merge(registry_id, [each for each in sound if _is_active(each)], faults, bodies)
    named |= _apart(registry_id, [each for each in sound if not _is_active(each)], faults, bodies)
    rules = {each.policy.policy_id: _own_rules(each) for each in policies}
    translations = [
        Translation(
            policy_id=each.policy.policy_id,
            policy_name=each.policy.name,
            repository=each.repository,
            status=each.policy.status,
            rules=native.to_toml(rules[each.policy.policy_id][0]),
            no_rules=rules[each.policy.policy_id][1],
            new_policy=named.get(each.policy.policy_id, ""),
            no_policy=faults[each.policy.policy_id],
            doubts=_doubts(each),
        )
        for each in policies
    ]
    active = [rule for each in policies if _is_active(each) for rule in rules[each.policy.policy_id][0]]
    return Translated(translations, native.to_toml(active), bodies)


def _place(each: NativePolicy) -> tuple[str, str]:
    return each.repository, each.policy.policy_id


def _is_active(each: NativePolicy) -> bool:
    return each.policy.status == "ACTIVE"


def _own_rules(each: NativePolicy) -> tuple[list[Rule], list[str]]:
    label = f"{each.policy.label} of {each.repository}"
    if len(label) > LONGEST_NAME:
        label = each.policy.policy_id
    return native.to_rules(label, each.repository, list(each.rules))


def _faults(each: NativePolicy, names: Sequence[str]) -> list[str]:
    """Why no policy of Cloud Registry can say what the policy says."""
    below = [name for name in names if name != each.repository and name.startswith(each.repository)]
    faults = []
    if below:
        faults.append(
            f"its pathPrefix would take {len(below)} other repositories too, such as {below[0]}, for a prefix"
            " cannot name one repository"
        )
    if not each.rules:
        faults.append("it has no rules")
    for number, rule in enumerate(each.rules, 1):
        if not rule.expire_seconds and not rule.retained_top:
            faults.append(f"its rule {number} has neither an expire period nor a number of retained images")
        if not rule.tag_regexp and not rule.untagged:
            faults.append(f"its rule {number} matches neither tags nor untagged images")
    count = len(_translated(each.rules, ""))
    if count > MOST_RULES:
        faults.append(f"it needs {count} rules, and a policy has {MOST_RULES} at most")
    return faults


def _merge(
    registry_id: str, policies: list[NativePolicy], faults: dict[str, list[str]], bodies: list[dict[str, Any]]
) -> dict[str, str]:
    """Puts ACTIVE policies into one, those of most repositories first; returns its name by policy id."""
    named: dict[str, str] = {}
    rules: list[dict[str, Any]] = []
    groups = sorted(_alike(policies), key=lambda group: (-len(group), _place(group[0])))
    for group in groups:
        needed = _translated(group[0].rules, _prefix(group))
        if len(rules) + len(needed) <= MOST_RULES:
            rules += needed
            named |= dict.fromkeys((each.policy.policy_id for each in group), MERGED)
            continue
        for each in group:
            faults[each.policy.policy_id].append(
                f"a registry has one ENABLED policy of {MOST_RULES} rules, of which other policies take"
                f" {len(rules)}, and it needs {len(needed)}"
            )
    if rules:
        bodies.append(_body(registry_id, MERGED, "What the ACTIVE policies of its repositories said", rules))
    return named


def _apart(
    registry_id: str, policies: list[NativePolicy], faults: dict[str, list[str]], bodies: list[dict[str, Any]]
) -> dict[str, str]:
    """Gives policies that are not ACTIVE one each, while there is room; returns its name by policy id."""
    named: dict[str, str] = {}
    for group in _alike(policies):
        if len(bodies) >= MOST_POLICIES:
            for each in group:
                faults[each.policy.policy_id].append(f"a registry has {MOST_POLICIES} policies at most")
            continue
        name = f"{MERGED}-{len(bodies) + 1}"
        description = f"What {group[0].policy.label} said"
        bodies.append(_body(registry_id, name, description, _translated(group[0].rules, _prefix(group))))
        named |= dict.fromkeys((each.policy.policy_id for each in group), name)
    return named


def _alike(policies: Iterable[NativePolicy]) -> list[list[NativePolicy]]:
    """The policies in groups of the same rules."""
    groups: dict[tuple[NativeRule, ...], list[NativePolicy]] = {}
    for each in policies:
        groups.setdefault(each.rules, []).append(each)
    return list(groups.values())


def _prefix(group: Iterable[NativePolicy]) -> str:
    return ",".join(dict.fromkeys(each.repository for each in group))


def _body(registry_id: str, name: str, description: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "registryId": registry_id,
        "name": name,
        "description": description,
        "state": "DISABLED",
        "rules": rules,
    }


def _translated(rules: Sequence[NativeRule], prefix: str) -> list[dict[str, Any]]:
    """The rules that keep, and then those that delete."""
    tagged = sum(1 for rule in rules if rule.tag_regexp)
    untagged = sum(1 for rule in rules if rule.untagged)
    keeps: list[dict[str, Any]] = []
    deletes: list[dict[str, Any]] = []
    for rule in rules:
        for matching, several in ((_tags(rule), tagged > 1), (_untagged(rule), untagged > 1)):
            if matching is not None:
                _translate_rule(rule, {"pathPrefix": prefix, **matching}, keeps, deletes, several=several)
    return keeps + deletes


def _tags(rule: NativeRule) -> dict[str, Any] | None:
    if not rule.tag_regexp:
        return None
    return {"versionRegexp": rule.tag_regexp, "dockerFilters": {"tagStatus": "TAGGED"}}


def _untagged(rule: NativeRule) -> dict[str, Any] | None:
    return {"dockerFilters": {"tagStatus": "UNTAGGED"}} if rule.untagged else None


def _translate_rule(
    rule: NativeRule,
    matching: dict[str, Any],
    keeps: list[dict[str, Any]],
    deletes: list[dict[str, Any]],
    *,
    several: bool,
) -> None:
    """Adds the rules for one.

    With ``several`` rules that may match the same image, what one of them leaves, none of them may take.
    """
    days = int(-(-rule.expire_seconds // DAY_SECONDS))  # rounded up, so that nothing goes earlier
    if rule.retained_top and (days or several):
        keeps.append({**matching, "keepByVersion": {"keepVersionsCount": str(rule.retained_top)}})
    if days and several:
        keeps.append({**matching, "keepByAge": {"youngerThanDays": str(days)}})
    if days:
        condition: dict[str, Any] = {"olderThanDays": str(days)}
    else:
        condition = {"versionCondition": {"versionsCountGreaterThan": str(rule.retained_top)}}
    deletes.append({**matching, "delete": {"type": "HARD_DELETE", **condition}})


def _doubts(each: NativePolicy) -> list[str]:
    doubts = list(ALWAYS_DOUBTED)
    if any(rule.retained_top for rule in each.rules):
        doubts.append(DOUBTED_COUNT)
    if any(rule.tag_regexp not in ("", ".*") for rule in each.rules):
        doubts.append(DOUBTED_PATTERN)
    if any(rule.untagged for rule in each.rules):
        doubts.append(DOUBTED_UNTAGGED)
    return doubts
