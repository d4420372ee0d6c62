"""``check``, ``schema``, ``convert``, ``explain``, ``dry-run --diff`` and ``--listing``: trusting the rules
before they run.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Cloud, images, policy
from tests.emulator.client import PROJECT_ROOT
from tests.support.command_line import run

OLD = '[[rules]]\nname = "old"\ntags = ".*"\nolder_than = "3d"\n'
KEEP = '[[rules]]\nname = "releases"\naction = "keep"\ntags = "v.*"\n'


@pytest.fixture
def stocked(cloud: Cloud) -> Cloud:
    cloud.seed({"name": "team-a/app", "policies": [policy()], "images": images("new", "b", "c", "d", "v1")})
    cloud.environment["LOG_LEVEL"] = "WARN"
    return cloud


def written(folder: Path, text: str, name: str = "janitor.toml") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_check_says_what_is_right_and_asks_nothing_of_the_cloud(stocked: Cloud, tmp_path: Path) -> None:
    ended = run(stocked, "check", written(tmp_path, OLD + KEEP), FOLDER_ID="", SA_KEY="")

    assert ended.returncode == 0
    assert "2 rules" in ended.stdout
    assert "FOLDER_ID or REGISTRY_IDS" in ended.stdout
    assert not stocked.emulator.calls()


def test_a_bad_file_is_refused_by_check_and_by_the_job_with_the_same_sentence(
    stocked: Cloud, tmp_path: Path
) -> None:
    config = written(tmp_path, OLD.replace("older_than", "oldr_than"))

    ended = run(stocked, "check", JANITOR_CONFIG=config)
    report = stocked.clean(JANITOR_CONFIG=config)

    assert ended.returncode == 2
    assert "oldr_than" in ended.stderr
    assert "did you mean older_than?" in ended.stderr
    assert report["errors"][0]["message"] == ended.stderr.strip()
    assert not stocked.emulator.calls()


@pytest.mark.parametrize(
    "text", [b"\xff\xfe[\x00", "[[rules]]\nname = 'é'".encode("latin-1"), b"\x00", b"rules = ["]
)
def test_a_file_in_another_encoding_is_refused(stocked: Cloud, tmp_path: Path, text: bytes) -> None:
    (tmp_path / "janitor.toml").write_bytes(text)

    ended = run(stocked, "check", str(tmp_path / "janitor.toml"))

    assert ended.returncode == 2
    assert "janitor.toml is not" in ended.stderr


def test_the_schema_that_is_in_the_project_is_the_settings_own(stocked: Cloud) -> None:
    ended = run(stocked, "schema")

    assert ended.stdout == (PROJECT_ROOT / "shared" / "janitor.schema.json").read_text()
    assert "keep_newest" in ended.stdout


def test_the_schema_of_the_report_that_is_in_the_project_is_the_reports_own(stocked: Cloud) -> None:
    ended = run(stocked, "schema", "--report")

    assert ended.stdout == (PROJECT_ROOT / "shared" / "report.schema.json").read_text()
    assert "reclaimed_bytes" in ended.stdout


def test_explain_tells_what_each_rule_says_of_an_image(stocked: Cloud, tmp_path: Path) -> None:
    config = written(tmp_path, KEEP + OLD + OLD.replace('"old"', '"drafts"').replace(".*", "draft-.*"))

    told = {
        tag: json.loads(run(stocked, "explain", f"team-a/app:{tag}", "--json", JANITOR_CONFIG=config).stdout)[
            0
        ]
        for tag in ("new", "d", "v1")
    }
    read = run(stocked, "explain", "team-a/app:v1", JANITOR_CONFIG=config).stdout

    says = {tag: [rule["says"] for rule in one["rules"]] for tag, one in told.items()}
    assert says == {
        "new": ["does-not-match", "leaves", "does-not-match"],
        "d": ["does-not-match", "takes", "does-not-match"],
        "v1": ["keeps", "takes", "does-not-match"],
    }
    assert [told[tag]["outcome"] for tag in told] == ["not-taken", "would-delete", "protected"]
    assert "rule releases keeps it" in read


def test_diff_tells_what_another_file_would_newly_take_and_keep(cloud: Cloud, tmp_path: Path) -> None:
    cloud.seed({"name": "app", "images": images("a", "b", "c", "v1", "e")})
    now = written(tmp_path, OLD)
    other = written(tmp_path, KEEP + OLD.replace("3d", "2d"), "other.toml")

    ended = run(cloud, "dry-run", "--diff", other, "--json", JANITOR_CONFIG=now, CLEANUP_MODE="apply")
    read = run(cloud, "dry-run", "--diff", other, JANITOR_CONFIG=now)

    difference = json.loads(ended.stdout)
    assert [row["image_id"] for row in difference["newly_taken"]] == ["b"]
    assert [row["image_id"] for row in difference["newly_kept"]] == ["v1"]
    assert "1 image newly taken, 1 newly kept" in read.stdout
    assert (ended.returncode, cloud.left()) == (0, {"a", "b", "c", "v1", "e"})


YC_IMAGE = {
    "name": "crp1/team-a/app", "digest": "sha256:" + "1" * 64, "compressed_size": "100",
    "config": {"id": "x", "digest": "sha256:" + "2" * 64, "size": "5"},
    "layers": [{"id": "y", "digest": "sha256:" + "3" * 64, "size": "95"}],
}  # fmt: skip


@pytest.mark.parametrize("form", ["yc", "api", "rows"])
def test_a_saved_listing_is_decided_without_any_cloud(cloud: Cloud, tmp_path: Path, form: str) -> None:
    stock = [
        {**YC_IMAGE, "id": "old", "tags": ["x"], "created_at": "2026-01-01T00:00:00Z"},
        {**YC_IMAGE, "id": "release", "tags": ["v1"], "created_at": "2026-01-01T00:00:00Z"},
        {**YC_IMAGE, "id": "untagged", "created_at": "2026-01-01T00:00:00.123456Z"},
    ]
    if form != "yc":
        camel = {"created_at": "createdAt", "compressed_size": "compressedSize"}
        stock = [{camel.get(key, key): value for key, value in row.items()} for row in stock]
    file = written(tmp_path, json.dumps({"images": stock} if form == "api" else stock), "images.json")

    ended = run(
        cloud, "dry-run", "--listing", file, "--json",
        JANITOR_CONFIG=written(tmp_path, OLD + KEEP), FOLDER_ID="", SA_KEY="", YC_API_ENDPOINT="http://127.0.0.1:9",
    )  # fmt: skip

    report = json.loads(ended.stdout)
    assert ended.returncode == 0
    assert [(row["image_id"], row["outcome"], row["reason"]) for row in report["images"]] == [
        ("old", "would-delete", "rule old")
    ]
    assert (report["totals"]["images"], report["totals"]["candidate_bytes"]) == (3, 100)
    assert "listing" in {row["code"] for row in report["warnings"]}


def test_two_files_are_compared_on_a_saved_listing(cloud: Cloud, tmp_path: Path) -> None:
    stock = [{**YC_IMAGE, "id": "a", "tags": ["v1"], "created_at": "2026-01-01T00:00:00Z"}]
    file = written(tmp_path, json.dumps(stock), "images.json")
    other = written(tmp_path, KEEP + OLD, "other.toml")

    ended = run(
        cloud, "dry-run", "--listing", file, "--diff", other, "--json",
        JANITOR_CONFIG=written(tmp_path, OLD), FOLDER_ID="", SA_KEY="",
    )  # fmt: skip

    assert [row["image_id"] for row in json.loads(ended.stdout)["newly_kept"]] == ["a"]


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '[{"id": 5}]', '[{"id": "a"}]', "[" * 100_000, '{"images": {}}']
)
def test_what_is_no_listing_is_refused_in_one_sentence(cloud: Cloud, tmp_path: Path, text: str) -> None:
    file = written(tmp_path, text, "images.json")

    ended = run(cloud, "dry-run", "--listing", file)

    assert ended.returncode == 2
    assert "images.json" in ended.stderr
    assert "yc container image list" in ended.stderr


def test_convert_writes_the_rules_of_a_native_policy(stocked: Cloud, tmp_path: Path) -> None:
    ended = run(stocked, "convert", "pol-old")

    assert ended.returncode == 0
    config = written(tmp_path, ended.stdout + "[lifecycle_policies]\napply = []\n")
    by_policy = stocked.dry_run()
    by_rules = stocked.dry_run(JANITOR_CONFIG=config)
    assert {row["image_id"] for row in by_policy["images"]} == {row["image_id"] for row in by_rules["images"]}
    assert by_rules["images"][0]["reason"] == "rule old"


def test_convert_says_which_rules_could_be_native(stocked: Cloud, tmp_path: Path) -> None:
    native = '[[rules]]\nname = "app"\nrepositories = ["/team-a/app"]\ntags = "b.*"\nolder_than = "2w"\nkeep_newest = 3\n'

    ended = run(
        stocked,
        "convert",
        JANITOR_CONFIG=written(tmp_path, native + KEEP.replace("action", 'repositories = ["x"]\naction')),
    )

    told = json.loads(ended.stdout)
    assert told["policies"] == [
        {
            "repository": "team-a/app",
            "policy": {
                "name": "registry-janitor",
                "status": "DISABLED",
                "rules": [
                    {
                        "description": "app",
                        "untagged": False,
                        "tagRegexp": "b.*",
                        "expirePeriod": "1209600s",
                        "retainedTop": "3",
                    }
                ],
            },
        }
    ]
    assert [one["rule"] for one in told["not_native"]] == ["releases"]
