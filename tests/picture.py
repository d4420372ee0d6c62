"""``python -m tests.picture [FILE]``: takes the README's picture of a plan's page, with a real Chromium.

The plan is that of a clean-up of the registries of ``local.yaml``, and the page is the webhook's own.
"""

from __future__ import annotations

import json
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from shared.auth import plan_links
from tests.emulator.client import PROJECT_ROOT, emulator, service_account
from tests.local import FOLDER, SEED
from tests.support.browser import Watched, chromium
from tests.support.cloud import invoke, unpacked
from tests.support.function_server import serve
from tests.support.signing import KEY, SECRET

PICTURE = PROJECT_ROOT / "docs" / "plan.png"
SIZE = {"width": 1100, "height": 1000}


def take(file: Path) -> None:
    """Writes the picture to the file."""
    account, key = service_account(folder_id=FOLDER)
    seed = {**yaml.safe_load(SEED.read_text()), "service_accounts": [account]}
    with tempfile.TemporaryDirectory() as scratch, emulator(seed) as cloud:
        state, bundle = Path(scratch) / "state", unpacked(Path(scratch))
        state.mkdir()
        environment = {
            "YC_API_ENDPOINT": cloud.url,
            "YC_REGISTRY_ENDPOINT": cloud.url,
            "YC_CLOUD_REGISTRY_ENDPOINT": f"{cloud.url}/cloud-registry-v2",
            "SA_KEY": json.dumps(key),
            "FOLDER_ID": FOLDER,
            "CLEANUP_MODE": "plan",
            "STATE_DIR": str(state),
            "WEBHOOK_SECRET": SECRET,
        }
        (report,) = invoke(bundle, "cleanup.handler", environment=environment).results
        ends_at = datetime.now(UTC) + timedelta(days=1)
        with serve(bundle, "webhook.handler", environment) as url, chromium() as browser:
            watched = Watched(browser, viewport=SIZE)
            watched.page.goto(plan_links.link(url, KEY, report["plan_id"], ends_at))
            watched.page.screenshot(path=file)
            watched.assert_quiet()
            watched.close()


if __name__ == "__main__":
    take(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE)
