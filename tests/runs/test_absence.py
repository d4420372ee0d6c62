"""An answer that lacks something is a doubt and no proof: whatever depends on it stays."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Cloud, assert_adds_up, outcomes, policy

LISTING = "GET /container-registry/v1/images"
UNTAGGED: dict[str, Any] = {"untagged": True, "expire_period": "24h"}
DENIED = {"status": 403, "code": 7, "message": "no"}


def app(*contents: dict[str, Any]) -> dict[str, Any]:
    return {"name": "app", "policies": [policy("app", **UNTAGGED)], "images": list(contents)}


def untagged(*names: str) -> list[dict[str, Any]]:
    return [{"id": name, "age": "9d"} for name in names]


def index(name: str, *held: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "age": "9d", "index": list(held), **more}


def test_an_index_whose_delete_was_refused_keeps_its_images_though_a_listing_lacks_them(cloud: Cloud) -> None:
    cloud.seed(app(index("multi", "amd", "arm"), *untagged("amd", "arm", "spare")))
    cloud.emulator.behaviour(
        faults=[
            {"match": "DELETE */images/multi", **DENIED},
            {"match": LISTING, "body": "{}", "status": 200, "skip": 2, "times": 1},
        ]
    )

    report = cloud.clean(MAX_SHARE="1")

    assert {"multi", "amd", "arm"} <= cloud.left()
    assert outcomes(report)["multi"] == "failed"
    assert "deleted" not in {outcomes(report)[name] for name in ("amd", "arm")}
    assert report["status"] == "partial"
    assert_adds_up(report)


def test_an_index_whose_operation_fails_later_keeps_its_images(cloud: Cloud) -> None:
    cloud.seed(app(index("multi", "amd"), *untagged("amd")))
    failure = {"code": 13, "message": "rolled back", "before_done": False}
    cloud.emulator.behaviour(
        operation_ms=700,
        faults=[
            {"match": "DELETE */images/multi", "operation_error": failure},
            {"match": LISTING, "body": "{}", "status": 200, "skip": 2, "times": 1},
        ],
    )

    report = cloud.clean(MAX_SHARE="1")

    assert cloud.left() == {"multi", "amd"}
    assert outcomes(report)["multi"] == "failed"
    assert_adds_up(report)


@pytest.mark.parametrize("skip", [0, 1], ids=["of the run", "before the deletions"])
@pytest.mark.parametrize("times", [1, 3])
def test_an_empty_listing_makes_nothing_gone(cloud: Cloud, skip: int, times: int) -> None:
    cloud.seed(app(index("multi", "amd", tags=["v1"]), *untagged("amd", "spare", "other")))
    cloud.emulator.behaviour(
        faults=[{"match": LISTING, "body": "{}", "status": 200, "skip": skip, "times": times}]
    )

    report = cloud.clean(MAX_SHARE="1")

    assert {"multi", "amd"} <= cloud.left()
    assert "already-gone" not in outcomes(report).values()
    assert_adds_up(report)


def test_an_index_that_every_listing_lacks_keeps_its_images(cloud: Cloud) -> None:
    """The registry's list of tags says that there is an image that the listings do not show."""
    cloud.seed(app(index("multi", "amd", tags=["v1"]), *untagged("amd", "spare")))
    cloud.emulator.behaviour(faults=[{"match": LISTING, "omit": ["multi"]}])

    report = cloud.clean(MAX_SHARE="1")

    assert cloud.left() == {"multi", "amd", "spare"}
    assert report["status"] == "held-back"
    assert any("v1" in row["message"] for row in report["warnings"])
    assert {row["kept_by"] for row in report["images"]} == {"guard-unavailable"}
    assert_adds_up(report)


def test_an_index_that_most_listings_lack_keeps_its_images(cloud: Cloud) -> None:
    """One of the lists has it, and lacks another image that all others have."""
    index = {"id": "multi", "tags": ["multi"], "age": "1d", "index": ["amd", "arm"]}
    other = {"id": "v9", "tags": ["v9"], "age": "1d"}
    children = [{"id": name, "age": "40d"} for name in ("amd", "arm")]
    rule = policy(untagged=True, expire_period="24h")
    cloud.seed({"name": "app", "policies": [rule], "images": [*children, index, other]})
    once = {"match": LISTING, "skip": 1, "times": 1, "omit": ["v9"]}
    cloud.emulator.behaviour(faults=[once, {"match": LISTING, "omit": ["multi"]}])

    report = cloud.clean(MAX_SHARE="1")

    assert cloud.left() == {"amd", "arm", "multi", "v9"}
    assert report["status"] == "held-back"
    assert_adds_up(report)


def test_an_image_that_the_delete_says_is_not_there_but_is_listed_has_failed(cloud: Cloud) -> None:
    cloud.seed(app(index("multi", "amd"), *untagged("amd")))
    cloud.emulator.behaviour(faults=[{"match": "DELETE */images/multi", "status": 404, "code": 5}])

    report = cloud.clean(MAX_SHARE="1")

    assert cloud.left() == {"multi", "amd"}
    assert outcomes(report) == {"multi": "failed", "amd": "protected"}


@pytest.mark.parametrize(
    "lie", [{"body": "{}", "status": 200}, {"omit": ["multi"]}], ids=["empty", "partial"]
)
@pytest.mark.parametrize("asked", [{"status": 404, "code": 5, "times": 1}, {}], ids=["404 too", "there"])
def test_an_image_that_the_delete_says_is_not_there_and_a_listing_lacks_has_failed(
    cloud: Cloud, lie: dict[str, Any], asked: dict[str, Any]
) -> None:
    """Whoever asks once more for the image, or for a listing, learns that it is there."""
    cloud.seed(app(index("multi", "amd"), *untagged("amd", "spare")))
    faults = [
        {"match": "DELETE */images/multi", "status": 404, "code": 5},
        {"match": LISTING, "skip": 2, "times": 1, **lie},
    ]
    cloud.emulator.behaviour(faults=faults + ([{"match": "GET */images/multi", **asked}] if asked else []))

    report = cloud.clean(MAX_SHARE="1")

    assert cloud.left() == {"multi", "amd"}
    assert outcomes(report) == {"multi": "failed", "amd": "protected", "spare": "deleted"}
    assert_adds_up(report)


@pytest.mark.parametrize("count", [3, 60], ids=["few", "many"])
def test_images_that_their_deletes_say_are_not_there_and_no_listing_has_are_gone(
    cloud: Cloud, count: int
) -> None:
    names = [f"i{number}" for number in range(count)]
    cloud.seed(app(*untagged(*names)))
    go = [{"after": "DELETE */images/i0", "do": {"delete_image": {"image_id": name}}} for name in names[1:]]
    cloud.emulator.behaviour(changes=go)

    report = cloud.clean(MAX_SHARE="1", CONCURRENCY="1")

    assert cloud.left() == set()
    assert set(outcomes(report).values()) == {"deleted", "already-gone"}
    asked = [call for call in cloud.emulator.calls() if call["path"].startswith(f"{LISTING[4:]}/i")]
    assert len([call for call in asked if call["method"] == "GET"]) == (count - 1 if count < 50 else 0)
    assert report["status"] == "ok"


def test_what_others_deleted_meanwhile_is_gone_once_it_is_confirmed(cloud: Cloud) -> None:
    cloud.seed(app(*untagged("a", "b", "c")))
    delete = {"delete_image": {"image_id": "b"}}
    cloud.emulator.behaviour(changes=[{"after": LISTING, "do": delete}])

    report = cloud.clean(MAX_SHARE="1")

    assert cloud.left() == set()
    assert outcomes(report) == {"a": "deleted", "b": "already-gone", "c": "deleted"}
    assert report["status"] == "ok"


@pytest.mark.parametrize("mode", ["dry-run", "apply"])
def test_an_image_without_a_digest_stops_its_repository(cloud: Cloud, mode: str) -> None:
    cloud.seed(app(*untagged("a", "b")))
    body = (
        '{"images": [{"id": "a", "name": "crp1/app"}, {"id": "b", "name": "crp1/app", "digest": "sha256:1"}]}'
    )
    cloud.emulator.behaviour(faults=[{"match": LISTING, "body": body, "status": 200}])

    report = cloud.call("cleanup", {}, CLEANUP_MODE=mode, MAX_SHARE="1").results[-1]

    assert cloud.left() == {"a", "b"}
    assert report["status"] == "held-back"
    assert any("a digest (a)" in row["message"] for row in report["warnings"])
