"""The scheduled job from end to end: which images are gone, and what the report says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import FOLDER, Cloud, assert_adds_up, assert_complains, images, outcomes, policy
from tests.support.cloud import push, timer

GIB = 2**30


def registry(registry_id: str, *repositories: dict[str, Any], folder_id: str = FOLDER) -> dict[str, Any]:
    return {
        "id": registry_id,
        "folder_id": folder_id,
        "name": registry_id,
        "repositories": list(repositories),
    }


def layers(**sizes: int) -> list[dict[str, Any]]:
    """Seed layers by a letter, which is all of their digest."""
    return [{"digest": f"sha256:{letter * 64}", "size": size} for letter, size in sizes.items()]


def tags_left(cloud: Cloud, repository: str) -> set[str]:
    contents = cloud.emulator.state()["registries"]["crp1"]["repositories"][repository]
    return {tag for image in contents["images"] for tag in image["tags"]}


def test_apply_deletes_exactly_what_the_active_policy_takes(cloud: Cloud) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old", "older")})

    report = cloud.clean(timer())

    assert cloud.left() == {"new"}
    assert report["status"] == "ok"
    assert outcomes(report) == {"old": "deleted", "older": "deleted"}


def test_the_report_has_the_keys_that_the_contract_lists(cloud: Cloud) -> None:
    cloud.seed({"name": "team-a/app", "policies": [policy()], "images": images("new", "old")})

    report = cloud.clean()

    assert set(report) >= {
        *("run_id", "plan_id", "mode", "status", "started_at", "finished_at", "totals"),
        *("policies", "images", "images_truncated", "warnings", "errors"),
    }
    assert set(report["totals"]) == {
        *("images", "candidates", "protected", "deleted", "already_gone", "failed", "remaining"),
        *("candidate_bytes", "reclaimed_bytes"),
    }
    assert [next(iter(report[rows][0])) for rows in ("policies", "images")] == ["service", "service"]
    assert {row["service"] for row in report["images"]} == {"container-registry"}
    dry_run_result_id = report["policies"][0].pop("dry_run_result_id")
    assert dry_run_result_id
    assert report["policies"] == [
        {
            "service": "container-registry",
            "policy_id": "pol-old",
            "policy_name": "old",
            "registry_id": "crp1",
            "repository": "team-a/app",
            "status": "ACTIVE",
            "applied": True,
            "candidates": 1,
        }
    ]
    row = report["images"][0]
    assert row["created_at"].endswith("Z")
    assert row["digest"].startswith("sha256:")
    assert (row["image_id"], row["registry_id"], row["repository"]) == ("old", "crp1", "team-a/app")
    assert (row["tags"], row["size_bytes"], row["guard"]) == (["old"], 100 * 1024**2, None)
    assert (row["outcome"], row["reason"]) == ("deleted", "policy old")
    assert set(row) >= {
        *("image_id", "registry_id", "repository", "digest", "tags", "created_at"),
        *("size_bytes", "outcome", "reason", "guard"),
    }


@pytest.mark.parametrize(
    ("entry_point", "mode"), [("dry_run", "apply"), ("dry_run", ""), ("cleanup", ""), ("cleanup", "dry-run")]
)
def test_nothing_is_deleted_by_a_dry_run_and_in_the_default_mode(
    cloud: Cloud, entry_point: str, mode: str
) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old", "older")})

    report = cloud.call(entry_point, timer(), CLEANUP_MODE=mode).results[0]

    assert cloud.left() == {"new", "old", "older"}
    assert not any(call["method"] == "DELETE" for call in cloud.emulator.calls())
    assert (report["mode"], report["status"]) == ("dry-run", "ok")
    assert outcomes(report) == {"old": "would-delete", "older": "would-delete"}
    assert report["totals"]["images"] == 3
    assert_adds_up(report)


def test_every_registry_of_the_folder_is_cleaned_and_no_other(cloud: Cloud) -> None:
    cloud.seed(
        registries=[
            registry("crp1", {"name": "app", "policies": [policy("one")], "images": images("new1", "old1")}),
            registry("crp2", {"name": "app", "policies": [policy("two")], "images": images("new2", "old2")}),
            registry(
                "crp3",
                {"name": "app", "policies": [policy("three")], "images": images("new3", "old3")},
                folder_id="b1gother",
            ),
        ]
    )

    report = cloud.clean()

    assert cloud.left() == {"new1", "new2", "new3", "old3"}
    assert {row["registry_id"] for row in report["images"]} == {"crp1", "crp2"}
    assert report["totals"]["images"] == 4
    assert_adds_up(report)


@pytest.mark.parametrize("folder_id", ["", FOLDER])
def test_registries_that_are_named_are_cleaned_alone(cloud: Cloud, folder_id: str) -> None:
    cloud.seed(
        registries=[
            registry(
                f"crp{n}",
                {"name": "app", "policies": [policy(str(n))], "images": images(f"new{n}", f"old{n}")},
            )
            for n in (1, 2, 3)
        ]
    )

    report = cloud.clean(FOLDER_ID=folder_id, REGISTRY_IDS="crp3, crp1,crp3")

    assert cloud.left() == {"new1", "new2", "old2", "new3"}
    assert report["totals"]["deleted"] == 2
    assert_adds_up(report)


def test_thousands_of_images_over_several_pages_leave_exactly_the_ones_to_keep(cloud: Cloud) -> None:
    cloud.seed(
        {
            "name": "app",
            "policies": [policy(tag_regexp="build-.*", retained_top=400)],
            "images": [
                {"series": 2500, "tags": ["build-{n}"], "size": "5MB"},
                {"series": 7, "tags": ["v{n}", "build-v{n}"], "newest": "400d"},
                {"series": 3, "newest": "400d"},
            ],
        }
    )

    foreseen = cloud.dry_run()
    report = cloud.clean()

    kept = {f"build-{n}" for n in range(1, 401)} | {
        f"{kind}{n}" for n in range(1, 8) for kind in ("v", "build-v")
    }
    assert tags_left(cloud, "app") == kept
    assert len(cloud.left()) == 400 + 7 + 3
    assert report["totals"]["images"] == 2510
    assert report["totals"]["deleted"] == report["totals"]["candidates"] == 2100
    assert foreseen["totals"]["candidates"] == 2100
    for told in (foreseen, report):
        assert len(told["images"]) == 1000
        assert told["images_truncated"] is True
        assert len({row["image_id"] for row in told["images"]}) == 1000
        assert_adds_up(told)
    assert len(json.dumps(report)) < 3_500_000


def test_a_disabled_policy_that_is_not_named_is_reported_and_never_applied(cloud: Cloud) -> None:
    cloud.seed(
        {
            "name": "app",
            "policies": [
                policy(tag_regexp="old.*", retained_top=1),
                policy("draft", "DISABLED", tag_regexp="pr.*", retained_top=1),
            ],
            "images": images("old1", "old2", "pr1", "pr2", "pr3"),
        }
    )

    report = cloud.clean()

    assert cloud.left() == {"old1", "pr1", "pr2", "pr3"}
    rows = {row["policy_name"]: row for row in report["policies"]}
    assert (rows["draft"]["status"], rows["draft"]["applied"], rows["draft"]["candidates"]) == (
        "DISABLED",
        False,
        2,
    )
    assert rows["old"]["applied"] is True
    assert report["totals"]["candidates"] == 1
    assert outcomes(report) == {"old2": "deleted"}
    assert_adds_up(report)


@pytest.mark.parametrize(
    ("apply", "left"),
    [
        pytest.param("pol-draft", {"old1", "old2", "pr1"}, id="by id, and then it alone"),
        pytest.param("draft", {"old1", "old2", "pr1"}, id="by name"),
        pytest.param("active, draft", {"old1", "pr1"}, id="beside the active ones"),
    ],
)
def test_a_disabled_policy_that_is_named_is_applied(cloud: Cloud, apply: str, left: set[str]) -> None:
    cloud.seed(
        {
            "name": "app",
            "policies": [
                policy(tag_regexp="old.*", retained_top=1),
                policy("draft", "DISABLED", tag_regexp="pr.*", retained_top=1),
            ],
            "images": images("old1", "old2", "pr1", "pr2"),
        }
    )

    report = cloud.clean(APPLY_POLICIES=apply)

    assert cloud.left() == left
    assert {row["policy_name"]: row["applied"] for row in report["policies"]} == {
        "draft": True,
        "old": "active" in apply,
    }
    assert_adds_up(report)


def test_a_disabled_policy_that_is_called_active_is_not_an_active_one(cloud: Cloud) -> None:
    cloud.seed({"name": "app", "policies": [policy("active", "DISABLED")], "images": images("new", "old")})

    report = cloud.clean()

    assert cloud.left() == {"new", "old"}
    assert report["policies"][0]["applied"] is False


def test_a_policy_name_that_no_policy_has_is_told_and_applies_nothing(cloud: Cloud) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})

    report = cloud.clean(APPLY_POLICIES="odl")

    assert cloud.left() == {"new", "old"}
    assert_complains(report, "ok", "APPLY_POLICIES", "odl")


def test_an_image_that_two_policies_take_goes_once_and_names_both(cloud: Cloud) -> None:
    cloud.seed(
        {
            "name": "app",
            "policies": [policy(), policy("draft", "DISABLED", tag_regexp="b.*", expire_period="48h")],
            "images": images("a1", "a2", "b3", "b4"),
        }
    )

    report = cloud.clean(APPLY_POLICIES="old,draft")

    assert cloud.left() == {"a1"}
    reasons = {row["image_id"]: row["reason"] for row in report["images"]}
    assert sorted(row["image_id"] for row in report["images"]) == ["a2", "b3", "b4"]
    assert "old" in reasons["b3"]
    assert "draft" in reasons["b3"]
    assert "draft" not in reasons["a2"]
    deletes = [call["path"] for call in cloud.emulator.calls() if call["method"] == "DELETE"]
    assert len(deletes) == len(set(deletes)) == 3
    assert_adds_up(report)


@pytest.mark.parametrize("mode", ["dry-run", "apply"])
def test_a_layer_is_counted_once_and_only_when_no_image_of_the_registry_keeps_it(
    cloud: Cloud, mode: str
) -> None:
    cloud.seed(
        registries=[
            registry(
                "crp1",
                {
                    "name": "app",
                    "policies": [policy()],
                    "images": [
                        {"id": "new", "tags": ["new"], "age": "1d", "layers": layers(a=100, b=10)},
                        {"id": "old1", "tags": ["old1"], "age": "2d", "layers": layers(a=100, c=20, d=50)},
                        {"id": "old2", "tags": ["old2"], "age": "3d", "layers": layers(d=50, e=5, f=70)},
                    ],
                },
                {"name": "other", "images": [{"id": "stays", "layers": layers(f=70)}]},
            ),
            registry("crp2", {"name": "app", "images": [{"id": "elsewhere", "layers": layers(c=20)}]}),
        ]
    )

    everything = cloud.clean(CLEANUP_MODE="dry-run")
    after_a_push = cloud.clean(push("crp1/app"), CLEANUP_MODE=mode)

    for report in (everything, after_a_push):
        assert report["totals"]["reclaimed_bytes"] == 20 + 50 + 5
        assert report["totals"]["candidate_bytes"] == 170 + 125
    assert ("old1" in cloud.left()) == (mode == "dry-run")


def test_layers_of_images_that_could_not_be_deleted_are_not_reclaimed(cloud: Cloud) -> None:
    cloud.seed(
        {
            "name": "app",
            "policies": [policy()],
            "images": [
                {"id": "new", "tags": ["new"], "age": "1d", "layers": layers(a=100)},
                {"id": "old1", "tags": ["old1"], "age": "2d", "layers": layers(c=20, d=50)},
                {"id": "old2", "tags": ["old2"], "age": "3d", "layers": layers(d=50, e=5)},
            ],
        }
    )
    cloud.emulator.behaviour(faults=[{"match": "DELETE */images/old2", "status": 403, "code": 7}])

    report = cloud.clean()

    assert cloud.left() == {"new", "old2"}
    assert report["totals"]["reclaimed_bytes"] == 20


def test_a_price_turns_the_bytes_into_money(cloud: Cloud) -> None:
    cloud.seed(
        {
            "name": "app",
            "policies": [policy()],
            "images": [
                {"id": "new", "tags": ["new"], "age": "1d"},
                {"id": "old", "tags": ["old"], "age": "2d", "layers": layers(a=2 * GIB)},
            ],
        }
    )

    report = cloud.dry_run(PRICE_PER_GB_MONTH="3.25", CURRENCY="KZT")

    assert report["price"] == {"currency": "KZT", "reclaimed_per_month": 6.5}
    assert cloud.left() == {"new", "old"}


def test_an_image_whose_tags_change_after_its_dry_run_stays(cloud: Cloud) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old", "older", "oldest")})
    dry_run_is_read = "GET /container-registry/v1/dryRunLifecyclePolicyResults/*"
    late = {"id": "late", "tags": ["late"], "age": "300d"}
    cloud.emulator.behaviour(
        changes=[
            {"after": dry_run_is_read, "do": {"add_tag": {"image_id": "old", "tag": "stable"}}},
            {"after": dry_run_is_read, "do": {"remove_tag": {"image_id": "older", "tag": "older"}}},
            {
                "after": dry_run_is_read,
                "do": {"add_image": {"registry_id": "crp1", "repository": "app", "image": late}},
            },
        ]
    )

    report = cloud.clean()

    assert cloud.left() == {"new", "old", "older", "late"}
    assert outcomes(report) == {"old": "remaining", "older": "remaining", "oldest": "deleted"}
    assert_adds_up(report)


def test_an_image_that_somebody_else_deletes_meanwhile_is_already_gone(cloud: Cloud) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "first", "second", "third")})
    cloud.emulator.behaviour(
        changes=[
            {
                "after": "GET /container-registry/v1/dryRunLifecyclePolicyResults/*",
                "do": {"delete_image": {"image_id": "first"}},
            },
            {"after": "DELETE */images/second", "do": {"delete_image": {"image_id": "third"}}},
        ]
    )

    report = cloud.clean(CONCURRENCY="1")

    assert cloud.left() == {"new"}
    assert report["status"] == "ok"
    assert outcomes(report) == {"first": "already-gone", "second": "deleted", "third": "already-gone"}
    assert_adds_up(report)


def test_operations_that_end_later_are_waited_for(cloud: Cloud) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": [{"series": 80, "tags": ["b-{n}"]}]})
    cloud.emulator.behaviour(operation_ms=1500)

    report = cloud.clean(MAX_SHARE="1")

    assert tags_left(cloud, "app") == {"b-1"}
    assert (report["status"], report["totals"]["deleted"]) == ("ok", 79)
    assert_adds_up(report)
    assert cloud.emulator.call_counts()["GET /operations/{operation_id}"] < 2 * 79


def test_a_repository_over_its_share_is_left_alone_and_the_others_are_cleaned(cloud: Cloud) -> None:
    def builds(name: str, count: int, kept: int) -> dict[str, Any]:
        return {
            "name": name,
            "policies": [policy(name, tag_regexp=".*", retained_top=kept)],
            "images": [{"series": count, "tags": ["b{n}"]}],
        }

    cloud.seed(builds("small", 9, 1), builds("over", 20, 1), builds("at-the-limit", 20, 2))

    foreseen = cloud.dry_run()
    report = cloud.clean()

    assert tags_left(cloud, "small") == {"b1"}
    assert len(cloud.left("over")) == 20
    assert tags_left(cloud, "at-the-limit") == {"b1", "b2"}
    assert_complains(report, "held-back", "MAX_SHARE", "crp1/over")
    assert_complains(foreseen, "held-back", "MAX_SHARE", "crp1/over")
    assert (report["totals"]["remaining"], report["totals"]["deleted"]) == (19, 8 + 18)
    assert {row["outcome"] for row in report["images"] if row["repository"] == "over"} == {"remaining"}
    assert_adds_up(report)
    assert_adds_up(foreseen)


def test_a_run_over_max_deletions_deletes_nothing_at_all(cloud: Cloud) -> None:
    cloud.seed(
        {"name": "a", "policies": [policy("a")], "images": images("a1", "a2", "a3")},
        {"name": "b", "policies": [policy("b")], "images": images("b1", "b2", "b3")},
    )

    refused = cloud.clean(MAX_DELETIONS="3")

    assert cloud.left() == {"a1", "a2", "a3", "b1", "b2", "b3"}
    assert not any(call["method"] == "DELETE" for call in cloud.emulator.calls())
    assert_complains(refused, "refused", "MAX_DELETIONS")
    assert refused["totals"]["remaining"] == 4
    assert_adds_up(refused)

    assert cloud.clean(MAX_DELETIONS="4")["status"] == "ok"
    assert cloud.left() == {"a1", "b1"}


@pytest.mark.parametrize(
    "registries",
    [
        pytest.param([], id="no registry"),
        pytest.param([registry("crp1")], id="an empty registry"),
        pytest.param([registry("crp1", {"name": "app"})], id="an empty repository"),
        pytest.param([registry("crp1", {"name": "app", "images": images("a", "b")})], id="no policy"),
        pytest.param(
            [registry("crp1", {"name": "app", "policies": [policy()]})], id="a policy and no images"
        ),
    ],
)
def test_where_there_is_nothing_to_do_the_run_is_ok(cloud: Cloud, registries: list[dict[str, Any]]) -> None:
    cloud.seed(registries=registries)
    before = cloud.left()

    report = cloud.clean(timer())

    assert cloud.left() == before
    assert (report["status"], report["totals"]["candidates"], report["errors"]) == ("ok", 0, [])


def test_more_than_a_thousand_repositories_are_all_found(cloud: Cloud) -> None:
    last = {"name": "zzz", "policies": [policy()], "images": images("new", "old")}
    cloud.seed(*({"name": f"app{n:04}"} for n in range(1005)), last)

    report = cloud.clean()

    assert cloud.left() == {"new"}
    assert outcomes(report) == {"old": "deleted"}
