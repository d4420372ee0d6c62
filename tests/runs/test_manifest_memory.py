"""What a run has learnt of manifests is read no more by the next one; a run that was out of time goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FOLDER, Cloud, assert_adds_up, assert_complains, images, outcomes, policy

KEPT = [f"kept{number}" for number in range(20)]
CHILDREN = ["amd", "arm"]


def index(name: str, *held: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "age": "9d", "index": list(held), **more}


def spare(*names: str) -> list[dict[str, Any]]:
    return [{"id": name, "age": "9d"} for name in names]


def seed(cloud: Cloud, **more: Any) -> None:
    """An index with its images, a signature, and others that stay; one image goes."""
    contents = [
        index("multi", *CHILDREN, tags=["v1"]),
        *spare(*CHILDREN, "gone"),
        {"id": "signature", "age": "9d", "subject": "multi"},
        *images(*KEPT),
    ]
    taking = policy("untagged", untagged=True, expire_period="24h")
    cloud.seed({"name": "app", "policies": [taking], "images": contents}, **more)


def push(cloud: Cloud, image: dict[str, Any]) -> None:
    cloud.emulator.change(add_image={"registry_id": "crp1", "repository": "app", "image": image})


def reads(cloud: Cloud) -> int:
    """How many manifests were asked for since the last time."""
    paths = [str(call["path"]) for call in cloud.emulator.calls()]
    cloud.emulator.clear_calls()
    return sum(path.startswith("/v2/") and "/manifests/" in path for path in paths)


def parts(state: Path) -> list[Path]:
    return sorted(path for path in state.glob("manifests/crp1/*") if path.is_file())


@pytest.fixture
def learnt(cloud: Cloud, tmp_path: Path) -> Cloud:
    """A cloud that a run has cleaned and whose manifests it remembers; then another image was pushed."""
    cloud.environment["STATE_DIR"] = str(tmp_path)
    seed(cloud)
    assert outcomes(cloud.clean())["gone"] == "deleted"
    assert reads(cloud) == len(KEPT) + 5
    push(cloud, {"id": "next", "age": "9d"})
    return cloud


def test_the_second_night_reads_what_is_new_alone(learnt: Cloud) -> None:
    report = learnt.clean()

    assert learnt.left() == {"multi", "amd", "arm", "signature", *KEPT}
    guards = {row["image_id"]: row["guard"] for row in report["images"] if row["guard"]}
    assert guards == {"amd": "index-child", "arm": "index-child", "signature": "referrer"}
    assert outcomes(report)["next"] == "deleted"
    assert (report["status"], reads(learnt)) == ("ok", 1)
    assert_adds_up(report)


def test_a_bucket_keeps_what_was_learnt_by_few_calls(cloud: Cloud) -> None:
    bucket = {"STATE_BUCKET": "state/janitor", "YC_STORAGE_ENDPOINT": f"{cloud.emulator.url}/s3"}
    seed(cloud, buckets=[{"name": "state", "folder_id": FOLDER}])
    assert (cloud.clean(**bucket)["status"], reads(cloud)) == ("ok", len(KEPT) + 5)
    push(cloud, {"id": "next", "age": "9d"})

    report = cloud.clean(**bucket)

    asked = [call["method"] for call in cloud.emulator.calls() if "/janitor/manifests/" in call["path"]]
    assert (outcomes(report)["next"], report["status"], asked) == ("deleted", "ok", ["GET", "PUT"])
    assert reads(cloud) == 1


def test_a_dry_run_learns_for_the_clean_up(cloud: Cloud, tmp_path: Path) -> None:
    seed(cloud)
    cloud.dry_run(STATE_DIR=str(tmp_path))
    reads(cloud)

    report = cloud.clean(STATE_DIR=str(tmp_path))

    assert (report["status"], report["totals"]["deleted"], reads(cloud)) == ("ok", 1, 0)


def test_a_new_index_keeps_children_that_are_remembered_as_images(learnt: Cloud) -> None:
    learnt.emulator.change(delete_image={"image_id": "multi"})
    push(learnt, index("again", "arm", tags=["v2"]))

    report = learnt.clean()

    assert learnt.left() == {"again", "arm", *KEPT}
    assert (outcomes(report)["arm"], outcomes(report)["amd"]) == ("protected", "deleted")
    assert reads(learnt) == 2


def test_children_go_once_the_index_that_is_remembered_has_gone(learnt: Cloud) -> None:
    learnt.emulator.change(delete_image={"image_id": "multi"})

    report = learnt.clean()

    assert learnt.left() == set(KEPT)
    assert (report["status"], reads(learnt)) == ("ok", 1)


def test_that_a_remembered_manifest_exists_is_asked_anew(learnt: Cloud) -> None:
    learnt.emulator.change(delete_image={"image_id": "amd"})

    assert_complains(learnt.clean(), "ok", "has lost some of its images")


@pytest.mark.parametrize("damage", ["flipped", "halved", "empty", "of another version"])
def test_a_memory_that_is_damaged_is_forgotten_and_made_anew(
    learnt: Cloud, tmp_path: Path, damage: str
) -> None:
    (part,) = parts(tmp_path)
    whole = part.read_bytes()
    middle = len(whole) // 2
    line, _, rest = whole.partition(b"\n")
    damaged = {
        "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "halved": whole[:middle],
        "empty": b"",
        "of another version": line + b"0\n" + rest,
    }
    part.write_bytes(damaged[damage])

    report = learnt.clean()

    assert learnt.left() == {"multi", "amd", "arm", "signature", *KEPT}
    assert (report["status"], reads(learnt)) == ("ok", len(KEPT) + 5)
    push(learnt, {"id": "last", "age": "9d"})
    assert (outcomes(learnt.clean())["last"], reads(learnt)) == ("deleted", 1)


def test_a_memory_that_cannot_be_written_is_a_line_of_the_log_and_no_failure(
    cloud: Cloud, tmp_path: Path
) -> None:
    (tmp_path / "manifests").write_text("in the way")
    seed(cloud)
    invocation = cloud.call("cleanup", CLEANUP_MODE="apply", STATE_DIR=str(tmp_path))
    report = invocation.results[-1]

    assert cloud.left() == {"multi", "amd", "arm", "signature", *KEPT}
    assert (report["status"], report["errors"]) == ("ok", [])
    assert '"WARN", "message": "What the manifests say is not remembered' in invocation.log


def test_what_was_read_before_the_registry_failed_is_read_no_more(cloud: Cloud, tmp_path: Path) -> None:
    seed(cloud)
    refusal = {"match": "GET /v2/crp1/app/manifests/*", "skip": 15, "status": 403}
    cloud.emulator.behaviour(faults=[refusal])
    report = cloud.clean(STATE_DIR=str(tmp_path), CONCURRENCY="1")
    assert (report["status"], report["totals"]["deleted"]) == ("held-back", 0)
    cloud.emulator.behaviour()
    reads(cloud)

    report = cloud.clean(STATE_DIR=str(tmp_path))

    assert (report["status"], report["totals"]["deleted"]) == ("ok", 1)
    assert reads(cloud) == len(KEPT) + 5 - 15


def test_a_repository_that_is_gone_is_forgotten(learnt: Cloud, tmp_path: Path) -> None:
    taking = policy("other", untagged=True, expire_period="24h")
    learnt.seed({"name": "other", "policies": [taking], "images": [*images(*KEPT), *spare("old")]})
    (before,) = parts(tmp_path)

    learnt.clean()

    assert before not in parts(tmp_path)
    assert len(parts(tmp_path)) == 1


# --- out of time ---


def slow_manifests(cloud: Cloud, repository: str, milliseconds: int, skip: int = 0) -> None:
    fault = {"match": f"GET /v2/crp1/{repository}/manifests/*", "delay_ms": milliseconds, "skip": skip}
    cloud.emulator.behaviour(faults=[fault])


def test_a_run_out_of_time_keeps_what_it_read_and_the_next_goes_on_and_ends(
    cloud: Cloud, tmp_path: Path
) -> None:
    seed(cloud)
    settings = {"STATE_DIR": str(tmp_path), "CONCURRENCY": "1"}
    slow_manifests(cloud, "app", 150)

    first = cloud.clean(timeout=6, **settings)
    read = reads(cloud)
    cloud.emulator.behaviour()
    second = cloud.clean(**settings)

    assert_complains(first, "unfinished", f"{read} of the {len(KEPT) + 5} manifests of crp1/app are known")
    assert_adds_up(first)
    assert 0 < read < len(KEPT) + 5
    assert (second["status"], second["totals"]["deleted"], reads(cloud)) == ("ok", 1, len(KEPT) + 5 - read)


@pytest.mark.slow
def test_a_repository_that_needs_more_time_waits_and_the_others_are_cleaned(
    cloud: Cloud, tmp_path: Path
) -> None:
    taking = policy("big", tag_regexp="b-.*", retained_top=2990)
    big = {"name": "big", "policies": [taking], "images": [{"series": 3000, "tags": ["b-{n}"]}]}
    small = {"name": "small", "policies": [policy("small")], "images": images("new", "old")}
    cloud.seed(big, small)
    slow_manifests(cloud, "big", 50, skip=1100)
    settings = {"STATE_DIR": str(tmp_path), "CONCURRENCY": "4"}

    first = cloud.clean(timeout=20, **settings)
    read = reads(cloud)
    left = cloud.left("small")
    cloud.emulator.behaviour()
    second = cloud.clean(**settings)

    assert_complains(first, "unfinished", "of the 3000 manifests of crp1/big are known", "goes on")
    assert (first["totals"]["deleted"], first["totals"]["remaining"], left) == (1, 10, {"new"})
    assert_adds_up(first)
    assert (second["status"], len(cloud.left("big"))) == ("ok", 2990)
    assert 1100 < read < 3002
    assert read + reads(cloud) == 3002
