"""Events that nobody has signed: one answer for all of them, at most a dry run, and that seldom."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FOLDER, Cloud, images, outcomes, policy
from tests.support.cloud import http, push, timer
from tests.support.function_server import Function
from tests.support.receivers import closed_port, http_receiver
from tests.support.signing import SECRET

EVERYTHING = {"new", "old1", "old2", "w-new", "w-old", "else-new", "else-old"}
MODES = ("dry-run", "plan", "apply")
DELETION = "DeleteImage"

Event = Any


class Hook:
    """The webhook of a function with a state directory, in a folder where ``internal-billing`` runs
    ``app:old1``.
    """

    def __init__(self, cloud: Cloud, state: Path) -> None:
        self.cloud, self.state = cloud, state
        state.mkdir()
        self.settings: dict[str, Any] = {
            "CLEANUP_MODE": "apply",
            "STATE_DIR": str(state),
            "WEBHOOK_SECRET": SECRET,
            "REGISTRY_IDS": "crp1",
        }

    def call(self, *events: Event, **settings: Any) -> tuple[list[Any], str]:
        """The answers and the log of events that come to one warm instance."""
        invocation = self.cloud.call("webhook", *events, **{**self.settings, **settings})
        return invocation.results, invocation.log

    def asked(self, part: str) -> int:
        """How many calls to the cloud had ``part`` in their paths since the last look."""
        count = sum(part in call["path"] for call in self.cloud.emulator.calls())
        self.cloud.emulator.clear_calls()
        return count

    def kept(self, folder: str = "") -> list[str]:
        top = self.state / folder
        return sorted(str(file.relative_to(top)) for file in top.rglob("*") if file.is_file())

    def reports(self) -> list[dict[str, Any]]:
        return [json.loads(file.read_text()) for file in sorted(self.state.glob("runs/*/report.json"))]


@pytest.fixture
def hook(cloud: Cloud, tmp_path: Path) -> Hook:
    def registry(registry_id: str, *repositories: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": registry_id,
            "folder_id": FOLDER,
            "name": registry_id,
            "repositories": list(repositories),
        }

    app = {"name": "app", "policies": [policy()], "images": images("new", "old1", "old2")}
    web = {"name": "web", "policies": [policy("web")], "images": images("w-new", "w-old")}
    other = {"name": "other", "policies": [policy("other")], "images": images("else-new", "else-old")}
    cloud.seed(
        registries=[registry("crp1", app, web), registry("crpelse", other)],
        containers=[
            {
                "id": "bba1",
                "name": "internal-billing",
                "folder_id": FOLDER,
                "revisions": [{"id": "bba1r1", "image": "cr.yandex/crp1/app:old1"}],
            }
        ],
    )
    return Hook(cloud, tmp_path / "state")


def posted(event: Event) -> Event:
    """The event as the body of an HTTP call."""
    return http(json.dumps(event))


def without(event: Event, name: str) -> Event:
    """The event without one member of its message's details."""
    (message,) = event["messages"]
    details = {key: value for key, value in message["details"].items() if key != name}
    return {"messages": [{**message, "details": details}]}


EVENTS: dict[str, Event] = {
    "a push": push("crp1/app"),
    "the same push again": push("crp1/app"),
    "a push of a tag": push("crp1/web", event="CreateImageTag"),
    "several pushes": push("crp1/app", "crp1/web", "crp1/none"),
    "a repository that does not exist": push("crp1/none"),
    "a registry that does not exist": push("crpnone/app"),
    "a registry that the settings do not name": push("crpelse/other"),
    "a path for a repository": push("crp1/../../etc/passwd"),
    "a long name": push("crp1/" + "a" * 100_000),
    "half a character": push("crp1/\ud800"),
    "a deletion": push("crp1/app", event=DELETION),
    "an unknown type": push("crp1/app", event="CreateMoon"),
    "no registry": without(push("crp1/app"), "registry_id"),
    "no repository": without(push("crp1/app"), "repository_name"),
    "a timer": timer('{"mode": "apply"}'),
    "no messages": {"messages": []},
    "messages that are a text": {"messages": "push"},
    "messages of numbers": {"messages": [1, None, []]},
    "overrides beside it": push("crp1/app") | {"mode": "apply", "action": "cleanup"},
}
OTHER_EVENTS: dict[str, Event] = {
    "overrides": {"mode": "apply"},
    "an action": {"action": "cleanup"},
    "nothing": {},
    "null": None,
    "a text": "x",
    "a list": [1],
    "a number": 7,
}
WORDS = (
    "old1",
    "w-old",
    "sha256",
    "billing",
    "internal",
    "would",
    "deleted",
    "crp1",
    "web",
    "plan_id",
    "run_id",
)


@pytest.mark.parametrize("mode", MODES)
def test_every_unsigned_event_gets_the_same_answer_which_says_nothing(hook: Hook, mode: str) -> None:
    events = {**EVENTS, **OTHER_EVENTS, **{f"{name}, posted": posted(one) for name, one in EVENTS.items()}}
    results, log = hook.call(*events.values(), CLEANUP_MODE=mode)
    answers = dict(zip(events, results, strict=True))

    first = answers["a push"]
    assert first["statusCode"] == 202
    assert {name for name, answer in answers.items() if answer != first} == set()
    assert not [word for word in WORDS if word in json.dumps(first)]
    assert "Traceback" not in log
    assert hook.cloud.left() == EVERYTHING
    assert hook.kept("plans") == []
    ran = [report["images"] and report["images"][0]["repository"] for report in hook.reports()]
    assert sorted(ran) == ["app", "web"], "each repository that exists is looked at once"


def test_a_stranger_learns_nothing_over_http(hook: Hook) -> None:
    """As an answer to ``?integration=raw``, where the body is the event, and what is returned is the
    answer.
    """
    environment = {**hook.cloud.environment, **hook.settings, "LOG_LEVEL": "FATAL"}
    function = Function(hook.cloud.bundle, "webhook.handler", environment)
    try:
        answers = [function.call(event) for event in (push("crp1/app"), push("crp1/none"))]
    finally:
        function.close()

    assert answers[0] == answers[1]
    assert hook.asked("dryRunLifecyclePolicy/") == 1


def test_what_was_found_is_told_in_the_state_alone(hook: Hook) -> None:
    hook.call(push("crp1/app"))

    (report,) = hook.reports()
    assert report["mode"] == "dry-run"
    assert outcomes(report) == {"old1": "protected", "old2": "would-delete"}
    assert {one["code"] for one in report["warnings"]} >= {"push-not-signed"}
    assert hook.cloud.left() == EVERYTHING


def test_a_burst_of_forged_events_starts_one_run_for_each_repository(hook: Hook) -> None:
    environment = {**hook.cloud.environment, **hook.settings, "LOG_LEVEL": "FATAL"}
    function = Function(hook.cloud.bundle, "webhook.handler", environment)
    events = [push("crp1/app"), push("crp1/web"), posted(push("crp1/app")), push("crp1/app", "crp1/web")] * 8
    try:
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(function.call, events))
    finally:
        function.close()

    assert all(answer == answers[0] for answer in answers)
    assert hook.asked("dryRunLifecyclePolicy/") == 2


def test_names_that_do_not_exist_leave_no_trace_and_cost_one_look(hook: Hook) -> None:
    hook.call(*(push(f"crp1/none{number}", f"crpnone{number}/app") for number in range(30)))

    assert hook.kept() == []
    assert hook.asked("/repositories") == 1


def test_the_registries_of_a_folder_are_looked_for_once(hook: Hook) -> None:
    events = [push(f"crpnone{number}/app") for number in range(10)]
    hook.call(*events, push("crpelse/other"), REGISTRY_IDS="")

    assert hook.kept("plans") == []
    assert [report["images"][0]["image_id"] for report in hook.reports()] == ["else-old"]
    path = "/container-registry/v1/registries"
    listed = [one for one in hook.cloud.emulator.calls() if one["path"] == path]
    assert len(listed) == 2, "one look for all events, one of the run"


def test_without_a_state_directory_no_run_is_started(hook: Hook) -> None:
    (answer,), _ = hook.call(push("crp1/app"), STATE_DIR="", CLEANUP_MODE="dry-run")

    assert answer["statusCode"] == 202
    assert hook.cloud.emulator.calls() == []


@pytest.mark.parametrize("mode", MODES)
def test_a_forged_event_does_not_take_the_turn_of_a_real_one(hook: Hook, mode: str) -> None:
    hook.call(push("crp1/app"), CLEANUP_MODE=mode)

    real = hook.cloud.call("cleanup", push("crp1/app"), **{**hook.settings, "CLEANUP_MODE": mode})

    assert real.results[0]["totals"]["candidates"] == 2
    assert hook.cloud.left() == EVERYTHING - ({"old2"} if mode == "apply" else set())


@pytest.fixture
def telegram() -> Iterator[Any]:
    with http_receiver() as receiver:
        yield receiver


def test_nobody_is_notified_of_a_forged_event(hook: Hook, telegram: Any, tmp_path: Path) -> None:
    file = tmp_path / "janitor.toml"
    file.write_text(
        f'[[notify]]\nkind = "telegram"\ntoken_env = "BOT"\nchat_id = -1\nurl = "{telegram.url}"\non = "always"\n'
    )
    told = {"JANITOR_CONFIG": str(file), "BOT": "1234567:AAH-very_secret-part", "CLEANUP_MODE": "plan"}

    hook.call(push("crp1/app"), **told)
    assert telegram.requests == []
    hook.cloud.call("cleanup", push("crp1/app"), **{**hook.settings, **told})
    assert telegram.requests != []


BROKEN: dict[str, dict[str, Any]] = {
    "a mode that is none": {"CLEANUP_MODE": "hidden-word"},
    "a file that is not there": {"JANITOR_CONFIG": "/hidden-word.toml"},
    "a state that is not there": {"STATE_DIR": "/hidden-word"},
    "a cloud that does not answer": {"YC_API_ENDPOINT": f"http://127.0.0.1:{closed_port()}/hidden-word"},
    "no credentials": {"SA_KEY": "hidden-word"},
    "a registry that is not there": {"REGISTRY_IDS": "crp-hidden-word"},
}


@pytest.mark.parametrize("settings", BROKEN.values(), ids=BROKEN)
def test_what_is_wrong_with_the_settings_is_for_the_log_alone(hook: Hook, settings: dict[str, Any]) -> None:
    usual, _ = hook.call(push("crp1/none"))
    (registry_id,) = (settings.get("REGISTRY_IDS", "crp1"),)

    answers, log = hook.call(push(f"{registry_id}/app"), posted(push(f"{registry_id}/app")), **settings)

    assert answers == usual * 2
    assert log.count("An unsigned event is left.") >= 1
    assert hook.reports() == []


def test_a_fault_of_the_access_is_told_to_nobody_unsigned(hook: Hook) -> None:
    answers, log = hook.call(http("{}"), push("crp1/app"), LOG_LEVEL="hidden-word")

    assert answers[0]["statusCode"] == 500
    assert "hidden-word" not in json.dumps(answers)
    assert "LOG_LEVEL" not in json.dumps(answers)
    assert "LOG_LEVEL" in log
