"""What the rules decide about the images of one repository."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yandex.cloud.containerregistry.v1.lifecycle_policy_pb2 import LifecycleRule

from shared.errors import SettingsError
from shared.retention.records import Image
from shared.retention.rule import Rule
from shared.retention.rules import Judged, covering, decide, label, matches
from shared.settings.rules import check_rules
from tests.emulator import lifecycle
from tests.emulator.images import Image as EmulatedImage

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def image(name: str, *tags: str, days: float = 0, created_at: str | None = None) -> Image:
    """An image of that age; its name is its id."""
    created = (NOW - timedelta(days=days)).isoformat() if created_at is None else created_at
    return Image(name, f"sha256:{name}", tags, created, 1, b"")


def rule(**keys: Any) -> Rule:
    """A rule that has been checked as the file is."""
    return check_rules([{"name": "r", **keys}], lambda key: key)[0]


def taken(rules: list[Rule], images: list[Image], now: datetime = NOW) -> set[str]:
    return set(decide(rules, images, now).taken)


OLD, YOUNG = 40, 3
OLD_TAGGED = rule(tags=".*", older_than="30d")


class Case(NamedTuple):
    rules: list[Rule]
    images: list[Image]
    taken: set[str]


DECIDED = {
    "older than": Case([OLD_TAGGED], [image("a", "x", days=OLD), image("b", "y", days=YOUNG)], {"a"}),
    "exactly as old": Case([OLD_TAGGED], [image("a", "x", days=30)], {"a"}),
    "hours and weeks": Case(
        [rule(tags="h", older_than="36h"), rule(name="w", tags="w", older_than="2w")],
        [
            image("a", "h", days=1.6),
            image("b", "h", days=1.4),
            image("c", "w", days=14),
            image("d", "w", days=13),
        ],
        {"a", "c"},
    ),
    "a tag matches as a whole": Case(
        [rule(tags="test", older_than="1d")],
        [image("a", "test", days=2), image("b", "test-1", days=2)],
        {"a"},
    ),
    "all tags must match": Case(
        [rule(tags="test.*", older_than="1d")],
        [image("a", "test", "test2", days=2), image("b", "test", "v1", days=2)],
        {"a"},
    ),
    "tags alone are not about untagged images": Case([OLD_TAGGED], [image("a", days=OLD)], set()),
    "untagged alone is not about tagged images": Case(
        [rule(untagged=True, older_than="1d")], [image("a", days=2), image("b", "x", days=2)], {"a"}
    ),
    "tags and untagged": Case(
        [rule(tags="x", untagged=True, older_than="1d")],
        [image("a", days=2), image("b", "x", days=2), image("c", "y", days=2)],
        {"a", "b"},
    ),
    "the newest stay": Case(
        [rule(tags=".*", keep_newest=2)], [image(n, n, days=d) for d, n in enumerate("abcd")], {"c", "d"}
    ),
    "ties by id": Case([rule(tags=".*", keep_newest=2)], [image(n, n, days=1) for n in "dbca"], {"c", "d"}),
    "a few more than there are": Case([rule(tags=".*", keep_newest=9)], [image("a", "a")], set()),
    "old, but among the newest": Case(
        [rule(tags=".*", keep_newest=1, older_than="30d")],
        [image("a", "a", days=OLD), image("b", "b", days=OLD + 1), image("c", "c", days=OLD + 2)],
        {"b", "c"},
    ),
    "not among the newest, but young": Case(
        [rule(tags=".*", keep_newest=1, older_than="30d")], [image("a", "a"), image("b", "b", days=1)], set()
    ),
    "every rule that matches must say delete": Case(
        [OLD_TAGGED, rule(name="two", tags="x.*", keep_newest=1)],
        [image("a", "x1", days=OLD), image("b", "x2", days=OLD + 1), image("c", "y", days=OLD)],
        {"b", "c"},
    ),
    "a keep rule wins": Case(
        [OLD_TAGGED, rule(name="k", action="keep", tags="v.*")],
        [image("a", "v1", "x", days=OLD), image("b", "x", days=OLD)],
        {"b"},
    ),
    "what is kept is not counted": Case(
        [rule(name="k", action="keep", tags="v1"), rule(tags=".*", keep_newest=1)],
        [image("a", "v1"), image("b", "v2", days=1), image("c", "v3", days=2)],
        {"c"},
    ),
    "a keep rule for the newest": Case(
        [rule(name="k", action="keep", tags="v.*", keep_newest=1), OLD_TAGGED],
        [image("a", "v1", days=OLD), image("b", "v2", days=OLD + 1), image("c", "x", days=OLD)],
        {"b", "c"},
    ),
    "a keep rule for untagged images": Case(
        [rule(name="k", action="keep", untagged=True), rule(tags=".*", untagged=True, older_than="1d")],
        [image("a", days=2), image("b", "x", days=2)],
        {"b"},
    ),
    "the newest of each branch": Case(
        [rule(tags=r"f-.*", keep_newest=1, group_by=r"f-(?P<group>\w+)-.*")],
        [
            image("a", "f-one-3", days=1),
            image("b", "f-one-2", days=2),
            image("c", "f-two-1", days=3),
            image("d", "f-two-0", days=4),
        ],
        {"b", "d"},
    ),
    "newest of any of its branches": Case(
        [rule(tags=r"f-.*", keep_newest=1, group_by=r"f-(?P<group>\w+)-.*")],
        [
            image("a", "f-one-3", days=1),
            image("b", "f-one-2", "f-two-1", days=2),
            image("c", "f-two-0", days=3),
        ],
        {"c"},
    ),
    "no branch, not its business": Case(
        [rule(tags=r"f-.*", keep_newest=1, group_by=r"f-(?P<group>\w+)-.*")],
        [image("a", "f-one-3", days=1), image("b", "f-", days=2), image("c", "f-", days=3)],
        set(),
    ),
    "nothing at all": Case([OLD_TAGGED], [], set()),
    "a tag with a newline": Case([rule(tags="x", older_than="1d")], [image("a", "x\n", days=2)], set()),
}


@pytest.mark.parametrize("case", DECIDED.values(), ids=DECIDED)
def test_rules_take_what_they_say(case: Case) -> None:
    assert taken(case.rules, case.images) == case.taken


@pytest.mark.parametrize(
    "created_at",
    [
        "",
        "1970-01-01T00:00:00Z",
        "1980-01-01T00:00:00Z",
        "2012-12-31T23:59:59Z",
        "2026-11-25T12:00:01Z",
        "2020-01-01T00:00:00",
        "yesterday",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999Z",
    ],
)
def test_an_absurd_creation_time_is_neither_an_age_nor_a_rank(created_at: str) -> None:
    images = [image("absurd", "x", created_at=created_at), image("a", "x", days=50), image("b", "x", days=51)]

    decision = decide([OLD_TAGGED, rule(name="n", tags=".*", keep_newest=1)], images, NOW)

    assert set(decision.taken) == {"b"}
    assert list(decision.undated) == ["absurd"]


def test_every_rule_that_takes_an_image_is_a_reason() -> None:
    rules = [OLD_TAGGED, rule(name="two", tags="x", keep_newest=1)]

    decision = decide(rules, [image("new", "x", days=39), image("a", "x", days=OLD)], NOW)

    assert decision.taken == {"a": ("rule r", "rule two")}
    assert decision.matched == {"r": 2, "two": 2}


COVERED = {
    "everything by default": (["**"], {"app", "team-a/app", "team-a/base", "team-a/deep/app"}),
    "a folder": (["team-a/**"], {"team-a/app", "team-a/base", "team-a/deep/app"}),
    "a folder without one": (["team-a/**", "!team-a/base"], {"team-a/app", "team-a/deep/app"}),
    "a name anywhere": (["app"], {"app", "team-a/app", "team-a/deep/app"}),
    "a name at the top": (["/app"], {"app"}),
    "a star stays in its folder": (["/*/base"], {"team-a/base"}),
}


@pytest.mark.parametrize(("patterns", "names"), COVERED.values(), ids=COVERED)
def test_patterns_cover_repositories(patterns: list[str], names: set[str]) -> None:
    one = rule(repositories=patterns, tags="x", older_than="1d")

    assert {name for name in COVERED["everything by default"][1] if covering([one], name)} == names


@pytest.mark.parametrize("tags", ["(a|aa)+b", "(?:a|aa)*?b", "(?:(?:a|aa)+|x)b"])
def test_a_catastrophic_pattern_is_an_error_that_names_its_rule(tags: str) -> None:
    slow = rule(name="slow one", tags=tags, older_than="1d")

    with pytest.raises(SettingsError, match='The rule "slow one" is refused'):
        decide([slow], [image("a", "a" * 100 + "bc", days=2)], NOW)


def test_with_groups_an_image_without_tags_is_not_the_rules_business() -> None:
    grouped = rule(tags=".*", untagged=True, keep_newest=1, group_by="(?P<group>.).*")

    assert not matches(grouped, ())
    assert taken([grouped], [image("a", days=1), image("b", days=2)]) == set()


TAGS = st.sampled_from(["v1", "v2", "x-1", "x-2", "y-1", "latest", "x-1-2"])
IMAGES = st.lists(
    st.tuples(st.lists(TAGS, max_size=2, unique=True), st.integers(0, 60), st.booleans()), max_size=12
).map(
    lambda found: [
        image(
            f"i{number:02}",
            *tags,
            days=days,
            created_at="1970-01-01T00:00:00Z" if absurd and days > 50 else None,
        )
        for number, (tags, days, absurd) in enumerate(found)
    ]
)
PATTERNS = st.sampled_from(["v.*", "x-.*", ".*-1", ".*", "latest|v1", r"[xy]-\d+"])
CONDITIONS = st.one_of(
    st.fixed_dictionaries({"older_than": st.sampled_from(["1d", "30d", "480h", "3w"])}),
    st.fixed_dictionaries({"keep_newest": st.integers(1, 4)}),
    st.fixed_dictionaries({"older_than": st.just("10d"), "keep_newest": st.integers(1, 4)}),
    st.fixed_dictionaries({"keep_newest": st.integers(1, 3), "group_by": st.just("(?P<group>.)-.*")}),
)


@st.composite
def delete_rules(draw: st.DrawFn) -> Rule:
    keys = {"tags": draw(PATTERNS), "untagged": draw(st.booleans()), **draw(CONDITIONS)}
    return rule(name=f"d{draw(st.integers(0, 10**9))}", **keys)


@st.composite
def keep_rules(draw: st.DrawFn) -> Rule:
    keys = draw(
        st.one_of(
            st.fixed_dictionaries({"tags": PATTERNS}),
            st.fixed_dictionaries({"untagged": st.just(True)}),
            st.fixed_dictionaries({"tags": PATTERNS, "keep_newest": st.integers(1, 3)}),
            st.just({}),
        )
    )
    return rule(name=f"k{draw(st.integers(0, 10**9))}", action="keep", **keys)


def named_apart(rules: list[Rule]) -> list[Rule]:
    """The rules with names of their own, as a file has them."""
    return [msgspec.structs.replace(one, name=f"r{number}") for number, one in enumerate(rules)]


RULES = st.lists(st.one_of(delete_rules(), keep_rules()), max_size=4).map(named_apart)


@given(RULES, keep_rules(), IMAGES)
def test_another_keep_rule_never_takes_more(rules: list[Rule], keep: Rule, images: list[Image]) -> None:
    assert taken([*rules, keep], images) <= taken(rules, images)


@given(RULES, IMAGES, st.randoms())
def test_the_order_of_images_and_of_rules_never_matters(
    rules: list[Rule], images: list[Image], dice: Any
) -> None:
    shuffled, reordered = list(images), list(rules)
    dice.shuffle(shuffled)
    dice.shuffle(reordered)

    assert taken(reordered, shuffled) == taken(rules, images)


@given(RULES, IMAGES)
def test_a_rule_never_takes_an_image_that_it_does_not_match(rules: list[Rule], images: list[Image]) -> None:
    by_id = {one.image_id: one for one in images}
    for image_id, reasons in decide(rules, images, NOW).taken.items():
        for one in rules:
            if label(one) in reasons:
                assert matches(one, by_id[image_id].tags)
    assert not any(by_id[image_id].created_at.startswith("1970") for image_id in taken(rules, images))


@given(RULES, IMAGES, st.integers(0, 100))
def test_the_decision_is_the_same_a_second_time(rules: list[Rule], images: list[Image], days: int) -> None:
    later = NOW + timedelta(days=days)

    assert decide(rules, images, later) == decide(rules, images, later)


@given(RULES, IMAGES, st.randoms())
def test_what_rules_say_holds_while_only_what_they_take_goes(
    rules: list[Rule], images: list[Image], dice: Random
) -> None:
    decision = decide(rules, images, NOW)
    judged = Judged(images, {"old": decision.taken})
    gone = {one.image_id for one in images if dice.random() < 0.3}
    left = [one for one in images if one.image_id not in gone]

    assert judged.holds(left, gone) == (gone <= decision.taken.keys())
    if judged.holds(left, gone):
        again = decide(rules, left, NOW)
        remaining = {name: by for name, by in decision.taken.items() if name not in gone}
        assert (again.taken, again.kept) == (remaining, decision.kept)


@pytest.mark.parametrize("now", [["b"], ["a", "b", "c"], ["b", "a"]], ids=["too few", "too many", "moved"])
def test_what_rules_say_does_not_hold_of_other_images(now: list[str]) -> None:
    judged = Judged([image("a"), image("b")], {"old": ["a"]})
    assert not judged.holds([image(name) for name in now], set())


def test_what_rules_say_does_not_hold_of_an_image_with_another_tag() -> None:
    judged = Judged([image("a"), image("b")], {"old": ["a"]})
    assert judged.holds([image("b")], {"a"})
    assert not judged.holds([image("b", "v1")], {"a"})
    assert not judged.holds([image("a"), image("b", "v1")], set())


def native(one: Rule) -> LifecycleRule:
    """The native rule that says the same."""
    made = LifecycleRule(tag_regexp=one.tags or "", untagged=one.untagged, retained_top=one.keep_newest or 0)
    if one.older_than:
        days = {"1d": 1, "30d": 30, "480h": 20, "3w": 21, "10d": 10}[one.older_than]
        made.expire_period.FromTimedelta(timedelta(days=days))
    return made


@given(st.lists(delete_rules().filter(lambda one: not one.group_by), min_size=1, max_size=3), IMAGES)
def test_rules_take_what_the_same_native_policy_takes(rules: list[Rule], images: list[Image]) -> None:
    images = [one for one in images if not one.created_at.startswith("1970")]
    emulated = [
        EmulatedImage(one.image_id, "app", one.digest, 1, None, (), one.tags, born, born)
        for one in images
        if (born := datetime.fromisoformat(one.created_at).timestamp())
    ]

    affected = lifecycle.affected_images([native(one) for one in rules], emulated, NOW.timestamp())

    assert taken(rules, images) == {one.id for one in affected}
