"""Whatever fails half-way: the next apply, or the next destroy, goes on from there and comes to the same end.

These run in this process, for each needs a deployment of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from functions.__main__ import main
from shared.cloud import pace
from tests.emulator.client import RunningEmulator, service_account
from tests.support.deployments import ELSEWHERE, FOLDER, SIMPLE, WHOLE, Folder

ALL = "* /*"


class Deployer:
    """Deploys ``WHOLE`` again and again, each time to a new folder."""

    def __init__(self, folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        folder.settings(WHOLE)

    def run(self, *arguments: str, faults: list[dict[str, Any]] | None = None) -> int:
        self.folder.cloud.behaviour(faults=faults or [])
        status = main(["deploy", *arguments, "--config", str(self.folder.directory / "janitor.toml")])
        self.folder.cloud.behaviour()
        told = self.capsys.readouterr()
        self.folder.assert_no_secret(told.out + told.err)
        return status

    def calls(self, *arguments: str) -> list[dict[str, Any]]:
        """The calls that a run makes in which nothing fails."""
        self.folder.cloud.clear_calls()
        assert self.run(*arguments) == 0
        return self.folder.cloud.calls()


@pytest.fixture
def deployer(
    running_emulator: RunningEmulator,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Deployer:
    folder = Folder(running_emulator, tmp_path)
    for name, text in folder.environment.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setattr(pace, "FIRST_PAUSE", 0.001)
    return Deployer(folder, capsys)


def stopped_before(number: int) -> list[dict[str, Any]]:
    """The call of that number, from 0 on, and all after it are refused."""
    return [{"match": ALL, "skip": number, "status": 403}]


def stopped_after(number: int) -> list[dict[str, Any]]:
    """The call takes effect, but nothing is heard of it, and all after it are refused."""
    return [{"match": ALL, "skip": number, "times": 1, "cut": "after"}, *stopped_before(number)]


def failing_once(number: int) -> list[dict[str, Any]]:
    return [{"match": ALL, "skip": number, "times": 1, "status": 503, "retry_after": 0}]


def lost_once(number: int) -> list[dict[str, Any]]:
    return [{"match": ALL, "skip": number, "times": 1, "cut": "after"}]


def operation_failing(number: int) -> list[dict[str, Any]]:
    return [{"match": ALL, "skip": number, "times": 1, "operation_error": {"code": 13, "message": "broken"}}]


@pytest.mark.slow  # some forty deployments, each from the start
@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (stopped_before, {1, 2}),  # 2 where a refusal looks like a folder that is not there
        (stopped_after, {1, 2}),
        (operation_failing, {1}),
        (failing_once, {0}),
        (lost_once, {0}),
    ],
)
def test_each_call_of_a_first_apply_may_fail_and_the_next_apply_comes_to_the_same_end(
    deployer: Deployer, fault: Any, status: set[int]
) -> None:
    folder = deployer.folder
    calls = deployer.calls("apply", "--yes")
    expected = folder.snapshot()
    for number, call in enumerate(calls):
        if call["method"] == "GET" and fault is operation_failing:
            continue
        folder.seed()

        assert deployer.run("apply", "--yes", faults=fault(number)) in status, call

        assert deployer.run("apply", "--yes") == 0
        assert folder.snapshot() == expected, f"after {call['method']} {call['path']}"
        folder.changes()
        assert deployer.run("apply", "--yes") == 0
        assert folder.changes() == []


@pytest.mark.slow  # some twenty deployments, each from the start
@pytest.mark.parametrize("fault", [stopped_before, stopped_after])
def test_each_call_of_destroy_may_fail_and_the_next_destroy_comes_to_the_same_end(
    deployer: Deployer, fault: Any
) -> None:
    folder = deployer.folder
    before = folder.snapshot()
    deployer.run("apply", "--yes")
    calls = deployer.calls("destroy", "--yes", "--delete-state")
    for number, call in enumerate(calls):
        if call["method"] == "GET":
            continue
        folder.seed()
        deployer.run("apply", "--yes")
        deployer.run("destroy", "--yes", "--delete-state", faults=fault(number))

        assert deployer.run("destroy", "--yes", "--delete-state") == 0
        assert folder.snapshot() == before, f"after {call['method']} {call['path']}"


def test_operations_that_take_their_time_are_waited_for(deployer: Deployer) -> None:
    folder = deployer.folder
    deployer.run("apply", "--yes")
    expected = folder.snapshot()
    folder.seed()

    folder.cloud.behaviour(operation_ms=40)
    assert main(["deploy", "apply", "--yes", "--config", str(folder.directory / "janitor.toml")]) == 0

    assert folder.snapshot() == expected


@pytest.mark.parametrize("operations", [{}, {"status": 501, "code": 12}])
def test_a_version_that_is_still_being_made_is_there_once(
    deployer: Deployer, operations: dict[str, Any]
) -> None:
    folder = deployer.folder
    folder.settings(SIMPLE)
    faults: list[dict[str, Any]] = [{"match": "POST /functions/v1/versions", "times": 1, "cut": "after"}]
    if operations:
        faults.append({"match": "GET /functions/v1/functions/*/operations", **operations})
    folder.cloud.behaviour(operation_ms=150, faults=faults)

    assert main(["deploy", "apply", "--yes", "--config", str(folder.directory / "janitor.toml")]) == 0

    if not operations:
        assert folder.changes().count("POST /functions/v1/versions") == 1
    assert deployer.run("apply", "--yes") == 0
    (version,) = folder.versions()
    assert set(version["tags"]) == {"$latest", "live"}


def test_a_call_that_never_works_is_told_and_what_is_done_stays(
    deployer: Deployer, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = deployer.folder
    folder.cloud.behaviour(faults=[{"match": "POST /lockbox/v1/secrets", "status": 503, "retry_after": 0}])

    assert main(["deploy", "apply", "--yes", "--config", str(folder.directory / "janitor.toml")]) == 1

    told = capsys.readouterr().err
    assert "POST /lockbox/v1/secrets" in told
    assert "goes on from there" in told
    assert "Traceback" not in told
    assert "registry-janitor" in folder.named("service_accounts")


def test_a_name_that_another_folder_has_is_told(
    deployer: Deployer, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = {"id": "ajetaken", "name": "registry-janitor-trigger", "folder_id": ELSEWHERE}
    owner, _ = service_account(folder_id=FOLDER)
    deployer.folder.seed(service_accounts=[owner, taken])

    assert (
        main(["deploy", "apply", "--yes", "--config", str(deployer.folder.directory / "janitor.toml")]) == 1
    )

    assert "give another deploy.name" in capsys.readouterr().err


def test_what_may_not_be_done_names_the_role(deployer: Deployer, capsys: pytest.CaptureFixture[str]) -> None:
    folder = deployer.folder
    folder.cloud.behaviour(faults=[{"match": "POST /functions/v1/functions", "status": 403}])

    assert main(["deploy", "apply", "--yes", "--config", str(folder.directory / "janitor.toml")]) == 1

    assert "functions.admin" in capsys.readouterr().err
