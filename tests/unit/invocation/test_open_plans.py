"""The plans that wait are listed for whoever has the signed link, and for nobody else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.auth import plan_links
from shared.errors import RequestRefused
from shared.invocation import open_plans
from shared.invocation.http_call import Call
from shared.invocation.task import Invocation
from shared.report.report import Heading, empty, head
from shared.settings.settings import Settings
from shared.state import plans
from shared.state.directory import StateDir
from shared.state.plans import REJECTED, Decision
from tests.support.plans import VALID

KEY = bytes(32)
NOW = datetime.now(UTC)
HOOK = Settings(folder_id="b1g", webhook_url="https://functions.example/hook")


def save(state: StateDir, age: timedelta, note: str) -> str:
    document = plans.head({}, head(empty(Heading("", "plan", NOW), NOW)), {"folder_id": note})
    return plans.save(state, document, list, NOW - age, VALID)


def test_open_plans_come_newest_first_without_those_that_are_decided_or_ran_out(tmp_path: Path) -> None:
    state = StateDir(str(tmp_path))
    old, new, rejected = (save(state, timedelta(days=age), str(age)) for age in (2, 1, 3))
    save(state, timedelta(days=8), "ran out")
    plans.decide(state, rejected, Decision(REJECTED))
    broken = save(state, timedelta(hours=1), "broken")
    with (tmp_path / "plans" / f"{broken}.json").open("a") as file:
        file.write(" ")

    waiting = open_plans.open_plans(state, HOOK, KEY, NOW)

    assert [plan.plan_id for plan in waiting] == [new, old]
    assert waiting[0].says == "There are no images."
    assert waiting[0].link.startswith(f"https://functions.example/hook?plan={new}&token=")
    assert open_plans.open_plans(state, Settings(), b"", NOW)[0].link == ""


def test_the_list_has_a_link_where_there_is_a_webhook() -> None:
    assert open_plans.list_link(KEY, HOOK, NOW).startswith("https://functions.example/hook?token=")
    assert open_plans.list_link(b"", HOOK, NOW) == open_plans.list_link(KEY, Settings(), NOW) == ""


@pytest.mark.parametrize(
    ("token", "status"),
    [
        (plan_links.token(KEY, "", "list", NOW - timedelta(seconds=1)), 410),
        (plan_links.token(KEY, "", "view", NOW + timedelta(hours=1)), 403),
        (plan_links.token(b"x" * 24, "", "list", NOW + timedelta(hours=1)), 403),
        ("", 403),
    ],
    ids=["too late", "a token of another kind", "another secret's token", "no token"],
)
def test_nobody_else_sees_it(tmp_path: Path, token: str, status: int) -> None:
    environment = {"FOLDER_ID": "b1g1", "CLEANUP_MODE": "plan", "STATE_DIR": str(tmp_path)}

    with pytest.raises(RequestRefused) as caught:
        open_plans.serve(Call("GET", {"token": token}, {}, b""), Invocation(environment), KEY)

    assert caught.value.http_status == status
