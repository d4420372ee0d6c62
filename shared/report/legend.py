"""What the ids and the reasons in a report mean to people: names of registries, words of policies and rules.

The report has none of it, so it is kept beside a plan's report, and made anew by whoever has the run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from shared.cleanup.run import Run
from shared.retention import rule_words
from shared.retention.records import PolicyResult
from shared.retention.rule import Rule
from shared.retention.rules import label

NUMBERED = re.compile(r" \(rule ([0-9]{1,6}), ")


class Legend(msgspec.Struct, frozen=True):
    """``registries`` are names by id, ``says`` what the policy or the rule of a reason says."""

    folder_id: str = ""
    registries: dict[str, str] = {}
    says: dict[str, str] = {}


def of_run(run: Run) -> Legend:
    """The legend of a run's report."""
    says = of_rules(run.settings.rules)
    unclear: set[str] = set()
    for survey in run.surveys:
        for result in survey.results:
            for reason, words in _of_policy(result):
                if says.setdefault(reason, words) != words:  # two policies of one name
                    unclear.add(reason)
    names = {registry.registry_id: registry.name for registry in run.registries.values() if registry.name}
    folders = {registry.folder_id for registry in run.registries.values()}
    return Legend(
        run.settings.folder_id or (folders.pop() if len(folders) == 1 else ""),
        names,
        {reason: words for reason, words in sorted(says.items()) if words and reason not in unclear},
    )


def of_rules(rules: list[Rule]) -> dict[str, str]:
    """What the settings' rules say, by the reason that a report gives."""
    return {label(rule): rule_words.of_rule(rule) for rule in rules}


def _of_policy(result: PolicyResult) -> Iterator[tuple[str, str]]:
    says = result.policy.says
    yield f"policy {result.policy.label}", "; ".join(filter(None, says))
    for reason in result.reasons:
        numbered = NUMBERED.search(reason)
        number = int(numbered[1]) if numbered else 0
        chosen = says[number - 1 : number] if numbered else says
        yield reason, "; ".join(filter(None, chosen))
