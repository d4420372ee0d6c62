"""Every command, settings file, event, script and CI step of the documentation works as it stands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from functions.__main__ import main
from tests.conftest import BUCKET, FOLDER, Cloud, images, policy
from tests.emulator.client import PROJECT_ROOT, RunningEmulator
from tests.support.deployments import TOKEN, Folder
from tests.support.documentation import PAGES, Block, blocks, name_of
from tests.support.function_server import serve
from tests.support.measuring import measured
from tests.support.signing import SECRET

SETTINGS = f'folder_id = "{FOLDER}"\n[[rules]]\nname = "old"\ntags = ".*"\nolder_than = "4d"\n'
OTHER = SETTINGS.replace("4d", "3d")
NEWEST_PLAN = '"$(basename "$(ls state/plans/*.json | tail -n 1)" .json)"'
NIGHTLY = {
    "id": "pol2",
    "name": "nightly",
    "state": "ENABLED",
    "rules": [{"delete": {"type": "HARD_DELETE", "olderThanDays": 4}}],
}
LOCAL = "./deploy.sh local\n"  # tests/commands/test_local.py runs it

YC = f"""#!/bin/sh
case "$*" in
    "iam create-token") echo {TOKEN} ;;
    "container image list --format json") cat saved.json ;;
    "cloud-registry v1 migration start-folder {FOLDER} --async") ;;
    "lockbox payload get --name registry-janitor-webhook-secret --key WEBHOOK_SECRET") ;;
    *) echo "yc has no such command: $*" >&2; exit 1 ;;
esac
"""
SAVED = [{"id": "crp1image", "name": "crp1/app", "tags": ["v1"], "created_at": "2026-01-01T00:00:00Z"}]


def of(language: str) -> list[Block]:
    return [block for block in blocks() if block.language == language]


def filled_in(text: str) -> str:
    """The text with an id for each that it leaves out."""
    return text.replace("b1g...", FOLDER).replace("crp...", "crp1")


def written(path: Path, text: str, mode: int = 0o600) -> None:
    path.write_text(text)
    path.chmod(mode)


@pytest.fixture
def folder(running_emulator: RunningEmulator, tmp_path: Path) -> Folder:
    """A folder with a registry that was migrated, and a directory in which each command can be given."""
    folder = Folder(running_emulator, tmp_path)
    kept = images("new", "v2", "v1", "old", "older")
    repository = {"name": "team-a/app", "policies": [policy()], "images": kept}
    folder.seed(
        registries=[{"id": "crp1", "folder_id": FOLDER, "name": "shop", "repositories": [repository]}],
        cloud_registries=[{"id": "crp1", "folder_id": FOLDER, "migrated": True, "policies": [NIGHTLY]}],
    )
    folder.environment["YC_STORAGE_ENDPOINT"] = f"{running_emulator.url}/s3"
    folder.settings(SETTINGS)
    (tmp_path / "state").mkdir()
    written(tmp_path / "new.toml", OTHER)
    written(tmp_path / "saved.json", json.dumps(SAVED))
    written(tmp_path / "yc", YC, 0o700)
    written(tmp_path / "deploy.sh", f'#!/bin/sh\necho yes | "{PROJECT_ROOT}/deploy.sh" "$@"\n', 0o700)
    return folder


def assert_runs(folder: Folder, block: Block, script: str, *, shell: str = "bash", **more: str) -> str:
    """Runs the script in the folder's directory and returns what it prints; each of its commands succeeds."""
    python = Path(sys.executable).parent
    environment = {
        **measured(),
        **folder.environment,
        "HOME": os.environ.get("HOME", "/"),
        "PATH": f"{folder.directory}:{python}:{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT_ROOT),
        "STATE_DIR": "state",
        **more,
    }
    options = ["-eu", "-o", "pipefail"] if shell == "bash" else ["-eu"]
    ended = subprocess.run(
        [shell, *options, "-c", script],
        cwd=folder.directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    told = f"{block}: {ended.stdout}{ended.stderr}"
    assert ended.returncode == 0, told
    assert "Traceback" not in told
    return ended.stdout


def change(folder: Folder, block: Block) -> None:
    """Deploys other settings, so that there is a version to go back to."""
    settings = (folder.directory / "janitor.toml").read_text()
    folder.settings(settings + "memory_mb = 512\n")
    assert_runs(folder, block, "./deploy.sh apply")


@pytest.mark.slow  # some ten deployments and thirty runs
@pytest.mark.parametrize("page", [name_of(page) for page in PAGES])
def test_every_command_of_a_page_does_what_it_is_there_for(folder: Folder, page: str) -> None:
    """One after another, as the page has them; a file with a table for the deployment is the one in use."""
    commands = 0
    for block in blocks():
        if block.page != page:
            continue
        if block.language == "toml" and "\n[deploy]\n" in block.text:
            folder.settings(filled_in(block.text))
        elif block.language == "sh" and block.text != LOCAL and page != "docs/CONTRIBUTING.md":
            if "--rollback" in block.text:
                change(folder, block)
            assert_runs(folder, block, block.text.replace("PLAN_ID", NEWEST_PLAN))
            commands += 1
    assert commands or not [block for block in of("sh") if block.page == page and block.text != LOCAL]


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_every_settings_file_is_right(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("JANITOR_CONFIG", "FOLDER_ID", "STATE_DIR", "STATE_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "janitor.toml"
    file.write_text(filled_in(block.text))

    status = main(["check", "--config", str(file)])

    told = capsys.readouterr()
    assert status == 0, told.err
    assert "The settings are right" in told.out


@pytest.mark.parametrize("block", of("json"), ids=str)
def test_every_event_is_understood(cloud: Cloud, block: Block) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})

    report = cloud.dry_run(json.loads(filled_in(block.text)))

    assert report["status"] == "ok", report
    assert report["totals"]["candidates"] == 1


@pytest.fixture
def webhook(cloud: Cloud, tmp_path: Path) -> Iterator[str]:
    """The URL of a webhook in mode apply."""
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})
    environment = {
        **cloud.environment,
        "CLEANUP_MODE": "apply",
        "STATE_BUCKET": BUCKET,
        "WEBHOOK_SECRET": SECRET,
    }
    with serve(cloud.bundle, "webhook.handler", environment) as url:
        yield f"{url}?tag=live"


def ci_scripts() -> list[tuple[Block, str]]:
    """What the CI examples run, without what installs packages."""
    found = []
    for block in of("yaml"):
        (job,) = (document := yaml.safe_load(block.text)).get("jobs", document).values()
        lines = job.get("script") or [step["run"] for step in job["steps"]]
        found.append((block, "\n".join(lines)))
    return found


@pytest.mark.parametrize(("block", "script"), ci_scripts(), ids=str)
@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_every_step_of_ci_cleans_by_a_signed_call(
    cloud: Cloud, folder: Folder, webhook: str, block: Block, script: str, shell: str
) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})

    assert_runs(folder, block, script, shell=shell, WEBHOOK_URL=webhook, WEBHOOK_SECRET=SECRET)

    report = json.loads((folder.directory / "report.json").read_text())
    assert report["status"] == "ok"
    assert cloud.left() == {"new"}


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_every_script_calls_the_webhook(cloud: Cloud, folder: Folder, webhook: str, block: Block) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})
    written(folder.directory / "call.py", block.text)

    told = assert_runs(folder, block, "python call.py", WEBHOOK_URL=webhook, WEBHOOK_SECRET=SECRET)

    assert told == "ok\n"
    assert cloud.left() == {"new", "old"}


def test_every_block_is_run() -> None:
    languages = {block.language for block in blocks()}
    pictures = [block for block in blocks() if block.language == "text"]

    assert languages == {"sh", "toml", "json", "python", "yaml", "text"}
    for block in pictures:
        assert "./deploy.sh" not in block.text, block
