"""What a plan holds, and when a planned image must be kept after all."""

from __future__ import annotations

import msgspec
import pytest

from shared.retention.plan import Plan, Planned, Takers, change, takers
from shared.retention.records import Candidate, Image, Policy, PolicyResult, RepositoryName
from shared.retention.rule import Rule

DIGEST = "sha256:1"
NOW = Image("a", DIGEST, ("x", "y"), "2026-01-01T00:00:00Z", 7, b"layers", 5)
PLANNED = Planned(
    image_id="a",
    registry_id="crp1",
    repository="app",
    digest=DIGEST,
    tags=("x", "y"),
    created_at="2026-01-01T00:00:00Z",
    size_bytes=7,
    outcome="would-delete",
    reasons=("policy p", "rule r"),
)
TAKERS = {"policy p": "1", "rule r": "2"}
PLAN = Plan("plan", {"crp1/app": {"a": PLANNED}}, {"crp1/app": TAKERS})


def result(name: str, definition: str, *, applied: bool = True) -> PolicyResult:
    policy = Policy(f"id-{name}", name, "repository", "ACTIVE", definition)
    return PolicyResult(policy, "crp1", "app", applied, "dry-run", 1)


def test_what_takes_images_is_the_applied_policies_and_the_delete_rules() -> None:
    results = [result("p", "1"), result("idle", "2", applied=False)]
    rules = [Rule("r", tags="x"), Rule("k", action="keep")]
    assert set(takers(results, rules)) == {"policy p", "rule r"}
    assert takers(results, rules)["policy p"] == "1"


def test_policies_of_one_name_are_told_apart_in_no_order() -> None:
    assert takers([result("p", "2"), result("p", "1")], []) == {"policy p": "1 2"}


@pytest.mark.parametrize(
    "changed",
    [
        Rule("r", tags="y"),
        Rule("r", tags="x", untagged=True),
        Rule("r", tags="x", repositories=["app"]),
        Rule("r", tags="x", older_than="1d"),
        Rule("r", tags="x", keep_newest=1),
    ],
    ids=["tags", "untagged", "repositories", "older_than", "keep_newest"],
)
def test_a_rule_that_has_been_changed_is_another_one(changed: Rule) -> None:
    assert takers([], [changed]).keys() == {"rule r"}
    assert takers([], [changed]) != takers([], [Rule("r", tags="x")])
    assert takers([], [Rule("r", tags="x")]) == takers([], [Rule("r", tags="x")])


ALL = ("policy p", "rule r")
CHANGES: dict[str, tuple[Candidate | None, Takers, str]] = {
    "nothing changed": (Candidate(NOW, ALL), TAKERS, ""),
    "more takes it": (Candidate(NOW, (*ALL, "rule s")), {**TAKERS, "rule s": "3"}, ""),
    "a rule that is not its own was changed": (Candidate(NOW, ALL), {**TAKERS, "rule s": "4"}, ""),
    "it has lost a tag": (Candidate(msgspec.structs.replace(NOW, tags=("x",)), ALL), TAKERS, ""),
    "nothing takes it": (None, TAKERS, "what took it does so no longer"),
    "one of two takes it": (Candidate(NOW, ("rule r",)), TAKERS, "what took it does so no longer"),
    "a rule was changed": (
        Candidate(NOW, ALL),
        {**TAKERS, "rule r": "9"},
        "what takes it has been changed",
    ),
    "a policy is unknown": (Candidate(NOW, ALL), {"rule r": "2"}, "what takes it has been changed"),
    "another digest": (
        Candidate(msgspec.structs.replace(NOW, digest="sha256:2"), ALL),
        TAKERS,
        "it has another digest",
    ),
    "a new tag": (
        Candidate(msgspec.structs.replace(NOW, tags=("x", "y", "z")), ALL),
        TAKERS,
        "it has gained a tag",
    ),
    "a tag for another": (
        Candidate(msgspec.structs.replace(NOW, tags=("x", "z")), ALL),
        TAKERS,
        "it has gained a tag",
    ),
}


@pytest.mark.parametrize(("now", "are", "reason"), CHANGES.values(), ids=CHANGES)
def test_a_planned_image_is_kept_for_what_has_changed(
    now: Candidate | None, are: Takers, reason: str
) -> None:
    assert change(PLANNED, now, TAKERS, are) == reason


def test_a_candidate_is_the_image_as_listed_now_or_as_planned() -> None:
    assert PLANNED.candidate(NOW) == Candidate(NOW, ALL)
    assert PLANNED.candidate(None) == Candidate(msgspec.structs.replace(NOW, layers=b"", config=0), ALL)


HAS = {
    "as planned": ("crp1/app", NOW, True),
    "with fewer tags": ("crp1/app", msgspec.structs.replace(NOW, tags=()), True),
    "with a new tag": ("crp1/app", msgspec.structs.replace(NOW, tags=("x", "z")), False),
    "with another digest": ("crp1/app", msgspec.structs.replace(NOW, digest="sha256:2"), False),
    "another image": ("crp1/app", msgspec.structs.replace(NOW, image_id="b"), False),
    "in another repository": ("crp1/web", NOW, False),
}


@pytest.mark.parametrize(("full_name", "image", "has"), HAS.values(), ids=HAS)
def test_a_plan_has_an_image_only_as_it_was_planned(full_name: str, image: Image, has: bool) -> None:
    assert PLAN.has(full_name, image) is has


def test_a_plan_names_its_repositories() -> None:
    assert PLAN.repositories == {RepositoryName("crp1", "crp1/app")}


@pytest.mark.parametrize(
    ("reasons", "follows"),
    [
        (("rule r",), False),
        (("rule r, with its image",), True),
        (("rule r, with its image", "policy p"), False),
    ],
)
def test_an_image_follows_when_nothing_else_takes_it(reasons: tuple[str, ...], follows: bool) -> None:
    assert msgspec.structs.replace(PLANNED, reasons=reasons).follows is follows
