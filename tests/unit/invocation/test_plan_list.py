"""The plans that wait for a decision, as ``plans`` lists them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from functions.__main__ import main
from shared.auth import plan_links
from shared.report.contract import PlanRow
from shared.report.report import Heading, empty, head
from shared.state import plans
from shared.state.directory import StateDir
from shared.state.plans import REJECTED, Decision
from tests.support.pages import image
from tests.support.plans import VALID

NOW = datetime.now(UTC)
URL = "https://functions.yandexcloud.net/d4e1?tag=live"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateDir:
    monkeypatch.setenv("FOLDER_ID", "b1g1")
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    (tmp_path / "plans").mkdir()
    return StateDir(str(tmp_path))


def kept(state: StateDir, made_at: datetime, *outcomes: str) -> str:
    """The id of a plan that has an image of each outcome."""
    rows = [
        msgspec.convert(image(number, outcome=outcome, reasons=["policy old-builds"]), PlanRow)
        for number, outcome in enumerate(outcomes)
    ]
    report = head(empty(Heading("r1", "plan", made_at), made_at))
    document = plans.head({}, msgspec.to_builtins(report))
    return plans.save(state, document, lambda: rows, made_at, VALID)


def listed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    assert main(["plans", "--json"]) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_open_plans_are_listed_and_no_others(
    state: StateDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(state, NOW - VALID - timedelta(hours=1), "would-delete")
    plans.decide(state, kept(state, NOW - timedelta(days=3), *["would-delete"] * 2), Decision(REJECTED))
    changed = kept(state, NOW - timedelta(days=2), *["would-delete"] * 3)
    file = tmp_path / f"plans/{changed}.json"
    file.write_bytes(file.read_bytes() + b" ")
    first = kept(state, NOW - timedelta(days=1), *["would-delete"] * 4, "protected")
    second = kept(state, NOW, *["would-delete"] * 5)

    found = listed(capsys)

    assert [(plan["plan_id"], plan["images"], plan["link"]) for plan in found] == [
        (first, 4, ""),
        (second, 5, ""),
    ]
    assert found[1]["open_until"] == f"{NOW + VALID:%Y-%m-%dT%H:%M:%SZ}"


def test_a_person_gets_the_links_and_how_to_carry_one_out(
    state: StateDir, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    monkeypatch.setenv("WEBHOOK_URL", URL)
    plan_id = kept(state, NOW, "would-delete")

    assert main(["plans"]) == 0

    first, link, hint = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{plan_id}: deletes 1 images, ")
    assert first.endswith(f"; open until {NOW + VALID:%Y-%m-%dT%H:%M:%SZ}")
    assert link.strip().startswith(f"{URL}&plan={plan_id}&token=")
    assert plan_links.TOKEN.fullmatch(link.rpartition("token=")[2])
    assert hint == "To carry one out: python -m functions apply PLAN_ID"


def test_no_plan_and_no_place_for_plans_are_told(
    state: StateDir, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["plans"]) == 0
    assert capsys.readouterr().out.startswith("No plan is open in ")
    monkeypatch.delenv("STATE_DIR")
    assert main(["plans"]) == 3
    assert "STATE_BUCKET" in capsys.readouterr().err
