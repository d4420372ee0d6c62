"""``python -m functions``: the manual way in. What it prints where, and its exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cloud, assert_adds_up, images, policy
from tests.emulator.client import PROJECT_ROOT
from tests.support.command_line import command, environment, run
from tests.support.measuring import measured


@pytest.fixture
def stocked(cloud: Cloud) -> Cloud:
    cloud.seed(
        {
            "name": "team-a/app",
            "policies": [policy("old-builds"), policy("drafts", "DISABLED")],
            "images": images("new", "old", "older"),
        }
    )
    cloud.environment["LOG_LEVEL"] = "INFO"
    return cloud


def test_a_dry_run_ends_with_0_and_shows_policies_and_images(stocked: Cloud) -> None:
    ended = run(stocked, "dry-run", CLEANUP_MODE="apply")

    assert ended.returncode == 0
    assert stocked.left() == {"new", "old", "older"}
    assert ended.stdout.startswith("Would delete 2 of 3 images in registry main (crp1), which would free ")
    for text in ("dry-run: ok", "team-a/app", "old-builds", "drafts", "DISABLED", "3 images, 2 candidates"):
        assert text in ended.stdout
    assert "would-delete" not in ended.stdout


def test_a_clean_up_ends_with_0_and_deletes_in_mode_apply_alone(stocked: Cloud) -> None:
    foreseen = run(stocked, "cleanup")
    assert (foreseen.returncode, stocked.left()) == (0, {"new", "old", "older"})

    ended = run(stocked, "cleanup", CLEANUP_MODE="apply")

    assert (ended.returncode, stocked.left()) == (0, {"new"})
    assert ended.stdout.startswith("Deleted 2 of 3 images in registry main (crp1), freed ")


def test_verbose_shows_every_image_newest_first(stocked: Cloud) -> None:
    shown = run(stocked, "dry-run", "--verbose").stdout

    assert shown.count("would-delete") == 2
    assert 0 < shown.find("team-a/app:old ") < shown.find("team-a/app:older")
    assert "policy old-builds: tags .*, all but the newest 1" in shown


def test_json_is_all_there_is_on_standard_output_with_every_row(cloud: Cloud) -> None:
    cloud.seed(
        {
            "name": "app",
            "policies": [policy(retained_top=100, tag_regexp=".*")],
            "images": [{"series": 1200, "tags": ["b-{n}"]}],
        }
    )

    ended = run(cloud, "dry-run", "--json", LOG_LEVEL="TRACE", MAX_SHARE="1")

    assert ended.returncode == 0
    report = json.loads(ended.stdout)
    assert len(report["images"]) == report["totals"]["candidates"] == 1100
    assert report["images_truncated"] is False
    assert_adds_up(report)
    assert all(json.loads(line)["message"] for line in ended.stderr.splitlines())


def test_something_that_failed_ends_with_1(stocked: Cloud) -> None:
    stocked.emulator.behaviour(
        faults=[{"match": "DELETE */images/old", "status": 403, "code": 7, "message": "Permission denied"}]
    )

    ended = run(stocked, "cleanup", CLEANUP_MODE="apply")

    assert (ended.returncode, stocked.left()) == (1, {"new", "old"})
    assert "Permission denied" in ended.stdout


def test_credentials_that_fail_end_with_1(stocked: Cloud) -> None:
    ended = run(stocked, "cleanup", "--json", CLEANUP_MODE="apply", IAM_TOKEN="t1.nobody")

    assert (ended.returncode, stocked.left()) == (1, {"new", "old", "older"})
    assert json.loads(ended.stdout)["status"] == "failed"


@pytest.mark.parametrize(
    ("arguments", "settings", "named"),
    [
        pytest.param([], {}, ["usage", "COMMAND"], id="no command"),
        pytest.param(["sweep"], {}, ["usage", "sweep", "dry-run"], id="a command that there isn't"),
        pytest.param(["cleanup", "--yes"], {}, ["usage", "--yes"], id="an option that there isn't"),
        pytest.param(["cleanup"], {"MAX_SHARE": "2"}, ["MAX_SHARE", "0 to 1"], id="a bad setting"),
        pytest.param(["cleanup"], {"FOLDER_ID": ""}, ["FOLDER_ID", "REGISTRY_IDS"], id="no setting"),
        pytest.param(["cleanup"], {"SA_KEY": "{"}, ["SA_KEY", "JSON"], id="a broken key"),
        pytest.param(
            ["cleanup"], {"JANITOR_CONFIG": "/nowhere.toml"}, ["/nowhere.toml"], id="a missing file"
        ),
        pytest.param(["cleanup"], {"REGISTRY_IDS": "crpnone"}, ["crpnone"], id="a registry that there isn't"),
    ],
)
def test_bad_usage_and_bad_settings_end_with_2(
    stocked: Cloud, arguments: list[str], settings: dict[str, str], named: list[str]
) -> None:
    ended = run(stocked, *arguments, **{"CLEANUP_MODE": "apply", **settings})

    assert ended.returncode == 2
    assert stocked.left() == {"new", "old", "older"}
    for text in named:
        assert text in ended.stdout + ended.stderr


def run_in(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A command that needs no cloud, in that folder."""
    ended = subprocess.run(
        command(*arguments),
        cwd=folder,
        env={**measured(), "PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT_ROOT), **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in ended.stdout + ended.stderr
    return ended


def named(mode: str) -> str:
    return f'folder_id = "b1gfolder"\nmode = "{mode}"\n'


def test_a_command_reads_the_file_that_lies_here_unless_another_is_named(tmp_path: Path) -> None:
    (tmp_path / "janitor.toml").write_bytes(b"\xef\xbb\xbf" + named("plan").encode())
    (tmp_path / "other.toml").write_text(named("apply"))

    def mode(*arguments: str, **settings: str) -> str:
        return str(json.loads(run_in(tmp_path, "check", "--json", *arguments, **settings).stdout)["mode"])

    assert mode() == "plan"
    assert mode(JANITOR_CONFIG="") == "plan"
    assert mode(JANITOR_CONFIG="other.toml") == "apply"
    assert mode("--config", "other.toml") == "apply"
    assert mode("other.toml") == "apply"
    assert mode("--config", "janitor.toml", JANITOR_CONFIG=str(tmp_path / "other.toml")) == "plan"


COMMANDS = [
    ["dry-run"], ["cleanup"], ["plan"], ["apply", "p"], ["report"], ["validate"], ["explain", "crp1"], ["check"],
    ["convert"], ["dry-run", "--listing", "none.json"], ["dry-run", "--diff", "good.toml"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_every_command_takes_a_file_and_refuses_a_bad_one(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "good.toml").write_text(named("plan"))
    (tmp_path / "bad.toml").write_text(named("delete"))

    bad = run_in(tmp_path, *arguments, "--config", "bad.toml", CLEANUP_MODE="dry-run")
    missing = run_in(tmp_path, *arguments, "--config", "nowhere.toml")

    assert (bad.returncode, missing.returncode) == (2, 2)
    assert "delete" in bad.stdout + bad.stderr
    assert str(tmp_path / "nowhere.toml") in (missing.stdout + missing.stderr).replace("\n", "")


def test_a_handler_reads_no_file_that_nobody_named(cloud: Cloud, tmp_path: Path) -> None:
    (cloud.bundle / "janitor.toml").write_text(named("apply"))
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})
    try:
        report = cloud.call("cleanup", CLEANUP_MODE="").results[0]
    finally:
        (cloud.bundle / "janitor.toml").unlink()

    assert report["mode"] == "dry-run"
    assert cloud.left() == {"new", "old"}


BAD_CHECKS = {
    "two files": (["check", "a.toml", "--config", "b.toml"], "", ["--config"]),
    "a key of the deployment": (["check"], '[deploy]\nshedule = "x"', ["deploy.shedule", "schedule?"]),
    "a schedule that is over": (["check"], '[deploy]\nschedule = "0 3 1 1 ? 2025"', ["never comes again"]),
    "a secret that is not given": (
        ["check"],
        '[deploy]\n[[notify]]\nkind = "slack"\nurl_env = "SLACK_URL"',
        ["deploy.secrets.SLACK_URL"],
    ),
    "a slow pattern to keep": (["check"], 'guards.keep_tags = ["(a|aa)+b"]', ["guards.keep_tags", "(a|aa)+b"]),
    "a slow pattern of a rule": (
        ["check"],
        f'[[rules]]\nname = "slow"\ntags = "{"(?:a|aa)" * 40}b"\nolder_than = "1d"',
        ['The rule "slow"', "its tags", "(?:a|aa)(?:a|aa)"],
    ),
    "a pattern that fills the memory": (
        ["check"],
        '[[rules]]\nname = "r"\ntags = "(?:(?:a{1000}){1000}){1000}"\nolder_than = "1d"',
        ["rules[1].tags", "counts"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "text", "named_ones"), BAD_CHECKS.values(), ids=BAD_CHECKS)
def test_check_finds(tmp_path: Path, arguments: list[str], text: str, named_ones: list[str]) -> None:
    (tmp_path / "janitor.toml").write_text(f'folder_id = "b1gfolder"\n{text}\n')

    ended = run_in(tmp_path, *arguments)

    assert (ended.returncode, ended.stdout) == (2, "")
    for one in named_ones:
        assert one in ended.stderr


def test_json_of_a_bad_setting_is_a_report_too(stocked: Cloud) -> None:
    ended = run(stocked, "dry-run", "--json", MAX_SHARE="2")

    assert ended.returncode == 2
    assert "MAX_SHARE" in json.loads(ended.stdout)["errors"][0]["message"]


def test_a_limit_ends_with_3(stocked: Cloud) -> None:
    ended = run(stocked, "cleanup", CLEANUP_MODE="apply", MAX_DELETIONS="1")

    assert (ended.returncode, stocked.left()) == (3, {"new", "old", "older"})
    assert "MAX_DELETIONS" in ended.stdout


def until(condition: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends_at, "it took too long"
        time.sleep(0.02)


def test_an_interrupt_ends_the_run_without_a_traceback(stocked: Cloud) -> None:
    stocked.emulator.behaviour(latency_ms=300)
    with subprocess.Popen(
        command("cleanup"),
        cwd=PROJECT_ROOT,
        env=environment(stocked, CLEANUP_MODE="apply"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until(lambda: len(stocked.emulator.calls()) >= 2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)

    assert process.returncode != 0
    assert stocked.left() == {"new", "old", "older"}
    assert "Traceback" not in out + err


def test_an_interrupt_amid_deletions_says_what_was_done_and_what_is_left(cloud: Cloud) -> None:
    cloud.seed(
        {
            "name": "app",
            "policies": [policy(tag_regexp=".*", retained_top=50)],
            "images": [{"series": 400, "tags": ["b-{n}"]}],
        }
    )
    cloud.emulator.behaviour(faults=[{"match": "DELETE *", "delay_ms": 100}])
    with subprocess.Popen(
        command("cleanup"),
        cwd=PROJECT_ROOT,
        env=environment(cloud, CLEANUP_MODE="apply", CONCURRENCY="2"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until(lambda: len(cloud.left()) < 395)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)

    gone = 400 - len(cloud.left())
    first, second, *_ = out.splitlines()
    assert first.startswith(f"Deleted {gone} of 400 images in registry main (crp1), freed ")
    assert first.endswith(f"; left {350 - gone}")
    assert second == "apply: unfinished (out of time, or interrupted: not all of it was done)"
    assert process.returncode == 4


def test_a_validation_is_no_dry_run(stocked: Cloud) -> None:
    shown = run(stocked, "validate").stdout

    assert shown == (
        "Every index has its images and every signature its image: 3 images in registry main (crp1).\n"
    )


def test_it_is_said_where_settings_were_looked_for(tmp_path: Path) -> None:
    for arguments in (["dry-run"], ["dry-run", "--json"], ["report"]):
        ended = run_in(tmp_path, *arguments)

        assert ended.returncode == 2
        assert f"there is no {tmp_path / 'janitor.toml'}" in ended.stderr.replace("\n", " ")
    (tmp_path / "janitor.toml").write_text("")
    assert "janitor.toml, and" not in run_in(tmp_path, "dry-run").stderr


def test_a_token_that_is_not_taken_is_said_to_be_renewed(stocked: Cloud) -> None:
    ended = run(stocked, "dry-run", IAM_TOKEN="t1.nobody")

    assert ended.returncode == 1
    assert ended.stdout.startswith("Nothing was looked at.\n")
    assert "yc iam create-token" in ended.stderr
    assert "t1.nobody" not in ended.stdout + ended.stderr


def test_names_from_strangers_are_printed_as_text(cloud: Cloud) -> None:
    hostile = [
        "[red]alarm[/red]",
        "[link=http://evil.example]here",
        "[/]",
        "wipe\x1b[2J\x1b]0;title\x07",
        "two\nlines",
    ]
    cloud.seed(
        {
            "name": "app",
            "policies": [policy(tag_regexp="(?s).*", retained_top=1)],
            "images": [
                {"id": f"img{n}", "tags": [tag], "age": f"{n}d"}
                for n, tag in enumerate(["newest", *hostile], 1)
            ],
        }
    )

    ended = run(cloud, "dry-run", "--verbose")

    assert ended.returncode == 0
    shown = ended.stdout
    for text in ("[red]alarm[/red]", "[link=http://evil.example]here", "[/]", "wipe"):
        assert text in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert not any(line.startswith("lines") for line in shown.splitlines())


def test_a_long_list_is_cut_and_says_how_to_see_all_of_it(cloud: Cloud) -> None:
    cloud.seed(
        {
            "name": "app",
            "policies": [policy(tag_regexp=".*", retained_top=50)],
            "images": [{"series": 200, "tags": ["b-{n}"]}],
        }
    )

    ended = run(cloud, "dry-run")

    assert "150 candidates" in ended.stdout
    assert "--verbose" in ended.stdout
    assert len(ended.stdout.splitlines()) < 40
