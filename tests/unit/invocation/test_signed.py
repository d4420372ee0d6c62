"""A signed call: what its body may say, and that it is carried out once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.errors import RequestRefused
from shared.invocation import http_call, signed
from shared.invocation.task import Invocation
from tests.support.signing import KEY
from tests.support.signing import signed as sign


def serve(body: str, environment: dict[str, str], message_id: str = "") -> int:
    call = http_call.read(sign(body, message_id=message_id), {""})
    return int(signed.serve(call, Invocation(environment), KEY)["statusCode"])


BODIES: dict[str, tuple[str, int]] = {
    "no JSON": ("action=cleanup", 400),
    "a list": ("[]", 400),
    "no action": ("{}", 422),
    "an unknown action": ('{"action": "delete"}', 422),
    "a plan that is not named": ('{"action": "apply"}', 422),
    "a plan for what has none": ('{"action": "cleanup", "plan_id": "p1"}', 422),
    "a clean-up that could be repeated unseen": ('{"action": "cleanup"}', 403),
}


@pytest.mark.parametrize(("body", "status"), BODIES.values(), ids=BODIES)
def test_a_body_that_says_nothing_to_do_is_refused(body: str, status: int) -> None:
    with pytest.raises(RequestRefused) as caught:
        serve(body, {"FOLDER_ID": "b1g1", "CLEANUP_MODE": "apply"})
    assert caught.value.http_status == status


def test_a_call_is_carried_out_once(tmp_path: Path) -> None:
    environment = {"FOLDER_ID": "b1g1", "STATE_DIR": str(tmp_path)}
    body = json.dumps({"action": "apply", "plan_id": "no-plan"})
    assert serve(body, environment, "msg_1") >= 400
    with pytest.raises(RequestRefused, match="webhook-id"):
        serve(body, environment, "msg_1")


@pytest.mark.parametrize("action", ["dry-run", "plan", "cleanup"])
def test_wrong_settings_are_a_problem_with_the_report(action: str) -> None:
    call = http_call.read(sign(json.dumps({"action": action})), {""})
    response = signed.serve(call, Invocation({}), KEY)
    assert response["headers"]["Content-Type"] == "application/problem+json"
    assert json.loads(response["body"])["report"]["errors"][0]["where"] == "FOLDER_ID"
