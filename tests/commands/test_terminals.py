"""What a person sees in terminals of 60, 80 and 120 columns, compared with recorded pictures.

``RECORD_TERMINALS=1`` records them anew; look at the difference before you keep it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.conftest import FOLDER, Cloud, images, policy
from tests.support.command_line import environment
from tests.support.terminals import Shown, run_in_terminal

PICTURES = Path(__file__).with_name("terminals")
OF_A_DAY = r"warning: \d+ of these images are in Container Registry[\s\S]*?goes\s+on\s+there\.[ \r]*\n"
ALWAYS_ANOTHER = (
    (r"\d{4}-\d\d-\d\d", "2026-01-01"),
    (r"\d{8}T\d{12}Z-[0-9a-f]{32}", "PLAN" + "x" * 51),
    (OF_A_DAY, ""),
)


@pytest.fixture
def shop(cloud: Cloud) -> Cloud:
    """A registry in which images go, are in use, are part of another one, and are kept by a limit."""
    series = {"series": 60, "tags": ["build-{n}"], "newest": "1h", "step": "24h", "size": "300MB"}
    builds = policy("keep-ten-builds", tag_regexp="build-.*", expire_period="720h", retained_top=10)
    untagged = policy("untagged-after-a-day", untagged=True, expire_period="24h")
    cloud.seed(
        {"name": "shop/backend-for-frontend", "policies": [builds], "images": [series]},
        {
            "name": "tools/cli",
            "policies": [untagged],
            "images": [
                {"id": "amd", "age": "40d", "size": "30MB"},
                {"id": "latest", "tags": ["latest"], "age": "40d", "index": ["amd"]},
                {"series": 5, "newest": "60d", "step": "240h", "size": "30MB"},
            ],
        },
        {
            "name": "tools/ci",
            "policies": [untagged | {"id": "pol-ci"}],
            "images": [{"series": 20, "newest": "30h", "step": "5h"}, *images("new")],
        },
        {"name": "quiet", "images": images("still")},
        containers=[
            {
                "id": "bba1",
                "name": "production",
                "folder_id": FOLDER,
                "revisions": [
                    {
                        "id": "bbar1",
                        "status": "ACTIVE",
                        "image": "cr.yandex/crp1/shop/backend-for-frontend:build-45",
                    }
                ],
            }
        ],
    )
    cloud.environment["LOG_LEVEL"] = ""
    return cloud


def picture(shown: Shown) -> str:
    text = shown.out
    for pattern, instead in ALWAYS_ANOTHER:
        text = re.sub(pattern, instead, text)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def assert_as_recorded(name: str, shown: Shown) -> None:
    file = PICTURES / f"{name}.txt"
    if os.environ.get("RECORD_TERMINALS"):
        file.write_text(picture(shown), encoding="utf-8")
    assert picture(shown) == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_plan_and_its_end_are_as_recorded(shop: Cloud, tmp_path: Path, columns: int) -> None:
    settings = environment(
        shop, STATE_DIR=str(tmp_path), CLEANUP_MODE="plan", PRICE_PER_GB_MONTH="2.6", CURRENCY="RUB"
    )

    planned = run_in_terminal(columns, settings, "plan")
    [plan] = (tmp_path / "plans").iterdir()
    done = run_in_terminal(columns, settings, "apply", plan.stem)

    assert (planned.status, done.status) == (3, 0)
    assert planned.colours
    assert_as_recorded(f"plan-{columns}", planned)
    assert_as_recorded(f"apply-{columns}", done)
    for shown in (planned, done):
        assert '{"' not in shown.err, "no log on a terminal"
        long = [line for line in picture(shown).splitlines() if len(line) > columns]
        assert not long


def test_progress_says_what_is_done_how_fast_and_how_long_yet(shop: Cloud) -> None:
    shop.emulator.behaviour(latency_ms=30)

    shown = run_in_terminal(100, environment(shop, CLEANUP_MODE="apply"), "cleanup")

    assert "asking the cloud" in shown.err
    assert re.search(r"deletions.* \d+/s", shown.err)
    assert re.search(r"repositories.*4/4", shown.err)


def test_a_log_is_there_for_whoever_asks(shop: Cloud) -> None:
    shown = run_in_terminal(100, environment(shop, LOG_LEVEL="INFO"), "dry-run")

    assert '"status": "held-back"' in shown.err
