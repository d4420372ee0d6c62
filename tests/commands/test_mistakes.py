"""What new users do wrong, a process each, and the sentence that answers it. The list is mistakes.toml."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from shared.state import plans
from shared.state.directory import StateDir
from shared.state.store import Store
from tests.emulator.client import PROJECT_ROOT, RunningEmulator, service_account
from tests.support.deployments import FOLDER, SIMPLE, TOKEN, Folder
from tests.support.measuring import measured
from tests.support.plans import VALID

AT_LEAST = 50
LONGEST = 10.0  # seconds for which a person waits
JANITOR = shlex.join([sys.executable, "-m", "functions"])
INVOKE = shlex.join(
    [
        sys.executable,
        "-c",
        "import json, sys; from functions import cleanup;"
        " report = cleanup.handler(json.loads(sys.argv[1]), None);"
        " print(json.dumps(report)); sys.exit(report['status'] != 'ok')",
    ]
)
SCRIPT = shlex.quote(f"{PROJECT_ROOT}/deploy.sh")
KEY = json.dumps(service_account()[1])
BARE = f"{Path(sys.executable).parent}:/usr/bin:/bin"  # without yc, if that is elsewhere


class Mistake(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``typed`` is a line of a shell in a directory with ``settings`` as its ``file``, and with ``files``;
    ``invoke EVENT`` stands there for a call of ``cleanup.handler``, whose report is printed.

    It ends with ``status`` and ``says`` the sentence on standard error, or where it is said to be. In texts
    ``{here}`` is the directory, ``{bare}`` a PATH without yc, ``{key}`` an authorized key, ``{expired}`` and
    ``{rejected}`` are the ids of plans in the directory ``state``.
    """

    does: str
    says: str
    status: int
    typed: str = "registry-janitor check"
    on: Literal["stderr", "stdout"] = "stderr"
    settings: str = SIMPLE
    file: str = "janitor.toml"
    files: dict[str, str] = {}
    environment: dict[str, str] = {}


LIST = Path(__file__).with_name("mistakes.toml")
MISTAKES = msgspec.convert(tomllib.loads(LIST.read_text(encoding="utf-8"))["mistake"], list[Mistake])


@pytest.fixture
def folder(running_emulator: RunningEmulator, tmp_path: Path) -> Folder:
    """A folder whose administrator has no rights elsewhere."""
    admin = {"id": "ajeadmin", "name": "admin", "folder_id": FOLDER, "roles": ["admin"]}
    made = Folder(running_emulator, tmp_path)
    made.seed(
        service_accounts=[admin],
        tokens=[{"token": TOKEN, "service_account_id": "ajeadmin"}],
        buckets=[
            {"name": "somebodys", "folder_id": "b1gelsewhere"},
            {"name": "janitor-state", "folder_id": FOLDER},
        ],
        registries=[
            {"id": "crp1", "folder_id": FOLDER, "name": "one", "repositories": [{"name": "app"}]},
            {"id": "crp9", "folder_id": "b1gelsewhere", "name": "nine"},
        ],
    )
    return made


def plan(state: Store, age: timedelta = timedelta()) -> str:
    """The id of a plan of that age in the state."""
    head = plans.head({}, {"policies": [], "warnings": [], "errors": []})
    return plans.save(state, head, list, datetime.now(UTC) - age, VALID)


def rejected(state: Store) -> str:
    plan_id = plan(state)
    plans.decide(state, plan_id, plans.Decision(plans.REJECTED, "2026-11-25T03:00:00Z"))
    return plan_id


def ended(mistake: Mistake, folder: Folder) -> subprocess.CompletedProcess[str]:
    """What comes of the mistake."""
    state = folder.directory / "state"
    (state / "plans").mkdir(parents=True)
    places = {
        "{here}": str(folder.directory),
        "{bare}": BARE,
        "{key}": KEY,
        "{expired}": plan(StateDir(str(state)), age=timedelta(days=8)),
        "{rejected}": rejected(StateDir(str(state))),
    }

    def filled(text: str) -> str:
        for name, place in places.items():
            text = text.replace(name, place)
        return text

    for name, text in {mistake.file: mistake.settings, **mistake.files}.items():
        (folder.directory / name).write_text(filled(text), encoding="utf-8")
    given = {
        **measured(),
        **folder.environment,
        "YC_STORAGE_ENDPOINT": f"{folder.cloud.url}/s3",
        "YC_METADATA_ADDR": "127.0.0.1:9",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT_ROOT),
        "LOG_LEVEL": "FATAL",
        **mistake.environment,
    }
    words = {"registry-janitor": JANITOR, "./deploy.sh": SCRIPT, "invoke": INVOKE}
    line = mistake.typed
    for word, command in words.items():
        line = line.replace(word, command)
    return subprocess.run(
        ["bash", "-c", filled(line)],
        cwd=folder.directory,
        env={name: filled(text) for name, text in given.items() if text},
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.does for mistake in MISTAKES])
def test_a_mistake_is_answered_by_a_sentence(mistake: Mistake, folder: Folder) -> None:
    before = time.monotonic()

    answer = ended(mistake, folder)

    said = {"stdout": answer.stdout, "stderr": answer.stderr}
    place = str(folder.directory)
    assert time.monotonic() - before < LONGEST, said
    assert answer.returncode == mistake.status, said
    assert mistake.says in in_one_line(said[mistake.on].replace(place, "{here}")), said
    whole = answer.stdout + answer.stderr
    for hidden in ("Traceback", "Error:", "PRIVATE KEY", TOKEN, "whsec_YWJj"):
        assert hidden not in whole
    assert [call for call in folder.cloud.changing_calls() if "/s3/nowhere/" not in call] == []


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def test_the_list_is_long_and_says_whole_sentences() -> None:
    assert len(MISTAKES) >= AT_LEAST
    assert len({mistake.does for mistake in MISTAKES}) == len(MISTAKES)
    for mistake in MISTAKES:
        assert mistake.says == in_one_line(mistake.says)
