"""A rule as the TOML file writes it, and what is wrong with a list of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from shared.errors import SettingsError, key_of, sentence, short
from shared.retention.moments import LONGEST_DURATION, duration
from shared.retention.patterns import pattern, repository_matcher
from shared.retention.rule import EVERYWHERE, Rule
from shared.settings.wrong_values import unknown_key, wrong_value

ACCEPTS = {
    "name": "a name of 1 to 100 characters",
    "action": "delete or keep",
    "repositories": 'gitignore-style patterns of names, as in ["team-a/**", "!team-a/base"]',
    "tags": "a regular expression for whole tags",
    "untagged": "true or false",
    "older_than": 'a duration such as "36h", "7d" or "2w", of more than none and 100 years at most',
    "keep_newest": "a whole number from 1 to 1000000",
    "group_by": "a regular expression with a named group, as in feature-(?P<group>[^-]+)-.*",
}

Spoken = Callable[[str], str]


def check_rules(tables: Any, spoken: Spoken) -> list[Rule]:
    """The rules of a TOML document; ``spoken`` says for a key where it was written. Raises SettingsError."""
    if not isinstance(tables, list):
        raise SettingsError(f"{spoken('rules')} is no list; write each rule as [[rules]].", where="rules")
    checked: list[Rule] = []
    for number, table in enumerate(tables, 1):
        rule = _checked(table, number, spoken)
        if any(other.name == rule.name for other in checked):
            raise _wrong(rule, number, "name", spoken, "is taken by a rule before; give each its own name")
        covered_by = next((other for other in checked if _covers(other, rule)), None)
        if covered_by:
            raise _wrong(
                rule,
                number,
                "action",
                spoken,
                f"is delete, but whatever it matches the keep rule {short(covered_by.name)} keeps;"
                " remove one of the two, or narrow the keep rule",
            )
        checked.append(rule)
    return checked


def _checked(table: Any, number: int, spoken: Spoken) -> Rule:
    if not isinstance(table, dict):
        raise SettingsError(
            f"{spoken(f'rules[{number}]')} is no table; write it as [[rules]].", where="rules"
        )
    title = f" (the rule {short(table['name'])})" if isinstance(table.get("name"), str) else ""
    unknown = next((key for key in table if key not in ACCEPTS), None)
    if unknown is not None:
        key = f"rules[{number}].{unknown}"
        raise SettingsError(f"{spoken(key)}{title} {unknown_key(unknown, ACCEPTS)}", where=key)
    if "name" not in table:
        key = f"rules[{number}].name"
        raise SettingsError(
            f"{spoken(key)} is missing; every rule needs a name, which the report gives as the reason.",
            where=key,
        )
    try:
        rule = msgspec.convert(table, Rule)
    except msgspec.ValidationError as error:
        name = key_of(str(error)) or "name"
        key = f"rules[{number}].{name}"
        said = wrong_value(
            table.get(name),
            ACCEPTS.get(name, "what a rule has"),
            lambda value: msgspec.convert({"name": "a", name: value}, Rule),
        )
        raise SettingsError(f"{spoken(key)}{title} {said}.", where=key) from None
    for name, fault in _faults(rule):
        raise _wrong(rule, number, name, spoken, fault)
    return rule


def _wrong(rule: Rule, number: int, name: str, spoken: Spoken, fault: str) -> SettingsError:
    key = f"rules[{number}].{name}"
    return SettingsError(sentence(f"{spoken(key)} (the rule {short(rule.name)}) {fault}"), where=key)


def _faults(rule: Rule) -> list[tuple[str, str]]:
    """What is wrong with a rule that has the right types: keys, each with the rest of a sentence."""
    return [*_text_faults(rule), *(_delete_faults(rule) if rule.action == "delete" else _keep_faults(rule))]


def _text_faults(rule: Rule) -> list[tuple[str, str]]:
    faults: list[tuple[str, str]] = []
    if not rule.name.strip():
        faults.append(("name", f"is blank; give {ACCEPTS['name']}"))
    try:
        repository_matcher(tuple(rule.repositories), rule.name)
    except ValueError as error:
        faults.append(
            (
                "repositories",
                f"has {short(str(error))}, which matches nothing; give {ACCEPTS['repositories']}",
            )
        )
    for name, text in (("tags", rule.tags), ("group_by", rule.group_by)):
        try:
            compiled = pattern(text) if text else None
        except ValueError as error:
            faults.append((name, f"is {short(text)}, which is no regular expression: {error}"))
        else:
            if name == "group_by" and compiled and "group" not in compiled.groupindex:
                faults.append((name, f"is {short(text)}, without the group; give {ACCEPTS[name]}"))
    if rule.older_than and not duration(rule.older_than):
        faults.append(("older_than", f"is {short(rule.older_than)}; give {ACCEPTS['older_than']}"))
    if rule.older_than and duration(rule.older_than) > LONGEST_DURATION:
        faults.append(("older_than", f"is {short(rule.older_than)}; give {ACCEPTS['older_than']}"))
    if rule.group_by and not rule.keep_newest:
        faults.append(("group_by", "says by what to count, but nothing is counted; add keep_newest"))
    if rule.group_by and not rule.tags:
        faults.append(("group_by", "is about tags, but the rule is about none; add tags"))
    return faults


def _delete_faults(rule: Rule) -> list[tuple[str, str]]:
    if not rule.tags and not rule.untagged:
        return [
            ("tags", "is missing, and so is untagged; a delete rule must say what it is about by one of them")
        ]
    if not rule.older_than and not rule.keep_newest:
        return [("older_than", "is missing, and so is keep_newest; a delete rule needs at least one of them")]
    return []


def _keep_faults(rule: Rule) -> list[tuple[str, str]]:
    if rule.older_than:
        return [("older_than", "is of no use in a keep rule, which keeps whatever the age; remove it")]
    if rule.keep_newest and not rule.tags:
        return [("keep_newest", "says how many to keep, but a keep rule must say of which; add tags")]
    return []


def _covers(keep: Rule, delete: Rule) -> bool:
    """Whether the keep rule surely keeps whatever the delete rule matches."""
    if keep.action != "keep" or delete.action != "delete" or keep.keep_newest:
        return False
    if keep.repositories not in (EVERYWHERE, ["*"], delete.repositories):
        return False
    if not keep.tags and not keep.untagged:
        return True
    tagged = delete.tags is None or keep.tags in (".*", ".+", delete.tags)
    return tagged and (keep.untagged or not delete.untagged)
