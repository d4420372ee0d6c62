"""The forms in which an invocation arrives, what each asks for, and what an event may change of the
settings.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import FOLDER, Cloud, assert_adds_up, assert_complains, images, outcomes, policy
from tests.support.cloud import http, push, timer
from tests.support.event_forms import APPLY, encoded


def two_repositories(cloud: Cloud) -> None:
    cloud.seed(
        {"name": "app", "policies": [policy("app")], "images": images("app1", "app2")},
        {"name": "web", "policies": [policy("web")], "images": images("web1", "web2")},
    )


def test_a_timer_with_a_payload_narrows_the_run(cloud: Cloud) -> None:
    two_repositories(cloud)

    foreseen, report = cloud.call(
        "cleanup",
        timer('{"mode": "dry-run"}'),
        timer('{"lifecycle_policies": {"apply": ["web"]}}'),
        CLEANUP_MODE="apply",
    ).results

    assert cloud.left() == {"app1", "app2", "web1"}
    assert (foreseen["mode"], foreseen["totals"]["candidates"]) == ("dry-run", 2)
    assert outcomes(report) == {"web2": "deleted"}
    assert_adds_up(report)


def test_a_push_cleans_the_pushed_repository_alone(cloud: Cloud) -> None:
    two_repositories(cloud)

    report = cloud.clean(push("crp1/app"))

    assert cloud.left() == {"app1", "web1", "web2"}
    assert [row["repository"] for row in report["policies"]] == ["app"]
    assert report["totals"]["images"] == 2
    assert_adds_up(report)


def test_a_push_to_a_repository_that_is_gone_changes_nothing(cloud: Cloud) -> None:
    two_repositories(cloud)

    report = cloud.clean(push("crp1/gone"))

    assert cloud.left() == {"app1", "app2", "web1", "web2"}
    assert (report["status"], report["totals"]["candidates"]) == ("ok", 0)


def test_a_push_to_a_registry_that_the_settings_do_not_name_is_refused(cloud: Cloud) -> None:
    two_repositories(cloud)

    report = cloud.clean(push("crp1/app", "crp9/app"), REGISTRY_IDS="crp1")

    assert cloud.left() == {"app1", "app2", "web1", "web2"}
    assert_complains(report, "refused", "crp9")


def test_delete_events_are_answered_without_any_call(cloud: Cloud) -> None:
    two_repositories(cloud)

    reports = cloud.call(
        "cleanup",
        push("crp1/app", "crp1/web", event="DeleteImage"),
        push("crp1/app", event="DeleteImageTag"),
        CLEANUP_MODE="apply",
    ).results

    assert cloud.emulator.calls() == []
    assert cloud.left() == {"app1", "app2", "web1", "web2"}
    assert [report["status"] for report in reports] == ["ok", "ok"]


def test_an_http_call_is_answered_with_the_report_as_its_json_body(cloud: Cloud) -> None:
    two_repositories(cloud)
    web_alone = '{"lifecycle_policies": {"apply": ["web"]}}'

    answers = cloud.call(
        "cleanup",
        http('{"mode": "dry-run"}'),
        http(encoded(web_alone), base64_encoded=True),
        http(method="GET"),
        CLEANUP_MODE="apply",
    ).results

    assert cloud.left() == {"app1", "web1"}
    for answer in answers:
        assert set(answer) == {"statusCode", "headers", "body"}
        assert answer["statusCode"] == 200
        assert answer["headers"]["Content-Type"].startswith("application/json")
    foreseen, web, rest = (json.loads(answer["body"]) for answer in answers)
    assert (foreseen["mode"], foreseen["totals"]["candidates"]) == ("dry-run", 2)
    assert outcomes(web) == {"web2": "deleted"}
    assert outcomes(rest) == {"app2": "deleted"}


def test_http_calls_that_are_wrong_or_ask_for_too_much_are_told_so_by_their_status(cloud: Cloud) -> None:
    two_repositories(cloud)

    not_json, a_list, wrong_type, too_much = cloud.call(
        "cleanup",
        http("mode=apply"),
        http("[]"),
        http('{"limits": {"max_deletions": "many"}}'),
        http(APPLY),
    ).results

    assert cloud.emulator.calls() == []
    assert cloud.left() == {"app1", "app2", "web1", "web2"}
    assert [answer["statusCode"] for answer in (not_json, a_list, wrong_type)] == [400, 400, 400]
    assert too_much["statusCode"] == 403
    assert_complains(json.loads(not_json["body"]), "failed", "JSON")
    assert_complains(json.loads(a_list["body"]), "failed", "object")
    assert_complains(json.loads(wrong_type["body"]), "failed", "limits.max_deletions", "many")
    assert_complains(json.loads(too_much["body"]), "refused", "mode", "allow_overrides")


def test_bare_events_narrow_and_none_asks_for_everything(cloud: Cloud) -> None:
    two_repositories(cloud)

    web, rest = cloud.call(
        "cleanup", {"lifecycle_policies.apply": ["web"]}, None, CLEANUP_MODE="apply"
    ).results

    assert outcomes(web) == {"web2": "deleted"}
    assert outcomes(rest) == {"app2": "deleted"}
    assert cloud.left() == {"app1", "web1"}


def test_each_event_that_widens_is_refused_before_any_call(cloud: Cloud) -> None:
    two_repositories(cloud)
    asked = {
        "mode": {"mode": "apply"},
        "registries": {"registries": ["crp1", "crp9"]},
        "folder_id": {"folder_id": FOLDER},
        "lifecycle_policies.apply": {"lifecycle_policies": {"apply": ["app"]}},
        "limits.max_deletions": timer('{"limits": {"max_deletions": 6}}'),
        "limits.max_share": {"limits": {"max_share": 0.6}},
        "limits.concurrency": {"limits": {"concurrency": 5}},
        "allow_overrides": {"allow_overrides": ["mode"], "mode": "apply"},
        "dry_run": {"dry_run": False},
    }

    reports = cloud.call(
        "cleanup",
        *asked.values(),
        FOLDER_ID="",
        REGISTRY_IDS="crp1",
        APPLY_POLICIES="web",
        MAX_DELETIONS="5",
        MAX_SHARE="0.5",
        CONCURRENCY="4",
    ).results

    assert cloud.emulator.calls() == []
    assert cloud.left() == {"app1", "app2", "web1", "web2"}
    for key, report in zip(asked, reports, strict=True):
        assert_complains(report, "refused", key)


def test_registries_and_policies_that_the_settings_do_not_cover_are_refused(cloud: Cloud) -> None:
    draft = policy("draft", "DISABLED")
    cloud.seed(
        registries=[
            {
                "id": registry_id,
                "folder_id": folder_id,
                "repositories": [
                    {
                        "name": "app",
                        "policies": [active],
                        "images": images(f"{registry_id}n", f"{registry_id}o"),
                    }
                ],
            }
            for registry_id, folder_id, active in (
                ("crp1", FOLDER, draft),
                ("crp9", "b1gother", policy("nine")),
            )
        ]
    )
    before = cloud.left()

    elsewhere, not_allowed, nowhere = cloud.call(
        "cleanup",
        {"registries": ["crp9"]},
        {"lifecycle_policies": {"apply": ["active", "draft"]}},
        {"registries": ["crpnowhere"]},
        CLEANUP_MODE="apply",
    ).results

    assert cloud.left() == before
    assert not any(call["method"] == "DELETE" for call in cloud.emulator.calls())
    assert_complains(elsewhere, "refused", "crp9", FOLDER)
    assert_complains(not_allowed, "refused", "draft")
    assert_complains(nowhere, nowhere["status"], "crpnowhere")
    assert nowhere["status"] in ("refused", "failed")
    assert "REGISTRY_IDS" not in nowhere["errors"][0]["message"], "the event named it, not the setting"


def test_a_registry_of_the_folder_may_be_named_by_an_event(cloud: Cloud) -> None:
    cloud.seed(
        registries=[
            {
                "id": f"crp{n}",
                "folder_id": FOLDER,
                "repositories": [
                    {"name": "app", "policies": [policy(str(n))], "images": images(f"n{n}", f"o{n}")}
                ],
            }
            for n in (1, 2)
        ]
    )

    report = cloud.clean({"registries": ["crp2"]})

    assert cloud.left() == {"n1", "o1", "n2"}
    assert outcomes(report) == {"o2": "deleted"}


def test_allow_overrides_in_the_file_lets_an_event_apply(cloud: Cloud, tmp_path: Path) -> None:
    two_repositories(cloud)
    config = tmp_path / "janitor.toml"
    config.write_text('allow_overrides = ["mode", "limits.max_deletions"]\n[limits]\nmax_deletions = 1\n')

    refused, limited, applied = cloud.call(
        "cleanup",
        {"mode": "apply", "limits": {"max_share": 1.0}},
        {"mode": "apply"},
        {"mode": "apply", "limits": {"max_deletions": 2}},
        JANITOR_CONFIG=str(config),
    ).results

    assert_complains(refused, "refused", "limits.max_share")
    assert_complains(limited, "refused", "MAX_DELETIONS")
    assert limited["totals"]["deleted"] == 0
    assert (applied["status"], applied["totals"]["deleted"]) == ("ok", 2)
    assert cloud.left() == {"app1", "web1"}


def test_dry_run_deletes_nothing_even_if_an_event_may_set_the_mode(cloud: Cloud, tmp_path: Path) -> None:
    two_repositories(cloud)
    config = tmp_path / "janitor.toml"
    config.write_text('mode = "apply"\nallow_overrides = ["mode"]\n')

    report = cloud.dry_run({"mode": "apply"}, JANITOR_CONFIG=str(config))

    assert cloud.left() == {"app1", "app2", "web1", "web2"}
    assert (report["mode"], report["status"]) == ("dry-run", "ok")
