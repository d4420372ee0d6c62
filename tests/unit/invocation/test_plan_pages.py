"""A plan's page: it shows to whoever has the link, and approves or rejects by its own forms alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest

from shared.auth import plan_links
from shared.errors import PlanRefused, RequestRefused
from shared.invocation import plan_pages
from shared.invocation.http_call import Call
from shared.invocation.task import Invocation
from shared.report.report import Heading, empty, head
from shared.state import plans
from shared.state.directory import StateDir
from tests.support.plans import VALID

KEY = bytes(32)
NOBODYS = f"20261126T030000000000Z-{'0' * 32}"
SOON = datetime.now(UTC) + timedelta(hours=1)


def call(method: str, plan_id: str, token: str = "", form: dict[str, str] | None = None) -> Call:
    headers = {"content-type": plan_pages.FORM}
    query = {"plan": plan_id, **({"token": token} if token else {})}
    return Call(method, query, headers, urlencode(form or {}).encode())


@pytest.fixture
def plan_id(tmp_path: Path) -> str:
    now = datetime.now(UTC)
    document = plans.head({}, head(empty(Heading("", "plan", now), now)))
    return plans.save(StateDir(str(tmp_path)), document, list, now, VALID)


def invocation(state: Path) -> Invocation:
    return Invocation({"FOLDER_ID": "b1g1", "CLEANUP_MODE": "plan", "STATE_DIR": str(state)})


REFUSED: dict[str, tuple[Call, int]] = {
    "an id that is none": (call("GET", "../plan"), 404),
    "another method": (call("PUT", NOBODYS), 405),
    "a link without its token": (call("GET", NOBODYS), 403),
    "a form that says nothing": (call("POST", NOBODYS), 422),
    "an approval with the link's token": (
        call(
            "POST",
            NOBODYS,
            form={"action": "approve", "token": plan_links.token(KEY, NOBODYS, "view", SOON)},
        ),
        403,
    ),
    "a form that is JSON": (
        Call("POST", {"plan": NOBODYS}, {"content-type": "application/json"}, b"{}"),
        415,
    ),
    "a plan that is not there": (
        call("GET", NOBODYS, plan_links.token(KEY, NOBODYS, "view", SOON)),
        404,
    ),
}


@pytest.mark.parametrize(("sent", "status"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_a_plan_or_not_allowed_is_refused(tmp_path: Path, sent: Call, status: int) -> None:
    with pytest.raises((PlanRefused, RequestRefused)) as caught:
        plan_pages.serve(sent, invocation(tmp_path), KEY)
    assert caught.value.http_status == status


def test_the_page_shows_the_plan_with_tokens_to_decide(tmp_path: Path, plan_id: str) -> None:
    sent = call("GET", plan_id, plan_links.token(KEY, plan_id, "view", SOON))
    response = plan_pages.serve(sent, invocation(tmp_path), KEY)
    assert response["statusCode"] == 200
    assert "Content-Security-Policy" in response["headers"]
    assert plan_id in response["body"]
    assert 'value="approve"' in response["body"]


def test_a_rejected_plan_cannot_be_decided_about_again(tmp_path: Path, plan_id: str) -> None:
    form = {"action": "reject", "token": plan_links.token(KEY, plan_id, "reject", SOON)}

    response = plan_pages.serve(call("POST", plan_id, form=form), invocation(tmp_path), KEY)

    assert response["statusCode"] == 200
    assert "Nothing was deleted" in response["body"]
    decided = plans.decision(StateDir(str(tmp_path)), plan_id)
    assert decided
    assert decided.what == plans.REJECTED
    with pytest.raises(PlanRefused):
        plan_pages.serve(call("POST", plan_id, form=form), invocation(tmp_path), KEY)


def test_a_message_has_the_title_of_its_status() -> None:
    assert "Too late" in plan_pages.message(410, "The link has run out.", {})["body"]
    assert plan_pages.message(405, "No.", {"Allow": "GET"})["headers"]["Allow"] == "GET"
