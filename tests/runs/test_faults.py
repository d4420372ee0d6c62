"""The cloud misbehaves.

Exactly the right images go all the same, or the report says which did not, and why.
"""

from __future__ import annotations

import contextlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.conftest import Cloud, assert_adds_up, assert_complains, images, outcomes, policy
from tests.emulator.client import service_account
from tests.support.cloud import push, timer
from tests.support.commands import slow_deletes
from tests.support.kinds import KINDS, Kind, outcomes_by_tag

API = "/container-registry/v1"
either = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def deletes(cloud: Cloud) -> list[dict[str, Any]]:
    return [call for call in cloud.emulator.calls() if call["method"] == "DELETE"]


def builds(count: int, kept: int = 1, name: str = "app") -> dict[str, Any]:
    return {
        "name": name,
        "policies": [policy(name, tag_regexp="b-.*", retained_top=kept)],
        "images": [{"series": count, "tags": ["b-{n}"]}],
    }


def tags_left(cloud: Cloud) -> set[str]:
    return {
        tag
        for repository in cloud.emulator.state()["registries"]["crp1"]["repositories"].values()
        for image in repository["images"]
        for tag in image["tags"]
    }


PASSING: dict[str, dict[str, Any]] = {
    "429": {"status": 429, "code": 8, "message": "Too many requests"},
    "500": {"status": 500, "code": 13},
    "503": {"status": 503, "code": 14},
    "504": {"status": 504, "code": 4},
    "a page of HTML with 502": {"html": 502},
    "a page of HTML with 200": {"html": 200},
    "no answer": {"cut": "before"},
    "no answer after the call took effect": {"cut": "after"},
    "half an answer": {"cut": "body"},
    "broken JSON": {"body": '{"images": ['},
    "JSON of another form": {"body": "[]"},
}


@either
@pytest.mark.parametrize("effect", PASSING.values(), ids=PASSING)
def test_a_fault_that_passes_at_every_kind_of_call_is_survived(
    cloud: Cloud, kind: Kind, effect: dict[str, Any]
) -> None:
    kind.seed(cloud, {"name": "app", "policies": [policy()], "images": images("new", "a", "b", "c", "d")})
    cloud.emulator.behaviour(faults=[{"match": call, "times": 1, **effect} for call in kind.calls])

    report = cloud.clean()

    assert kind.names_left(cloud) == {"new"}
    assert (report["status"], report["errors"]) == ("ok", [])
    assert outcomes_by_tag(report) == dict.fromkeys("abcd", "deleted")
    assert_adds_up(report)


def test_the_wait_that_the_cloud_asks_for_is_kept(cloud: Cloud) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})
    cloud.emulator.behaviour(
        faults=[{"match": "DELETE *", "status": 429, "code": 8, "retry_after": 2, "times": 1}]
    )

    report = cloud.clean()

    first, second = deletes(cloud)
    assert second["at"] - first["at"] >= 2
    assert (cloud.left(), report["status"]) == ({"new"}, "ok")


def test_a_rate_limit_is_kept_to_by_waiting(cloud: Cloud) -> None:
    cloud.seed(builds(120))
    cloud.emulator.behaviour(rate_limit={"per_second": 50, "retry_after": 1})

    report = cloud.clean(MAX_SHARE="1")

    assert tags_left(cloud) == {"b-1"}
    assert (report["status"], report["totals"]["deleted"]) == ("ok", 119)


@either
def test_one_call_in_five_that_fails_changes_nothing_of_the_result(cloud: Cloud, kind: Kind) -> None:
    kind.seed(cloud, builds(300, kept=20), builds(30, kept=10, name="web"))
    kinds: list[dict[str, Any]] = [
        {"status": 503, "code": 14},
        {"status": 429, "code": 8},
        {"cut": "before"},
        {"cut": "after"},
        {"html": 502},
    ]
    cloud.emulator.behaviour(
        faults=[{"match": f"* {kind.api}/*", "share": 0.2 / len(kinds), **fault} for fault in kinds]
    )

    report = cloud.clean(MAX_SHARE="1")

    deleted = [(row["repository"], *row["tags"]) for row in report["images"] if row["outcome"] == "deleted"]
    taken = {("app", f"b-{n}") for n in range(21, 301)} | {("web", f"b-{n}") for n in range(11, 31)}
    assert (len(deleted), set(deleted)) == (len(taken), taken)
    assert len(kind.names_left(cloud)) == 20 + 10
    assert report["status"] == "ok"
    assert report["totals"]["already_gone"] == 0
    assert_adds_up(report)


@pytest.mark.slow
@either
def test_a_delete_whose_answer_never_arrives_counts_as_deleted(cloud: Cloud, kind: Kind) -> None:
    kind.seed(cloud, {"name": "app", "policies": [policy()], "images": images("new", "old", "older")})
    cloud.emulator.behaviour(faults=[{"match": kind.delete("old"), "cut": "after"}])

    report = cloud.clean()

    assert kind.names_left(cloud) == {"new"}
    assert outcomes_by_tag(report) == {"old": "deleted", "older": "deleted"}
    assert report["status"] == "ok"
    assert_adds_up(report)


@pytest.mark.parametrize(
    ("http_status", "status"),
    [
        pytest.param(404, "failed", id="404 is final"),
        pytest.param(200, "unfinished", id="200 is tried again until the time is over"),
        pytest.param(502, "unfinished", id="502 is tried again until the time is over"),
    ],
)
def test_an_api_that_answers_html_gives_one_clear_error(cloud: Cloud, http_status: int, status: str) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})
    cloud.emulator.behaviour(faults=[{"match": f"* {API}/*", "html": http_status}])

    report = cloud.clean(timeout=5)

    assert cloud.left() == {"new", "old"}
    assert_complains(report, status, "container-registry", f"GET {API}/registries", "text/html")
    (error,) = report["errors"]
    assert "<" not in error["message"]
    assert len(error["message"]) < 500


@either
def test_an_image_that_may_not_be_deleted_is_told_and_the_others_go(cloud: Cloud, kind: Kind) -> None:
    kind.seed(cloud, {"name": "app", "policies": [policy()], "images": images("new", "a", "b", "c")})
    refusal = {"status": 403, "code": 7, "message": "Permission denied"}
    cloud.emulator.behaviour(faults=[{"match": kind.delete("b"), **refusal}])

    report = cloud.clean()

    assert kind.names_left(cloud) == {"new", "b"}
    assert outcomes_by_tag(report) == {"a": "deleted", "b": "failed", "c": "deleted"}
    assert_complains(report, "partial", "Permission denied", kind.pusher)
    (error,) = report["errors"]
    (failed,) = [row["image_id"] for row in report["images"] if row["outcome"] == "failed"]
    assert (error["code"], error["image_id"]) == (7, failed)
    assert error["where"].startswith(f"DELETE {kind.api}/")
    assert failed in error["where"]
    assert_adds_up(report)


@either
@pytest.mark.parametrize("operation_ms", [0, 300])
@pytest.mark.parametrize("before_done", [False, True])
def test_an_operation_that_fails_is_told_with_its_message(
    cloud: Cloud, kind: Kind, operation_ms: int, before_done: bool
) -> None:
    kind.seed(cloud, {"name": "app", "policies": [policy()], "images": images("new", "a", "b", "c")})
    error = {"code": 9, "message": "the image is locked", "before_done": before_done}
    cloud.emulator.behaviour(
        operation_ms=operation_ms, faults=[{"match": kind.delete("b"), "operation_error": error}]
    )

    report = cloud.clean()

    assert kind.names_left(cloud) == {"new", "b"}
    assert outcomes_by_tag(report) == {"a": "deleted", "b": "failed", "c": "deleted"}
    assert_complains(report, "partial", "the image is locked")
    assert [error["code"] for error in report["errors"]] == [9]
    assert_adds_up(report)


def test_a_dry_run_that_fails_leaves_its_repository_alone_and_the_others_are_cleaned(cloud: Cloud) -> None:
    cloud.seed(
        {"name": "app", "policies": [policy("app")], "images": images("a1", "a2")},
        {"name": "web", "policies": [policy("web")], "images": images("w1", "w2")},
    )
    error = {"code": 13, "message": "the dry run broke down"}
    cloud.emulator.behaviour(
        faults=[{"match": f"POST {API}/dryRunLifecyclePolicy/pol-app", "operation_error": error}]
    )

    report = cloud.clean()

    assert cloud.left() == {"a1", "a2", "w1"}
    assert_complains(report, "partial", "the dry run broke down")
    assert "pol-app" in report["errors"][0]["where"]
    assert_adds_up(report)


@either
def test_a_repository_that_cannot_be_listed_again_is_left_alone(cloud: Cloud, kind: Kind) -> None:
    kind.seed(cloud, {"name": "app", "policies": [policy()], "images": images("new", "old")})
    refusal = {"status": 403, "code": 7, "message": "Permission denied"}
    cloud.emulator.behaviour(faults=[{"match": kind.lists, "skip": kind.looks - 1, **refusal}])

    report = cloud.clean()

    assert kind.names_left(cloud) == {"new", "old"}
    assert deletes(cloud) == []
    assert_complains(report, "partial", kind.viewer)
    assert outcomes_by_tag(report) == {"old": "remaining"}
    assert_adds_up(report)


@either
def test_a_listing_that_fails_after_the_deletes_does_not_make_them_undone(cloud: Cloud, kind: Kind) -> None:
    kind.seed(cloud, {"name": "app", "policies": [policy()], "images": images("new", "a", "b")})
    refusal = {"status": 403, "code": 7, "message": "Permission denied"}
    cloud.emulator.behaviour(faults=[{"match": kind.lists, "skip": kind.looks, **refusal}])

    report = cloud.clean()

    assert kind.names_left(cloud) == {"new"}
    assert outcomes_by_tag(report) == {"a": "deleted", "b": "deleted"}
    assert_adds_up(report)


@pytest.mark.parametrize("registries", ["crpnone", "crp1,crpnone"])
def test_a_registry_that_does_not_exist_is_named_and_nothing_is_deleted(
    cloud: Cloud, registries: str
) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})

    report = cloud.clean(REGISTRY_IDS=registries, FOLDER_ID="")

    assert cloud.left() == {"new", "old"}
    assert_complains(report, "failed", "REGISTRY_IDS", "crpnone")


LOOKERS = [
    *("serverless-containers.viewer", "compute.viewer", "k8s.viewer", "k8s.cluster-api.viewer"),
    "container-registry.images.puller",
]


@pytest.mark.parametrize(
    ("roles", "status", "named"),
    [
        pytest.param([], "failed", "container-registry.viewer", id="no role"),
        pytest.param(
            ["container-registry.viewer", "container-registry.images.pusher"],
            "failed",
            "container-registry.editor",
            id="no dry runs",
        ),
        pytest.param(
            [*LOOKERS, "container-registry.editor"],
            "held-back",
            "container-registry.images.pusher",
            id="no deletes",
        ),
    ],
)
def test_a_role_that_is_missing_is_named(cloud: Cloud, roles: list[str], status: str, named: str) -> None:
    cloud.account, _ = service_account(roles=roles)
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})

    report = cloud.clean()

    assert cloud.left() == {"new", "old"}
    assert_complains(report, status, named)
    assert_adds_up(report)


def test_a_short_time_is_told_as_unfinished_and_what_went_is_really_gone(cloud: Cloud) -> None:
    cloud.seed(builds(200))
    slow_deletes(cloud, 150)
    before = cloud.left()

    started = time.monotonic()
    report = cloud.clean(timer(), timeout=9, CONCURRENCY="4", MAX_SHARE="1")
    took = time.monotonic() - started

    gone = before - cloud.left()
    assert took < 9.5
    assert report["status"] == "unfinished"
    assert report["totals"]["remaining"] > 0
    assert 0 < len(gone) < 199
    assert {image_id for image_id, outcome in outcomes(report).items() if outcome == "deleted"} <= gone
    assert_adds_up(report)


def test_no_time_at_all_deletes_nothing(cloud: Cloud) -> None:
    cloud.seed(builds(20, kept=15))
    before = cloud.left()

    report = cloud.clean(timeout=1)

    assert cloud.left() == before
    assert_complains(report, "unfinished", "time")
    assert_adds_up(report)


@either
@pytest.mark.parametrize(
    "effect",
    [{"hang": True}, {"operation_never_done": True}],
    ids=["a call that hangs", "an operation without end"],
)
def test_a_delete_without_an_end_does_not_outlast_the_invocation(
    cloud: Cloud, kind: Kind, effect: dict[str, Any]
) -> None:
    kind.seed(cloud, {"name": "app", "policies": [policy()], "images": images("new", "a", "b", "c")})
    cloud.emulator.behaviour(faults=[{"match": kind.delete("b"), **effect}])

    started = time.monotonic()
    report = cloud.clean(timeout=8)
    took = time.monotonic() - started

    assert took < 8.5
    assert kind.names_left(cloud) == {"new", "b"}
    assert report["status"] == "unfinished"
    assert outcomes_by_tag(report)["b"] == "remaining"
    assert_adds_up(report)


def test_calls_that_wait_for_their_turn_do_not_outlast_the_invocation_either(cloud: Cloud) -> None:
    cloud.seed(*(builds(9, kept=1, name=f"app{n}") for n in range(4)))
    before = cloud.left()
    cloud.emulator.behaviour(faults=[{"match": "DELETE *", "hang": True}])

    started = time.monotonic()
    report = cloud.clean(timeout=6, CONCURRENCY="2")
    took = time.monotonic() - started

    assert cloud.left() == before
    assert report["status"] == "unfinished"
    assert took < 6
    assert_adds_up(report)


class Dripping(BaseHTTPRequestHandler):
    """An API whose answer comes a byte every half a second, for a quarter of a minute."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(30):
                self.wfile.write(b" ")
                time.sleep(0.5)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


def test_an_answer_that_drips_in_does_not_outlast_the_invocation(cloud: Cloud) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Dripping) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        started = time.monotonic()

        report = cloud.clean(
            timeout=5, YC_API_ENDPOINT=f"http://127.0.0.1:{server.server_port}", IAM_TOKEN="t1.any"
        )

        took = time.monotonic() - started
        server.shutdown()
    assert took < 5.5
    assert report["status"] == "unfinished"


def test_no_more_requests_are_in_flight_than_concurrency_allows(cloud: Cloud) -> None:
    cloud.seed(*(builds(30, kept=5, name=f"app{n}") for n in range(6)))
    cloud.emulator.behaviour(latency_ms=10)

    report = cloud.clean(CONCURRENCY="5")

    assert report["totals"]["deleted"] == 150
    assert 3 <= cloud.emulator.peak_in_flight() <= 5


def test_a_registry_that_may_not_be_read_does_not_keep_the_others_from_being_cleaned(cloud: Cloud) -> None:
    cloud.seed(
        registries=[
            {
                "id": f"crp{n}",
                "repositories": [
                    {"name": "app", "policies": [policy(str(n))], "images": images(f"new{n}", f"old{n}")}
                ],
            }
            for n in (1, 2)
        ]
    )
    refusal = {"status": 403, "code": 7, "message": "Permission denied", "times": 1}
    cloud.emulator.behaviour(faults=[{"match": f"GET {API}/lifecyclePolicies", **refusal}])

    report = cloud.clean(CONCURRENCY="1")

    assert len(cloud.left()) == 3
    assert {"new1", "new2"} < cloud.left()
    assert_complains(report, "partial", "container-registry.viewer")
    assert_adds_up(report)


def test_a_token_that_cannot_be_renewed_amid_the_deletes_does_not_lose_what_was_deleted(cloud: Cloud) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", *"abcdef")})
    before = cloud.left()
    cloud.emulator.behaviour(
        faults=[
            {"match": "DELETE *", "skip": 3, "times": 1, "expire_tokens": True},
            {"match": "POST /iam/v1/tokens", "skip": 1, "status": 401, "code": 16, "message": "key deleted"},
        ]
    )

    report = cloud.clean(CONCURRENCY="1")

    gone = before - cloud.left()
    assert gone == set("abc")
    assert_complains(report, report["status"], "key deleted")
    assert report["status"] not in ("ok", "failed")
    assert {image_id for image_id, outcome in outcomes(report).items() if outcome == "deleted"} == gone
    assert report["totals"]["remaining"] + report["totals"]["failed"] == 3
    assert report["totals"]["reclaimed_bytes"] == 3 * 100 * 1024**2
    assert_adds_up(report)


def test_a_count_of_layers_that_fails_after_a_push_does_not_make_the_run_a_failure(cloud: Cloud) -> None:
    cloud.seed(
        {"name": "app", "policies": [policy()], "images": images("new", "old")},
        {"name": "web", "images": images("web1")},
    )
    listings_of_the_clean_up = 3
    refusal = {"status": 403, "code": 7, "message": "Permission denied"}
    cloud.emulator.behaviour(
        faults=[{"match": f"GET {API}/images", "skip": listings_of_the_clean_up, **refusal}]
    )

    report = cloud.clean(push("crp1/app"))

    assert cloud.left() == {"new", "web1"}
    assert outcomes(report) == {"old": "deleted"}
    assert_complains(report, "partial", "Permission denied")
    assert_adds_up(report)


def test_a_folder_that_does_not_exist_is_named(cloud: Cloud) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")}, folders=["b1gfolder"])

    report = cloud.clean(FOLDER_ID="b1gnone")

    assert cloud.left() == {"new", "old"}
    assert_complains(report, "failed", "b1gnone")


def test_a_wait_longer_than_the_invocation_is_not_begun(cloud: Cloud) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})
    cloud.emulator.behaviour(faults=[{"match": "DELETE *", "status": 429, "code": 8, "retry_after": 3600}])

    started = time.monotonic()
    report = cloud.clean(timeout=30)

    assert time.monotonic() - started < 10
    assert cloud.left() == {"new", "old"}
    assert report["status"] == "unfinished"
    assert outcomes(report) == {"old": "remaining"}
    assert_adds_up(report)
