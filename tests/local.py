"""``./deploy.sh local``: what a clean-up does, from the archive to what is left, on this machine alone.

Starts the emulator with the registry of ``local.yaml``, unpacks the archive, and sends the timer's event to the
scheduled job in a fresh process as the cloud does: first as a dry run, then with deletions allowed.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from shared import terminal
from tests.cloud import invoke, timer, unpacked
from tests.emulator.client import RunningEmulator, emulator, service_account

SEED = Path(__file__).with_name("local.yaml")


def main() -> int:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    account, key = service_account(folder_id="b1gdemo0000000000000")
    seed = {**yaml.safe_load(SEED.read_text()), "service_accounts": [account]}
    with tempfile.TemporaryDirectory() as scratch, emulator(seed) as cloud:
        bundle = unpacked(Path(scratch))
        environment = {
            "YC_API_ENDPOINT": cloud.url,
            "YC_REGISTRY_ENDPOINT": cloud.url,
            "FOLDER_ID": "b1gdemo0000000000000",
            "SA_KEY": json.dumps(key),
            "LOG_LEVEL": "FATAL",
        }
        print(f"An emulated Yandex Cloud is at {cloud.url}; its registry holds:")
        contents(cloud)
        print("\n1. The timer fires; CLEANUP_MODE is not set, so this is a dry run.\n")
        run(bundle, environment)
        print("\n   Nothing was deleted. The registry still holds:")
        contents(cloud)
        print("\n2. The timer fires again, now with CLEANUP_MODE=apply.\n")
        run(bundle, environment | {"CLEANUP_MODE": "apply"})
        print("\n   The registry now holds:")
        contents(cloud)
        print(
            "\nshop/backend:build-1800 is old, but production runs it, so it stays, and so do the platform images"
        )
        print(
            "of tools/cli:latest, which have no tag. tools/ci keeps all: a policy that takes nearly everything is"
        )
        print("usually a mistake.")
    return 0


def run(bundle: Path, environment: dict[str, str]) -> None:
    report: dict[str, Any] = invoke(bundle, "cleanup.handler", timer(), environment=environment).results[0]
    terminal.show(report, most=6)


def contents(cloud: RunningEmulator) -> None:
    for registry in cloud.state()["registries"].values():
        for name, repository in registry["repositories"].items():
            print(f"   {name:<16} {len(repository['images']):>5} images")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
