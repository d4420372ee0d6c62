"""A plan is shown first and carried out later: exactly its images go, and of those only what is as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.settings.overrides import MODES
from shared.state import plans
from shared.state.directory import StateDir
from shared.state.plans import REJECTED, Decision
from tests.conftest import FOLDER, Cloud, assert_adds_up, assert_complains, images, outcomes, policy
from tests.support.cloud import push, timer
from tests.support.command_line import run
from tests.support.commands import Commands, codes
from tests.support.plans import VALID

OLD = tuple(f"old{number}" for number in range(8))


@pytest.fixture
def commands(cloud: Cloud, tmp_path: Path) -> Commands:
    made = Commands(cloud, tmp_path)
    made.environment["CLEANUP_MODE"] = "plan"
    return made


def app(*old: str, **more: Any) -> dict[str, Any]:
    """A repository of which the policy takes all images but the newest."""
    return {"name": "app", "policies": [policy()], "images": images("new", *old), **more}


def planned(cloud: Cloud, state: Path, *events: Any, **settings: Any) -> dict[str, Any]:
    """The report of ``cleanup.handler`` in mode plan."""
    return cloud.clean(*events, **{"CLEANUP_MODE": "plan", "STATE_DIR": str(state), **settings})


def file_of(state: Path, plan_id: str) -> Path:
    return state / "plans" / f"{plan_id}.json"


def aged(state: Path, plan_id: str, age: timedelta) -> str:
    """The same plan, made that long ago; returns its id."""
    then = datetime.now(UTC) - age
    rest = file_of(state, plan_id).read_bytes()[len(plans.beginning(then)) :]
    old_id = plans.identify(then, [rest])
    file_of(state, old_id).write_bytes(plans.beginning(then) + rest)
    return old_id


def kept_by(report: dict[str, Any]) -> dict[str, str]:
    return {row["image_id"]: row["kept_by"] for row in report["images"] if row["kept_by"]}


def changes(report: dict[str, Any]) -> str:
    return " ".join(row["message"] for row in report["warnings"] if row["code"] == "plan-changed")


# --- making one ---


def test_a_run_in_mode_plan_keeps_what_it_would_delete_and_deletes_nothing(
    cloud: Cloud, tmp_path: Path
) -> None:
    cloud.seed(app(*OLD))

    report = planned(cloud, tmp_path, timer())

    assert (report["mode"], report["status"]) == ("plan", "ok")
    assert outcomes(report) == dict.fromkeys(OLD, "would-delete")
    assert_adds_up(report)
    assert len(cloud.left()) == 9
    kept = json.loads(file_of(tmp_path, report["plan_id"]).read_text())
    assert {row["image_id"] for row in kept["images"]} == set(OLD)
    assert kept["report"]["totals"] == report["totals"]
    assert not list((tmp_path / "plans").glob("*.decision"))


def test_a_person_at_a_terminal_is_told_how_to_carry_it_out(cloud: Cloud, commands: Commands) -> None:
    cloud.seed(app(*OLD))

    told = run(cloud, "plan", STATE_DIR=str(commands.state))

    (kept,) = (commands.state / "plans").iterdir()
    assert f"python -m functions apply {kept.stem}" in told.stdout


def test_the_same_plan_has_the_same_id_and_another_one_another(cloud: Cloud, tmp_path: Path) -> None:
    cloud.seed(app(*OLD))

    first, second = planned(cloud, tmp_path), planned(cloud, tmp_path)
    cloud.emulator.change(delete_image={"image_id": "old3"})
    third = planned(cloud, tmp_path)

    assert first["plan_id"] == second["plan_id"]
    assert third["plan_id"] != first["plan_id"]
    assert len(list((tmp_path / "plans").iterdir())) == 2


def test_a_plan_that_ran_out_or_was_decided_about_is_made_anew(cloud: Cloud, tmp_path: Path) -> None:
    cloud.seed(app(*OLD))
    state = StateDir(str(tmp_path))
    first = planned(cloud, tmp_path)["plan_id"]
    old = aged(tmp_path, first, timedelta(days=8))
    plans.decide(state, first, Decision(REJECTED))

    again = planned(cloud, tmp_path)["plan_id"]

    assert again not in (first, old)
    assert again[-32:] == first[-32:]


def test_there_is_no_plan_where_nothing_would_go(cloud: Cloud, tmp_path: Path) -> None:
    cloud.seed(app())

    report = planned(cloud, tmp_path)

    assert (report["plan_id"], report["status"]) == (None, "ok")
    assert not (tmp_path / "plans").exists()


def test_without_a_state_directory_there_is_no_plan(cloud: Cloud) -> None:
    cloud.seed(app(*OLD))
    cloud.emulator.clear_calls()

    report = cloud.clean(CLEANUP_MODE="plan")

    assert_complains(report, "refused", "STATE_DIR", "directory")
    assert not cloud.emulator.calls()


def test_a_plan_that_cannot_be_kept_refuses_the_run(cloud: Cloud, tmp_path: Path) -> None:
    cloud.seed(app(*OLD))
    (tmp_path / "plans").write_text("no folder")

    report = planned(cloud, tmp_path)

    assert report["plan_id"] is None
    assert_complains(report, "refused", "The plan could not be kept", "STATE_DIR")


def test_a_run_that_could_not_look_at_all_makes_no_plan(cloud: Cloud, tmp_path: Path) -> None:
    cloud.seed(app(*OLD))
    cloud.emulator.behaviour(latency_ms=400)

    report: dict[str, Any] = cloud.call(
        "cleanup", timeout=3.0, CLEANUP_MODE="plan", STATE_DIR=str(tmp_path)
    ).results[0]

    assert (report["status"], report["plan_id"]) == ("unfinished", None)


MODE_OVERRIDES = [
    (setting, asked, MODES.index(asked) <= MODES.index(setting)) for setting in MODES for asked in MODES
]


@pytest.mark.parametrize(("setting", "asked", "allowed"), MODE_OVERRIDES)
def test_an_event_may_take_the_mode_back_and_never_forth(
    cloud: Cloud, tmp_path: Path, setting: str, asked: str, allowed: bool
) -> None:
    cloud.seed(app(*OLD))

    report = cloud.clean({"mode": asked}, CLEANUP_MODE=setting, STATE_DIR=str(tmp_path))

    assert report["status"] == ("ok" if allowed else "refused")
    assert (report["mode"] == asked) is allowed
    assert bool(report["plan_id"]) is (allowed and asked == "plan")
    assert len(cloud.left()) == (1 if allowed and asked == "apply" else 9)


# --- carrying it out ---


def test_exactly_the_images_of_the_plan_go(cloud: Cloud, commands: Commands) -> None:
    cloud.seed(app(*OLD), {"name": "web", "policies": [policy("web")], "images": images("w-new", "w-old")})
    plan_id = commands.told("plan")["plan_id"]
    newest = {"id": "newest", "tags": ["newest"], "age": "0h"}
    cloud.emulator.change(add_image={"registry_id": "crp1", "repository": "app", "image": newest})

    report = commands.told("apply", plan_id)

    assert (report["plan_id"], report["mode"], report["status"]) == (plan_id, "apply", "ok")
    assert outcomes(report) == dict.fromkeys((*OLD, "w-old"), "deleted")
    assert_adds_up(report)
    assert cloud.left() == {"newest", "new", "w-new"}, "new is a candidate now, but the plan has it not"


def test_a_plan_of_which_half_has_changed_deletes_the_other_half_and_says_why(
    cloud: Cloud, commands: Commands
) -> None:
    other = {"name": "web", "policies": [policy("web")], "images": images("w-new", "w-old")}
    gone = {"name": "gone", "policies": [policy("gone")], "images": images("g-new", "g-old")}
    cloud.seed(app(*OLD), other, gone)
    plan_id = commands.told("plan")["plan_id"]
    stricter = policy("web", tag_regexp=".*", retained_top=1, expire_period="24h")
    runs = {"id": "bba1", "revisions": [{"id": "rev1", "image": "cr.yandex/crp1/app:old2"}]}
    cloud.seed(app(*OLD), other | {"policies": [stricter]}, containers=[runs])
    cloud.emulator.change(delete_image={"image_id": "old0"})
    for image_id in ("old3", "old4"):
        cloud.emulator.change(add_tag={"image_id": image_id, "tag": f"release-{image_id}"})

    report = commands.told("apply", plan_id)

    assert outcomes(report) == {
        **dict.fromkeys(("old0", "g-old"), "already-gone"),
        "old2": "protected",
        **dict.fromkeys(("old3", "old4", "w-old"), "remaining"),
        **dict.fromkeys(("old1", *OLD[5:]), "deleted"),
    }
    assert_adds_up(report)
    assert cloud.left() == {"new", "w-new", "w-old", *OLD[2:5]}
    assert kept_by(report)["old3"] == "it has gained a tag"
    assert kept_by(report)["w-old"] == "what takes it has been changed"
    for said in (
        "2 of the plan's images left out, as it was gone before: ",
        "1 of the plan's images left out, as the guard in-use keeps it now: ",
        "2 of the plan's images left out, as it has gained a tag: ",
        "1 of the plan's images left out, as what takes it has been changed: ",
        "release-old3",
    ):
        assert said in changes(report)


def test_what_is_no_candidate_any_more_stays(cloud: Cloud, commands: Commands) -> None:
    cloud.seed(app(*OLD))
    plan_id = commands.told("plan")["plan_id"]
    cloud.seed(app(*OLD, policies=[policy(status="DISABLED")]))

    report = commands.told("apply", plan_id)

    assert outcomes(report) == dict.fromkeys(OLD, "remaining")
    assert "8 of the plan's images left out, as what took it does so no longer" in changes(report)
    assert len(cloud.left()) == 9
    assert not plans.decision(StateDir(str(commands.state)), plan_id), "nothing was carried out"


def rules(tmp_path: Path, **rule: str) -> str:
    file = tmp_path / "janitor.toml"
    lines = "".join(f"{name} = {value}\n" for name, value in rule.items())
    file.write_text(f'[[rules]]\nname = "builds"\ntags = "old.*"\n{lines}')
    return str(file)


def test_a_rule_that_has_been_changed_takes_nothing_of_the_plan(
    cloud: Cloud, commands: Commands, tmp_path: Path
) -> None:
    cloud.seed(app(*OLD, policies=[]))
    plan_id = commands.told("plan", JANITOR_CONFIG=rules(tmp_path, keep_newest="2"))["plan_id"]

    changed = commands.told("apply", plan_id, JANITOR_CONFIG=rules(tmp_path, keep_newest="1"))
    as_it_was = commands.told("apply", plan_id, JANITOR_CONFIG=rules(tmp_path, keep_newest="2"))

    assert outcomes(changed) == dict.fromkeys(OLD[2:], "remaining")
    assert "what takes it has been changed" in changes(changed)
    assert outcomes(as_it_was) == dict.fromkeys(OLD[2:], "deleted")
    assert cloud.left() == {"new", *OLD[:2]}


def signed(*old: str) -> dict[str, Any]:
    signatures = [{"id": f"sig-{name}", "age": "9d", "signature_of": name} for name in old]
    return app(*old, images=[*images("new", *old), *signatures])


def test_a_signature_goes_with_its_image_and_stays_with_it(cloud: Cloud, commands: Commands) -> None:
    rule = policy(tag_regexp="old.*|new", retained_top=1)
    cloud.seed({**signed("old1", "old2"), "policies": [rule]})
    plan_id = commands.told("plan")["plan_id"]
    cloud.emulator.change(add_tag={"image_id": "old2", "tag": "release"})

    report = commands.told("apply", plan_id)

    assert outcomes(report) == {
        "old1": "deleted",
        "sig-old1": "deleted",
        "old2": "remaining",
        "sig-old2": "remaining",
    }
    assert_adds_up(report)
    assert cloud.left() == {"new", "old2", "sig-old2"}
    assert kept_by(report)["sig-old2"] == "its image stays, or is gone already"


def test_an_image_that_has_been_signed_since_stays(cloud: Cloud, commands: Commands) -> None:
    rule = policy(tag_regexp="old.*|new", retained_top=1)
    cloud.seed({**signed("old1"), "images": images("new", "old1", "old2"), "policies": [rule]})
    plan_id = commands.told("plan")["plan_id"]
    signature = {"id": "sig", "age": "0h", "signature_of": "old1"}
    cloud.emulator.change(add_image={"registry_id": "crp1", "repository": "app", "image": signature})

    report = commands.told("apply", plan_id)

    assert outcomes(report) == {"old1": "remaining", "old2": "deleted"}
    assert kept_by(report) == {"old1": "it has been signed, or the like"}
    assert cloud.left() == {"new", "old1", "sig"}
    assert codes(report) == {"plan-changed"}


def test_what_the_plan_does_not_have_never_goes_with_what_it_has(cloud: Cloud, commands: Commands) -> None:
    """The signature goes with its image; a signature of the signature, which came later, is not in the
    plan.
    """
    rule = policy(tag_regexp="old.*|new", retained_top=1)
    cloud.seed({**signed("old1"), "policies": [rule]})
    plan_id = commands.told("plan")["plan_id"]
    later = {"id": "later", "age": "0h", "signature_of": "sig-old1"}
    cloud.emulator.change(add_image={"registry_id": "crp1", "repository": "app", "image": later})

    report = commands.told("apply", plan_id)

    assert "later" in cloud.left()
    assert "later" not in outcomes(report)
    assert_adds_up(report)


def test_limits_hold_and_leave_the_plan_open(cloud: Cloud, commands: Commands) -> None:
    cloud.seed(app(*OLD))
    plan_id = commands.told("plan")["plan_id"]

    held = commands.told("apply", plan_id, MAX_DELETIONS="3")
    done = commands.told("apply", plan_id)

    assert_complains(held, "refused", "MAX_DELETIONS")
    assert outcomes(held) == dict.fromkeys(OLD, "remaining")
    assert outcomes(done) == dict.fromkeys(OLD, "deleted")


@pytest.mark.slow
def test_a_plan_for_which_the_time_is_too_short_says_to_make_a_new_one(
    cloud: Cloud, commands: Commands
) -> None:
    names = [f"old{number}" for number in range(20)]
    cloud.seed(app(*names))
    commands.environment["MAX_SHARE"] = "1"
    plan_id = commands.told("plan")["plan_id"]
    cloud.emulator.behaviour(latency_ms=50)
    process = commands.start("apply", plan_id, CONCURRENCY="1")
    while len(cloud.left()) == 21:
        assert process.poll() is None
    process.terminate()
    report = json.loads(process.communicate(timeout=60)[0])
    cloud.emulator.behaviour()

    assert (report["status"], process.returncode) == ("unfinished", 4)
    assert_adds_up(report)
    left = report["totals"]["remaining"]
    assert left > 0
    assert_complains(report, "unfinished", f"{left} of the plan's images are left", "make a new plan")
    assert_complains(commands.told("apply", plan_id), "refused", report["run_id"], "runs once")
    anew = commands.told("plan")
    assert anew["plan_id"] not in (plan_id, None)
    assert anew["totals"]["candidates"] == left


def test_a_registry_that_the_settings_no_longer_name_is_left_alone(cloud: Cloud, commands: Commands) -> None:
    other = {"id": "crp2", "folder_id": FOLDER, "repositories": []}
    cloud.seed(registries=[{"id": "crp1", "folder_id": FOLDER, "repositories": [app(*OLD)]}, other])
    plan_id = commands.told("plan")["plan_id"]

    report = commands.told("apply", plan_id, FOLDER_ID="", REGISTRY_IDS="crp2")

    assert_complains(report, "refused", "The plan is about the registry crp1", "could not be looked at")
    assert outcomes(report) == dict.fromkeys(OLD, "remaining")
    assert_adds_up(report)
    assert len(cloud.left()) == 9


# --- once, in time, and as it was written ---


def test_a_plan_runs_once(cloud: Cloud, commands: Commands) -> None:
    cloud.seed(app(*OLD))
    plan_id = commands.told("plan")["plan_id"]
    first = commands.told("apply", plan_id)
    cloud.seed(app(*OLD))
    cloud.emulator.clear_calls()

    process = commands.start("apply", plan_id)
    second = json.loads(process.communicate(timeout=60)[0])

    assert_complains(second, "refused", plan_id, "was carried out at", first["run_id"], "new plan")
    assert process.returncode == 3
    assert not cloud.emulator.calls()


def test_of_two_at_once_one_carries_the_plan_out(cloud: Cloud, commands: Commands) -> None:
    cloud.seed(app(*OLD))
    plan_id = commands.told("plan")["plan_id"]
    cloud.emulator.behaviour(latency_ms=30)

    both = [commands.start("apply", plan_id) for _ in range(2)]
    reports = [json.loads(process.communicate(timeout=60)[0]) for process in both]

    deleted = [report["totals"]["deleted"] for report in reports]
    assert sorted(deleted) == [0, 8]
    loser = reports[deleted.index(0)]
    assert loser["status"] == "refused"
    assert_adds_up(loser)


def cut_off(state: Path, plan_id: str) -> str:
    (state / "plans" / f"{plan_id}.decision").touch()
    return plan_id


def rejected(state: Path, plan_id: str) -> str:
    plans.decide(StateDir(str(state)), plan_id, Decision(REJECTED, "2026-01-01T00:00:00Z"))
    return plan_id


def tampered(state: Path, plan_id: str) -> str:
    file = file_of(state, plan_id)
    file.write_bytes(file.read_bytes().replace(b'"old1"', b'"new"'))
    return plan_id


def younger(state: Path, plan_id: str) -> str:
    old = aged(state, plan_id, timedelta(days=9))
    file = file_of(state, old)
    file.write_bytes(file_of(state, plan_id).read_bytes())
    return old


UNFIT: dict[str, tuple[Callable[[Path, str], str], str]] = {
    "it ran out": (lambda state, plan_id: aged(state, plan_id, VALID), "ran out at"),
    "its images were changed": (tampered, "has been changed"),
    "its time was changed": (younger, "has been changed"),
    "it was rejected": (rejected, "was rejected at 2026-01-01T00:00:00Z"),
    "whoever carried it out was cut off": (cut_off, "was carried out"),
    "there is none": (lambda state, plan_id: plan_id[:-1] + "0g"[plan_id.endswith("0")], "no plan"),
    "it is no id": (lambda state, plan_id: "../../secret", "no plan's id"),
}


@pytest.mark.parametrize(("spoil", "said"), UNFIT.values(), ids=UNFIT)
def test_a_plan_is_not_carried_out_when(
    cloud: Cloud, tmp_path: Path, commands: Commands, spoil: Callable[[Path, str], str], said: str
) -> None:
    cloud.seed(app(*OLD))
    plan_id = spoil(commands.state, planned(cloud, commands.state)["plan_id"])
    cloud.emulator.clear_calls()

    process = commands.start("apply", plan_id)
    report = json.loads(process.communicate(timeout=60)[0])

    assert_complains(report, "refused", said)
    assert process.returncode == (2 if "no plan" in said else 3)
    assert not cloud.emulator.calls()


# --- after pushes ---


def test_a_plan_after_a_push_is_of_that_repository_alone(cloud: Cloud, tmp_path: Path) -> None:
    cloud.seed(app(*OLD), {"name": "web", "policies": [policy("web")], "images": images("w-new", "w-old")})

    report = planned(cloud, tmp_path, push("crp1/web"))

    assert outcomes(report) == {"w-old": "would-delete"}
    assert report["plan_id"]


@pytest.mark.parametrize("kept", [True, False], ids=["with STATE_DIR", "without"])
def test_pushes_in_a_row_are_one_clean_up_where_that_can_be_known(
    cloud: Cloud, tmp_path: Path, kept: bool
) -> None:
    cloud.seed(app(*OLD), {"name": "web", "policies": [policy("web")], "images": images("w-new", "w-old")})
    kept_in = str(tmp_path) if kept else ""
    events = (
        [push("crp1/app")] * 5 + [push("crp1/app", "crp1/web")] + [push("crp1/app", event="CreateImageTag")]
    )

    reports = cloud.call("cleanup", *events, CLEANUP_MODE="apply", STATE_DIR=kept_in).results

    assert [report["status"] for report in reports] == ["ok"] * 7
    assert cloud.left() == {"new", "w-new"}
    assert outcomes(reports[5]) == {"w-old": "deleted"}
    dry_runs = [call for call in cloud.emulator.calls() if "/dryRunLifecyclePolicy/" in call["path"]]
    assert len(dry_runs) == (4 if kept else 10)  # each cleaned repository once more, before its deletions
    assert codes(reports[1]) == ({"cleaned-already"} if kept else set())
