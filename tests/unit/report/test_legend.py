"""What a run's ids and reasons mean to people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from shared.cleanup.run import Run, Survey
from shared.report.legend import Legend, of_run
from shared.retention.records import Policy, PolicyResult, Registry, Repository
from shared.retention.rule import Rule
from shared.settings.overrides import Narrowed
from shared.settings.settings import Settings

NATIVE = ("tags b-.*, older than 1 day", "untagged, older than 2 days")


def survey(name: str, policy: Policy, *reasons: str) -> Survey:
    registry = Registry("crp1", "b1g", "shop")
    made = Survey(registry, Repository("", "crp1", f"crp1/{name}"), [policy])
    made.ran_dry(PolicyResult(policy, "crp1", name, True, "d", 1, frozenset(reasons)), [])
    return made


def legend(*surveys: Survey, **named: Any) -> Legend:
    settings = Settings(
        **({"folder_id": "b1g"} | named), rules=[Rule(name="old", untagged=True, older_than="7d")]
    )
    run = Run(narrowed=Narrowed(settings, settings, settings), started_at=datetime.now(UTC))
    run.add(surveys[0].registry, list(surveys))
    return of_run(run)


def test_registries_have_names_and_reasons_have_words() -> None:
    made = legend(survey("app", Policy("p1", "old", "r1", "ACTIVE", says=NATIVE), "policy old"))

    assert (made.folder_id, made.registries) == ("b1g", {"crp1": "shop"})
    assert made.says == {"rule old": "untagged, older than 7 days", "policy old": "; ".join(NATIVE)}


def test_the_folder_of_registries_that_the_settings_name_is_known_too() -> None:
    of_one = survey("app", Policy("p1", "old", "r1", "ACTIVE"))

    assert legend(of_one, folder_id=None, registries=["crp1"]).folder_id == "b1g"


def test_a_reason_that_names_a_rule_of_a_policy_has_that_rules_words() -> None:
    reason = "policy old (rule 2, HARD_DELETE)"
    made = legend(survey("app", Policy("p1", "old", "", "ACTIVE", says=NATIVE), reason))

    assert made.says[reason] == NATIVE[1]


def test_policies_of_one_name_that_say_something_else_have_no_words() -> None:
    made = legend(
        survey("a", Policy("p1", "old", "r1", "ACTIVE", says=NATIVE[:1]), "policy old"),
        survey("b", Policy("p2", "old", "r2", "ACTIVE", says=NATIVE[1:]), "policy old"),
    )

    assert "policy old" not in made.says
