"""``./deploy.sh local``: what a deployment does, from the plan to what is left, on this machine alone.

Starts the emulator with the registry of ``local.yaml``, deploys to it with the commands of the README, winds
its clock to the next run of the timer, and shows the report: first of a dry run, then with deletions allowed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from tests.emulator.client import PROJECT_ROOT, RunningEmulator, emulator, service_account

SEED = Path(__file__).with_name("local.yaml")
FOLDER = "b1gdemo0000000000000"
BUCKET = "janitor-demo-state"
SETTINGS = f"""folder_id = "{FOLDER}"
mode = "MODE"

[deploy]
schedule = "0 3 ? * * *"
state_bucket = "{BUCKET}"
"""


def main() -> int:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    account, key = service_account("ajedeployer000000000", folder_id=FOLDER)
    seed = {**yaml.safe_load(SEED.read_text()), "service_accounts": [{**account, "name": "deployer"}]}
    with tempfile.TemporaryDirectory() as scratch, emulator(seed) as cloud:
        settings = Path(scratch) / "janitor.toml"
        environment = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TERM", "TZ")},
            "PYTHONPATH": str(PROJECT_ROOT),
            "YC_API_ENDPOINT": cloud.url,
            "YC_REGISTRY_ENDPOINT": cloud.url,
            "YC_CLOUD_REGISTRY_ENDPOINT": f"{cloud.url}/cloud-registry-v2",
            "YC_STORAGE_ENDPOINT": f"{cloud.url}/s3",
            "SA_KEY": json.dumps(key),
        }
        print(f"An emulated Yandex Cloud is at {cloud.url}; its registry holds:")
        contents(cloud)
        print("\n1. ./deploy.sh apply, with these settings:\n")
        deploy(settings, "dry-run", environment, "apply", "--yes")
        print("\n2. Time goes on to the timer's next run. The mode is dry-run:\n")
        run(cloud, environment)
        print("\n   Nothing was deleted. The registry still holds:")
        contents(cloud)
        print('\n3. The settings now say mode = "apply"; ./deploy.sh apply again:\n')
        deploy(settings, "apply", environment, "apply", "--yes")
        print("\n4. Time goes on to the next run:\n")
        run(cloud, environment)
        print("\n   The registry now holds:")
        contents(cloud)
        print(
            "\nshop/backend:build-1800 is old, but production runs it, so it stays, and so do the platform"
            " images\nof tools/cli:latest, which have no tag. tools/ci keeps all: a policy that takes nearly"
            " everything is\nusually a mistake."
        )
        print("\n5. ./deploy.sh status:\n")
        deploy(settings, "apply", environment, "status")
    return 0


def deploy(settings: Path, mode: str, environment: dict[str, str], *arguments: str) -> None:
    """A command of ``./deploy.sh`` with the settings in that mode; ends the whole when it fails."""
    text = SETTINGS.replace("MODE", mode)
    settings.write_text(text)
    if "apply" in arguments:
        print("".join(f"   | {line}\n" for line in text.splitlines()))
    sys.stdout.flush()
    command = [sys.executable, "-m", "functions", "deploy", *arguments, "--config", str(settings)]
    status = subprocess.run(command, env=environment, cwd=settings.parent, check=False).returncode
    if status != 0:
        sys.exit(status)


def run(cloud: RunningEmulator, environment: dict[str, str]) -> None:
    """The timer's next run, and its report."""
    [call] = cloud.wind()
    if call["status"] != "ok":
        print(json.dumps(call["error"], indent=2), *(line["message"] for line in call["log"]), sep="\n")
        sys.exit(1)
    sys.stdout.flush()
    command = [sys.executable, "-m", "functions", "report"]
    subprocess.run(command, env={**environment, "FOLDER_ID": FOLDER, "STATE_BUCKET": BUCKET}, check=False)


def contents(cloud: RunningEmulator) -> None:
    state = cloud.state()
    for registry in state["registries"].values():
        for name, repository in registry["repositories"].items():
            print(f"   {name:<16} {len(repository['images']):>5} images")
    for registry in state["cloud_registries"].values():
        for name, repository in registry["repositories"].items():
            print(f"   {name:<16} {len(repository['artifacts']):>5} artifacts in Cloud Registry")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
