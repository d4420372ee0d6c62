"""What ``./deploy.sh`` says when it cannot do what is wanted: what is wrong and what to do."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.client import RunningEmulator, service_account
from tests.support.deployments import ELSEWHERE, FOLDER, SIMPLE, TOKEN, WHOLE, Folder

NO_FOLDER = "does not exist, or you have no rights in it"


@pytest.fixture
def folder(running_emulator: RunningEmulator, tmp_path: Path) -> Folder:
    return Folder(running_emulator, tmp_path)


def refusal(folder: Folder, verb: str = "plan", **environment: str) -> str:
    """The sentence that the verb ends with, after its sign of life; nothing was changed."""
    folder.changes()
    ended = folder.run(verb, **environment)
    assert ended.status in (1, 2), ended.out + ended.err
    assert folder.changes() == []
    assert ended.out == ""
    *before, said = ended.err.splitlines()
    assert all(line.startswith("Looking at ") for line in before), ended.err
    return said


def limited(folder: Folder, **more: Any) -> None:
    """Whoever deploys is the administrator of one folder, and nobody elsewhere."""
    admin = {"id": "ajeadmin", "name": "admin", "folder_id": FOLDER, "roles": ["admin"]}
    token = {"token": TOKEN, "service_account_id": "ajeadmin"}
    folder.seed(service_accounts=[admin], tokens=[token], **more)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ('folder_id = "b1gnowhere"\n', "folder_id"),
        (SIMPLE + '[deploy]\nfolder_id = "b1gnowhere"\n', "deploy.folder_id"),
        (SIMPLE + 'guards.folders = ["b1gnowhere"]\n', "guards.folders"),
        (SIMPLE + 'metrics.folder_id = "b1gnowhere"\n', "metrics.folder_id"),
    ],
)
def test_a_folder_that_is_not_there_is_named_with_its_key(folder: Folder, settings: str, key: str) -> None:
    folder.settings(settings)

    assert f"The folder b1gnowhere, named by {key}, {NO_FOLDER}" in refusal(folder)


@pytest.mark.parametrize("verb", ["plan", "apply", "status", "destroy"])
def test_every_verb_says_so(folder: Folder, verb: str) -> None:
    folder.settings('folder_id = "b1gnowhere"\n')

    assert NO_FOLDER in refusal(folder, verb)


def test_a_folder_without_rights_is_named_as_one_that_is_not_there(folder: Folder) -> None:
    limited(folder)
    folder.settings(f'folder_id = "{ELSEWHERE}"\n')

    assert f"The folder {ELSEWHERE}, named by folder_id, {NO_FOLDER}" in refusal(folder)


def test_a_registry_of_a_folder_without_rights_is_named(folder: Folder) -> None:
    limited(folder, registries=[{"id": "crp9", "folder_id": ELSEWHERE, "name": "nine"}])
    folder.settings(f'registries = ["crp9"]\n[deploy]\nfolder_id = "{FOLDER}"\n')

    said = refusal(folder)

    assert said.startswith("The registry crp9, named by registries, does not exist, or you have no rights")
    assert "admin" in said


def test_a_registry_of_another_folder_is_pointed_out(folder: Folder) -> None:
    owner, _ = service_account(folder_id=FOLDER)
    folder.seed(service_accounts=[owner], registries=[{"id": "crp9", "folder_id": ELSEWHERE, "name": "nine"}])
    folder.settings(f'registries = ["crp9"]\n[deploy]\nfolder_id = "{FOLDER}"\n')

    ended = folder.run("plan")

    assert ended.status == 0, ended.err
    assert f"+ roles on registry crp9: it is in another folder, {ELSEWHERE}" in ended.out


def test_an_api_that_is_down_is_named_in_time_after_a_sign_of_life(folder: Folder) -> None:
    folder.settings(SIMPLE)
    began_at = time.monotonic()

    ended = folder.run("plan", YC_API_ENDPOINT="http://127.0.0.1:9")

    assert time.monotonic() - began_at < 10, "a person waits for ten seconds"
    assert ended.status == 1
    first, *_, said = ended.err.splitlines()
    assert first == f"Looking at the folder {FOLDER} (http://127.0.0.1:9) ..."
    assert "http://127.0.0.1:9 cannot be reached" in said
    assert "check YC_API_ENDPOINT" in said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('memory_mb = "256"', 'deploy.memory_mb in {file} is the text "256"; give 256, without quotes.'),
        ('retries = "2"', 'deploy.retries in {file} is the text "2"; give 2, without quotes.'),
        ('webhook = "true"', 'deploy.webhook in {file} is the text "true"; give true, without quotes.'),
        (
            'memory_mb = "lots"',
            'deploy.memory_mb in {file} is "lots"; give a multiple of 128 from 128 to 8192.',
        ),
        (
            'memory_mb = "250"',
            'deploy.memory_mb in {file} is "250"; give a multiple of 128 from 128 to 8192.',
        ),
        ("timeout = 600", 'deploy.timeout in {file} is 600; give seconds from "1s" to "3600s".'),
    ],
)
def test_a_value_in_quotes_that_needs_none_is_told(folder: Folder, line: str, said: str) -> None:
    folder.settings(f"{SIMPLE}[deploy]\n{line}\n")

    assert refusal(folder) == said.format(file=folder.directory / "janitor.toml")


def test_after_destroy_nothing_is_deployed(folder: Folder) -> None:
    folder.settings(WHOLE)
    before = folder.run("status")
    assert folder.run("apply", "--yes").status == 0
    assert "Nothing of" not in folder.run("status").out
    assert folder.run("destroy", "--yes").status == 0

    after = folder.run("status")

    assert (before.status, after.status) == (1, 1)
    nothing = (
        "Nothing of registry-janitor is deployed in the folder b1gfolder; ./deploy.sh apply deploys it.\n"
    )
    assert before.out == nothing
    assert after.out == nothing + "Its state is kept in the bucket janitor-state.\n"
