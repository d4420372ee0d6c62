"""The rules of a file, carried out by the packaged job: which images are gone, and what the report says."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cloud, assert_adds_up, assert_complains, images, outcomes, policy
from tests.support.cloud import push


@pytest.fixture
def config(tmp_path: Path) -> Any:
    """Writes a settings file with these rules, and gives the environment that names it."""

    def write(*rules: str, more: str = "") -> dict[str, str]:
        file = tmp_path / "janitor.toml"
        file.write_text(more + "".join(f"\n[[rules]]\n{rule}\n" for rule in rules))
        return {"JANITOR_CONFIG": str(file)}

    return write


OLD = 'name = "old"\ntags = ".*"\nolder_than = "3d"'
KEEP_RELEASES = 'name = "releases"\naction = "keep"\ntags = "v.*"'


def test_one_rule_cleans_every_repository_it_covers(cloud: Cloud, config: Any) -> None:
    cloud.seed(
        {"name": "team-a/app", "images": images(*"abcde")},
        {"name": "team-a/base", "images": images(*"fghij")},
        {"name": "team-b/app", "images": images(*"klmno")},
    )

    report = cloud.clean(**config(OLD + '\nrepositories = ["team-a/**", "!team-a/base"]'))

    assert cloud.left() == set("ab") | set("fghij") | set("klmno")
    assert report["status"] == "ok"
    assert {row["reason"] for row in report["images"]} == {"rule old"}
    assert report["totals"]["images"] == 15
    assert_adds_up(report)


def test_without_apply_nothing_is_gone(cloud: Cloud, config: Any) -> None:
    cloud.seed({"name": "app", "images": images(*"abcde")})

    report = cloud.dry_run(CLEANUP_MODE="apply", **config(OLD))

    assert cloud.left() == set("abcde")
    assert outcomes(report) == dict.fromkeys("cde", "would-delete")
    assert report["totals"]["reclaimed_bytes"] > 0
    assert_adds_up(report)


def test_an_image_goes_if_a_policy_or_a_rule_takes_it(cloud: Cloud, config: Any) -> None:
    stock = [*images(*"abcde"), {"id": "u", "tags": [], "age": "1d"}]
    cloud.seed(
        {
            "name": "app",
            "policies": [policy("bare", untagged=True, retained_top=0, expire_period="24h")],
            "images": stock,
        }
    )

    report = cloud.clean(**config(OLD))

    assert cloud.left() == set("ab")
    assert {row["image_id"]: row["reason"] for row in report["images"]}["u"] == "policy bare"
    assert_adds_up(report)


def test_a_keep_rule_protects_from_policies_too(cloud: Cloud, config: Any) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "v1", "x", "v2", "y")})

    report = cloud.clean(**config(OLD, KEEP_RELEASES))

    assert cloud.left() == {"new", "v1", "v2"}
    kept = {row["image_id"]: row for row in report["images"] if row["outcome"] == "protected"}
    assert set(kept) == {"v1", "v2"}
    assert kept["v1"]["guard"] == "keep-rule"
    assert kept["v1"]["kept_by"] == "rule releases"
    assert "active-policy-takes-keep-rule" in {row["code"] for row in report["warnings"]}
    assert_adds_up(report)


def test_guards_hold_what_rules_take(cloud: Cloud, config: Any) -> None:
    cloud.seed(
        {
            "name": "app",
            "images": [
                {"id": "arm", "tags": [], "age": "9d"},
                {"id": "amd", "tags": [], "age": "9d"},
                {"id": "index", "tags": ["latest"], "index": ["arm", "amd"], "age": "1d"},
                {"id": "running", "tags": ["x"], "age": "9d"},
                {"id": "loose", "tags": [], "age": "9d"},
            ],
        },
        containers=[
            {
                "id": "bba1",
                "folder_id": "b1gfolder",
                "name": "web",
                "status": "ACTIVE",
                "revisions": [{"id": "rev1", "status": "ACTIVE", "image": "cr.yandex/crp1/app:x"}],
            }
        ],
    )

    report = cloud.clean(**config(OLD + "\nuntagged = true"))

    assert cloud.left() == {"arm", "amd", "index", "running"}
    assert {row["guard"] for row in report["images"]} == {"index-child", "in-use", None}
    assert_adds_up(report)


def test_an_absurd_creation_time_is_said_and_never_taken(cloud: Cloud, config: Any) -> None:
    stock = [*images(*"abcd"), {"id": "epoch", "tags": ["e"], "created_at": "1970-01-01T00:00:00Z"}]
    cloud.seed({"name": "app", "images": stock})

    report = cloud.clean(**config(OLD))

    assert cloud.left() == {"a", "b", "epoch"}
    assert_complains(report, "ok", "creation time", "1970", "app")


def test_a_push_looks_at_the_rules_of_its_repository_alone(cloud: Cloud, config: Any) -> None:
    cloud.seed({"name": "app", "images": images(*"abcd")}, {"name": "other", "images": images(*"efgh")})

    cloud.clean(push("crp1/app"), **config(OLD))

    assert cloud.left() == set("ab") | set("efgh")


def test_limits_hold_for_rules(cloud: Cloud, config: Any) -> None:
    cloud.seed(
        {"name": "app", "images": images(*"abcdefghijkl")},
        {"name": "small", "images": images("m", "n", "o", "p")},
    )

    shared_out = cloud.clean(
        **config('name = "all"\ntags = ".*"\nolder_than = "24h"', more="limits.max_share = 0.5\n")
    )

    assert cloud.left() == set("abcdefghijkl")
    assert_complains(shared_out, "held-back", "app", "MAX_SHARE")
    assert_adds_up(shared_out)


def test_a_dry_run_warns_of_rules_that_match_nothing(cloud: Cloud, config: Any) -> None:
    cloud.seed({"name": "app", "images": images(*"ab")})
    rules = (
        'name = "nowhere"\nrepositories = ["tema-a/**"]\nuntagged = true\nkeep_newest = 1',
        'name = "nothing"\ntags = "faeture-.*"\nolder_than = "1d"',
        OLD,
    )

    dry_run = cloud.dry_run(**config(*rules))

    assert {row["code"]: row["message"].split('"')[1] for row in dry_run["warnings"]} == {
        "rule-matches-no-repository": "nowhere",
        "rule-matches-no-image": "nothing",
    }
    assert cloud.clean(**config(*rules))["warnings"] == []


def test_a_pattern_that_takes_too_long_deletes_nothing_and_names_its_rule(cloud: Cloud, config: Any) -> None:
    slow_tag = "a" * 60 + "bc"
    cloud.seed(
        {"name": "app", "images": images("a", "b", "c", "d")},
        {"name": "slow", "images": images("e", tag=slow_tag)},
    )

    report = cloud.clean(**config('name = "slow"\ntags = "(a|aa)+b|[a-z]"\nolder_than = "1d"'))

    assert cloud.left() == set("abcde")
    assert_complains(report, "failed", 'The rule "slow"')
    assert report["totals"]["deleted"] == 0


SLOW = "(a|aa)+b"
SLOW_KEYS = {
    "tags": (f'name = "slow"\ntags = "{SLOW}|[a-z]"\nolder_than = "1d"', "", ['The rule "slow"', "tags"]),
    "group_by": (
        f'name = "slow"\ntags = ".*"\nkeep_newest = 1\ngroup_by = "(?P<group>{SLOW})"',
        "",
        ['The rule "slow"', "group_by"],
    ),
    "keep_tags": (
        'name = "old"\ntags = ".*"\nolder_than = "1d"', f'guards.keep_tags = ["{SLOW}"]\n', ["guards.keep_tags"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "more", "named"), SLOW_KEYS.values(), ids=SLOW_KEYS)
def test_a_thousand_slow_tags_end_the_run_soon_and_delete_nothing(
    cloud: Cloud, config: Any, rule: str, more: str, named: list[str]
) -> None:
    slow = {"series": 1000, "tags": ["a" * 29 + "b{n}"], "newest": "5d", "step": "1h"}
    cloud.seed({"name": "app", "images": [slow]}, {"name": "small", "images": images(*"abcd")})
    began = time.monotonic()

    report = cloud.clean(**config(rule, more=more))

    assert time.monotonic() - began < 100
    assert len(cloud.left()) == 1004
    assert_complains(report, "failed", SLOW, "in this run", *named)
    assert report["totals"]["deleted"] == 0


def test_an_event_cannot_bring_rules(cloud: Cloud, config: Any) -> None:
    cloud.seed({"name": "app", "images": images(*"ab")})

    report = cloud.clean({"rules": []}, **config(OLD))

    assert_complains(report, "refused", "rules")


def test_the_answer_begins_with_what_needs_a_look(cloud: Cloud, config: Any) -> None:
    cloud.seed(
        {"name": "app", "images": [{"series": 1200, "tags": ["b-{n}"], "newest": "5d", "step": "1h"}]},
        {"name": "zoo", "images": images("kept")},
    )

    report = cloud.dry_run(
        **config('name = "all"\ntags = ".*"\nolder_than = "1d"', more='guards.keep_tags = ["kept"]\n'),
        MAX_SHARE="1",
    )

    assert report["images_truncated"] is True
    assert len(report["images"]) == 1000
    assert report["images"][0]["image_id"] == "kept"


def test_what_is_gone_meanwhile_makes_the_rest_stay(cloud: Cloud, config: Any) -> None:
    """Of five images, two stay; when a person deletes the two newest during the run, the next two stay."""
    cloud.seed({"name": "app", "images": images(*"abcde")})
    listed = "GET /container-registry/v1/images"
    cloud.emulator.behaviour(
        changes=[{"after": listed, "do": {"delete_image": {"image_id": image_id}}} for image_id in "ab"]
    )

    report = cloud.clean(**config('name = "two"\ntags = ".*"\nkeep_newest = 2'), GUARDS_IN_USE="none")

    assert cloud.left() == {"c", "d"}
    assert outcomes(report) == {"c": "remaining", "d": "remaining", "e": "deleted"}
    assert "no-longer-taken" in {row["code"] for row in report["warnings"]}
