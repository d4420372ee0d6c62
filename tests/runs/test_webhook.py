"""The webhook: who signs is served, once; whoever doesn't gets an error that says why; nothing else deletes
anything.
"""

from __future__ import annotations

import base64
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.auth import plan_links
from shared.auth.standard_webhooks import sign as sign_call
from tests.conftest import Cloud, assert_adds_up, images, outcomes, policy
from tests.support.cloud import http, push
from tests.support.commands import codes
from tests.support.function_server import Function
from tests.support.signing import CLEANUP, KEY, PLACES, SECRET, Event, signed

OTHER_SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()
MUTATIONS = 1_000
EVERYTHING = {"new", "old1", "old2"}


class Hook:
    """The webhook of a function that is deployed with a state directory, in mode apply unless told
    otherwise.
    """

    def __init__(self, cloud: Cloud, state: Path) -> None:
        self.cloud, self.state = cloud, state
        self.settings: dict[str, str] = {
            "CLEANUP_MODE": "apply",
            "STATE_DIR": str(state),
            "WEBHOOK_SECRET": SECRET,
            "WEBHOOK_URL": "https://functions.example/hook",
        }

    def answers(self, *events: Any, **settings: str) -> list[Any]:
        results: list[Any] = self.cloud.call("webhook", *events, **self.settings | settings).results  # type: ignore[arg-type]
        return results

    def answer(self, event: Any, **settings: str) -> Any:
        return self.answers(event, **settings)[0]

    def plan(self) -> str:
        return str(self.cloud.clean(**self.settings | {"CLEANUP_MODE": "plan"})["plan_id"])


@pytest.fixture
def hook(cloud: Cloud, tmp_path: Path) -> Hook:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old1", "old2")})
    return Hook(cloud, tmp_path)


def report(answer: Event) -> dict[str, Any]:
    assert answer["statusCode"] == 200, answer
    told: dict[str, Any] = json.loads(answer["body"])
    return told


def problem(answer: Event) -> tuple[int, str]:
    """The status and the detail of an error, which has the form of RFC 9457."""
    status, told = answer["statusCode"], json.loads(answer["body"])
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    assert (told["type"], told["status"]) == ("about:blank", status)
    assert told["title"]
    assert "Traceback" not in answer["body"]
    return status, told["detail"]


# --- signed calls ---


@pytest.mark.parametrize("encoded", [False, True], ids=["as JSON", "in Base64"])
def test_a_client_that_signs_with_the_public_package_is_served(hook: Hook, encoded: bool) -> None:
    dry, plan = hook.answers(
        signed('{"action": "dry-run"}', message_id="a", encoded=encoded),
        signed('{"action": "plan"}', message_id="b", encoded=encoded),
    )
    apply = json.dumps({"action": "apply", "plan_id": report(plan)["plan_id"]})
    applied, cleaned = hook.answers(
        signed(apply, message_id="c", encoded=encoded), signed(message_id="d", encoded=encoded)
    )

    assert outcomes(report(dry)) == {"old1": "would-delete", "old2": "would-delete"}
    assert (report(dry)["mode"], report(plan)["mode"]) == ("dry-run", "plan")
    assert outcomes(report(applied)) == {"old1": "deleted", "old2": "deleted"}
    assert report(applied)["plan_id"] == report(plan)["plan_id"]
    assert_adds_up(report(applied))
    assert report(cleaned)["totals"]["candidates"] == 0
    assert hook.cloud.left() == {"new"}
    assert applied["headers"]["Cache-Control"] == "no-store"


def test_a_signed_cleanup_deletes_in_mode_apply_alone(hook: Hook) -> None:
    assert report(hook.answer(signed(), CLEANUP_MODE="dry-run"))["mode"] == "dry-run"
    assert report(hook.answer(signed(message_id="b"), CLEANUP_MODE="plan"))["plan_id"]
    assert hook.cloud.left() == EVERYTHING

    assert outcomes(report(hook.answer(signed(message_id="c")))) == {"old1": "deleted", "old2": "deleted"}


def test_a_call_may_narrow_the_settings_and_never_widen_them(hook: Hook) -> None:
    narrower = {"action": "cleanup", "mode": "dry-run", "limits": {"max_deletions": 1}}
    wider = {"action": "cleanup", "mode": "apply"}
    first = report(hook.answer(signed(json.dumps(narrower))))
    second = hook.answer(signed(json.dumps(wider), message_id="b"), CLEANUP_MODE="plan")

    assert (first["mode"], first["status"], codes(first)) == ("dry-run", "refused", {"max-deletions"})
    assert problem(second) == (
        403,
        "The event sets mode beyond what the settings allow; change the setting, or list mode in"
        " allow_overrides.",
    )
    assert json.loads(second["body"])["report"]["status"] == "refused"
    assert hook.cloud.left() == EVERYTHING


def test_in_mode_dry_run_no_plan_is_carried_out(hook: Hook) -> None:
    apply = json.dumps({"action": "apply", "plan_id": hook.plan()})

    status, detail = problem(hook.answer(signed(apply), CLEANUP_MODE="dry-run"))

    assert status == 403
    assert "CLEANUP_MODE" in detail
    assert hook.cloud.left() == EVERYTHING


def test_one_of_several_signatures_suffices(hook: Hook) -> None:
    event = signed('{"action": "dry-run"}')
    good = event["headers"]["Webhook-Signature"]
    foreign = signed('{"action": "dry-run"}', secret=OTHER_SECRET)["headers"]["Webhook-Signature"]
    event["headers"]["Webhook-Signature"] = f"v1a,AAAA {foreign} {good}"

    assert report(hook.answer(event))["status"] == "ok"


def test_the_names_of_headers_may_have_any_case(hook: Hook) -> None:
    event = signed('{"action": "dry-run"}')
    event["headers"] = {name.upper(): value for name, value in event["headers"].items()}

    assert report(hook.answer(event))["status"] == "ok"


@pytest.mark.parametrize("late", [-290, 290])
def test_a_clock_may_differ_by_five_minutes(hook: Hook, late: float) -> None:
    assert report(hook.answer(signed('{"action": "dry-run"}', late=late)))["status"] == "ok"


def test_each_call_is_carried_out_once(hook: Hook) -> None:
    event = signed('{"action": "dry-run"}')
    again = signed('{"action": "dry-run"}', message_id=event["headers"]["Webhook-Id"], late=3)

    first, *others = hook.answers(event, event, again)

    assert report(first)["status"] == "ok"
    assert [problem(answer)[0] for answer in others] == [409, 409]


@pytest.fixture
def function(hook: Hook) -> Iterator[Function]:
    environment = {**hook.cloud.environment, **hook.settings, "LOG_LEVEL": "FATAL"}
    made = Function(hook.cloud.bundle, "webhook.handler", environment)
    yield made
    made.close()


def test_of_the_same_call_at_once_one_is_carried_out(hook: Hook, function: Function) -> None:
    event = signed()
    with ThreadPoolExecutor(4) as pool:
        answers = [one["result"] for one in pool.map(function.call, [event] * 4)]

    assert Counter(answer["statusCode"] for answer in answers) == {200: 1, 409: 3}
    assert hook.cloud.left() == {"new"}


# --- what is refused ---


def test_without_a_secret_everything_is_refused(hook: Hook) -> None:
    call, page, pushed = hook.answers(
        signed(),
        http(method="GET") | {"queryStringParameters": {"plan": "x"}},
        push("crp1/app"),
        WEBHOOK_SECRET="",
    )

    assert problem(call)[0] == page["statusCode"] == 403
    assert "WEBHOOK_SECRET" in problem(call)[1]
    assert "WEBHOOK_SECRET" in page["body"]
    assert pushed["status"] == "refused"
    assert hook.cloud.left() == EVERYTHING


BAD_SECRETS = {
    "no prefix": SECRET.removeprefix("whsec_"),
    "too short": "whsec_" + base64.b64encode(bytes(23)).decode(),
    "too long": "whsec_" + base64.b64encode(bytes(65)).decode(),
    "no Base64": "whsec_" + "ключ" * 12,
}


@pytest.mark.parametrize("secret", BAD_SECRETS.values(), ids=BAD_SECRETS)
@pytest.mark.parametrize("entry_point", ["webhook", "cleanup"])
def test_a_bad_secret_is_named_and_never_told(hook: Hook, entry_point: str, secret: str) -> None:
    invocation = hook.cloud.call(entry_point, signed(), **hook.settings | {"WEBHOOK_SECRET": secret})  # type: ignore[arg-type]

    told = json.dumps(invocation.results) + invocation.log
    assert "WEBHOOK_SECRET is no secret of Standard Webhooks; give whsec_ and the Base64 of 24 to 64" in told
    assert secret.removeprefix("whsec_") not in told
    assert invocation.results[0]["statusCode"] == 500
    assert hook.cloud.left() == EVERYTHING


def test_without_a_state_directory_nothing_is_deleted_and_nothing_planned(hook: Hook) -> None:
    cleaned, planned, dry = hook.answers(
        signed(), signed('{"action": "plan"}'), signed('{"action": "dry-run"}'), STATE_DIR=""
    )

    assert problem(cleaned)[0] == 403
    assert problem(planned)[0] == 409
    assert all("STATE_DIR" in problem(answer)[1] for answer in (cleaned, planned))
    assert report(dry)["status"] == "ok"
    assert hook.cloud.left() == EVERYTHING


def altered(event: Event, **parts: Any) -> Event:
    return {**event, **parts}


def with_headers(event: Event, **headers: Any) -> Event:
    changed = {**event["headers"], **{name.replace("_", "-"): value for name, value in headers.items()}}
    return {**event, "headers": {name: value for name, value in changed.items() if value is not None}}


REFUSED: dict[str, tuple[Callable[[], Event], int]] = {
    "GET": (lambda: altered(signed(), httpMethod="GET"), 405),
    "PUT": (lambda: altered(signed(), httpMethod="PUT"), 405),
    "a method that is no text": (lambda: altered(signed(), httpMethod=7), 405),
    "another path": (lambda: altered(signed(), path="/admin"), 404),
    "another path behind a gateway": (lambda: altered(signed(), path="/{proxy+}", url="/admin?x=1"), 404),
    "another query": (lambda: altered(signed(), queryStringParameters={"page": "1"}), 404),
    "a query that is a list": (lambda: altered(signed(), queryStringParameters=["plan"]), 400),
    "no headers": (lambda: altered(signed(), headers=None), 401),
    "no signature": (lambda: with_headers(signed(), Webhook_Signature=None), 401),
    "no id": (lambda: with_headers(signed(), Webhook_Id=None), 401),
    "no timestamp": (lambda: with_headers(signed(), Webhook_Timestamp=None), 401),
    "a signature by another secret": (lambda: signed(secret=OTHER_SECRET), 401),
    "a signature of the asymmetric kind": (lambda: with_headers(signed(), Webhook_Signature="v1a,AAAA"), 401),
    "six minutes late": (lambda: signed(late=360), 401),
    "six minutes early": (lambda: signed(late=-360), 401),
    "a timestamp with a sign": (lambda: with_headers(signed(), Webhook_Timestamp="+1"), 401),
    "a header of two values": (lambda: with_headers(signed(), webhook_id="other"), 400),
    "a header that is a number": (lambda: with_headers(signed(), X_Forwarded_For=1), 400),
    "a compressed body": (lambda: with_headers(signed(), Content_Encoding="gzip"), 415),
    "another character set": (
        lambda: with_headers(signed(), Content_Type="application/json; charset=utf-16"), 415,
    ),
    "a body of 256 KB and a byte": (lambda: signed('{"action": "' + "x" * (256 * 1024 - 13) + '"}'), 413),
    "a body of just 256 KB": (lambda: signed('{"action": "' + "x" * (256 * 1024 - 14) + '"}'), 422),
    "a body that is an object": (lambda: altered(signed(), body={"action": "cleanup"}), 400),
    "a body with half a character": (lambda: altered(signed(), body='{"action": "\ud800"}'), 400),
    "no body": (lambda: altered(signed(), body=None), 401),
    "an empty body": (lambda: signed(""), 400),
    "Base64 that isn't": (lambda: altered(signed(), isBase64Encoded=True), 400),
    "Base64 as a word": (lambda: altered(signed(), isBase64Encoded="yes"), 400),
    "no JSON": (lambda: signed("action=cleanup"), 400),
    "a list": (lambda: signed('["cleanup"]'), 400),
    "no number": (lambda: signed('{"action": "cleanup", "limits": {"max_share": NaN}}'), 400),
    "a hundred thousand brackets": (lambda: signed("[" * 100_000), 400),
    "deep overrides": (lambda: signed('{"action": "cleanup", "a":' + '{"a":' * 500 + "1" + "}" * 501), 400),
    "UTF-16": (lambda: signed(CLEANUP.encode("utf-16"), encoded=True), 400),
    "half a character as an escape": (lambda: signed('{"action": "cleanup", "state_dir": "\\ud800"}'), 400),
    "no action": (lambda: signed("{}"), 422),
    "an unknown action": (lambda: signed('{"action": "delete"}'), 422),
    "an action that is a list": (lambda: signed('{"action": ["cleanup"]}'), 422),
    "a plan without a name": (lambda: signed('{"action": "apply"}'), 422),
    "a plan for a clean-up": (lambda: signed('{"action": "cleanup", "plan_id": "x"}'), 422),
    "no such plan": (lambda: signed('{"action": "apply", "plan_id": "20261125T030000000000Z-' + "0" * 32 + '"}'), 404),
    "a path for a plan": (lambda: signed('{"action": "apply", "plan_id": "../../etc/passwd"}'), 404),
    "an unknown setting": (lambda: signed('{"action": "cleanup", "messages": []}'), 403),
    "a value of the wrong kind": (lambda: signed('{"action": "cleanup", "limits": {"max_deletions": "all"}}'), 400),
    "a huge number": (lambda: signed('{"action": "cleanup", "limits": {"max_deletions": 1' + "0" * 400 + "}}"), 403),
}  # fmt: skip


def test_what_is_wrong_gets_its_status_and_a_reason(hook: Hook) -> None:
    hook.cloud.emulator.clear_calls()
    events = [make() for make, _ in REFUSED.values()]
    for number, event in enumerate(events):
        if isinstance(event.get("headers"), dict):
            event["headers"].setdefault("X-Number", str(number))

    answers = dict(zip(REFUSED, hook.answers(*events), strict=True))

    statuses = {name: problem(answer)[0] for name, answer in answers.items()}
    assert statuses == {name: status for name, (_, status) in REFUSED.items()}
    assert answers["GET"]["headers"]["Allow"] == "POST"
    assert answers["no signature"]["headers"]["WWW-Authenticate"]
    assert hook.cloud.left() == EVERYTHING
    assert not [call for call in hook.cloud.emulator.calls() if "/images" in call["path"]]


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_it_is_served_where_the_cloud_puts_it(hook: Hook, place: dict[str, str]) -> None:
    assert report(hook.answer(signed('{"action": "dry-run"}') | place))["status"] == "ok"


ODD: tuple[Any, ...] = (
    None,
    7,
    -1,
    1.5,
    True,
    [],
    ["v1"],
    {},
    {"a": 1},
    "",
    " ",
    "\x00",
    "\ud800",
    "é",
    "9" * 5000,
)


def mutated(number: int) -> Event:
    """A signed cleanup with something wrong: header, body, time, id, Base64 or encoding."""
    dice = random.Random(number)
    event = signed(message_id=f"msg_{number}", encoded=dice.random() < 0.5)
    header = dice.choice(["Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"])
    wrong = dice.choice(MUTATORS)(event, header, dice)
    return json.loads(json.dumps(wrong))  # type: ignore[no-any-return]


def _a_letter(text: str, dice: random.Random) -> str:
    place = dice.randrange(len(text))
    other = dice.choice([letter for letter in "aZ0 .,=\n\x7fé" if letter != text[place]])
    return text[:place] + dice.choice([other, "", other + text[place]]) + text[place + 1 :]


def _altered_header(event: Event, header: str, dice: random.Random) -> Event:
    changed = _a_letter(event["headers"][header], dice)
    if header == "Webhook-Signature" and event["headers"][header] in changed.split(" "):
        changed = "v1,"
    return {**event, "headers": {**event["headers"], header: changed}}


def _odd_header(event: Event, header: str, dice: random.Random) -> Event:
    return {**event, "headers": {**event["headers"], header: dice.choice(ODD)}}


def _lost_header(event: Event, header: str, dice: random.Random) -> Event:
    kept = {name: value for name, value in event["headers"].items() if name != header}
    return {**event, "headers": kept, "multiValueHeaders": {header: [event["headers"][header]]}}


def _second_header(event: Event, header: str, dice: random.Random) -> Event:
    return {**event, "headers": {**event["headers"], header.swapcase(): dice.choice(["", "v1", "0"])}}


def _odd_headers(event: Event, header: str, dice: random.Random) -> Event:
    return {**event, "headers": dice.choice(ODD)}


def _altered_body(event: Event, header: str, dice: random.Random) -> Event:
    return {**event, "body": _a_letter(event["body"], dice)}


def _other_body(event: Event, header: str, dice: random.Random) -> Event:
    body = '{"action": "cleanup", "mode": "apply"}'
    return {**event, "body": base64.b64encode(body.encode()).decode() if event["isBase64Encoded"] else body}


def _odd_body(event: Event, header: str, dice: random.Random) -> Event:
    return {**event, "body": dice.choice(ODD)}


def _other_time(event: Event, header: str, dice: random.Random) -> Event:
    off = dice.choice([-1, 1]) * dice.choice([1, 60, 299, 301, 10**6, 10**12])
    moved = str(int(event["headers"]["Webhook-Timestamp"]) + off)
    return {**event, "headers": {**event["headers"], "Webhook-Timestamp": moved}}


def _stale(event: Event, header: str, dice: random.Random) -> Event:
    return signed(late=dice.choice([-1, 1]) * dice.choice([360, 400, 86_400, 10**8]))


def _other_flag(event: Event, header: str, dice: random.Random) -> Event:
    flags: list[Any] = [None, False, 0, []] if event["isBase64Encoded"] else [True, 1, "true"]
    return {**event, "isBase64Encoded": dice.choice([*flags, "false", [1], 2])}


def _other_encoding(event: Event, header: str, dice: random.Random) -> Event:
    return signed(
        CLEANUP.encode(dice.choice(["utf-16", "utf-32", "utf-16-le", "utf-7", "cp500"])) + b"\xff",
        encoded=True,
    )


def _twice_encoded(event: Event, header: str, dice: random.Random) -> Event:
    raw = CLEANUP.encode()
    return {**event, "body": base64.b64encode(base64.b64encode(raw)).decode(), "isBase64Encoded": True}


def _other_secret(event: Event, header: str, dice: random.Random) -> Event:
    return signed(secret=OTHER_SECRET, encoded=event["isBase64Encoded"])


def _nonsense(event: Event, header: str, dice: random.Random) -> Event:
    bodies = [
        "null",
        "0",
        '"cleanup"',
        "[]",
        "{}",
        '{"action": null}',
        '{"action": "Cleanup"}',
        CLEANUP[:-1],
        CLEANUP * 2,
    ]
    return signed(dice.choice(bodies), message_id=f"msg_{dice.random()}")


MUTATORS = (
    _altered_header, _odd_header, _lost_header, _second_header, _odd_headers, _altered_body, _other_body, _odd_body,
    _other_time, _stale, _other_flag, _other_encoding, _twice_encoded, _other_secret, _nonsense,
)  # fmt: skip


def test_a_thousand_mutated_calls_are_refused_and_delete_nothing(hook: Hook) -> None:
    events = [mutated(number) for number in range(MUTATIONS)]
    hook.cloud.emulator.clear_calls()

    *answers, last = hook.answers(*events, signed(message_id="msg_right"), LOG_LEVEL="FATAL")

    wrong = {
        number: answer["statusCode"]
        for number, answer in enumerate(answers)
        if not 400 <= answer["statusCode"] < 500
    }
    assert not wrong, [events[number] for number in wrong][:3]
    for answer in answers:
        problem(answer)
    statuses = Counter(answer["statusCode"] for answer in answers)
    assert {400, 401, 422} <= statuses.keys(), "each of them is met"
    assert report(last)["totals"]["images"] == 3, "nothing was gone when the right one came"
    assert hook.cloud.left() == {"new"}


def test_a_call_signed_in_milliseconds_is_told_so(hook: Hook) -> None:
    stamp = str(int(datetime.now(UTC).timestamp() * 1000))
    event = signed('{"action": "dry-run"}')
    signature = sign_call(KEY, event["headers"]["Webhook-Id"], stamp, event["body"].encode())
    event = with_headers(event, Webhook_Timestamp=stamp, Webhook_Signature=signature)

    status, detail = problem(hook.answer(event))

    assert status == 401
    assert "milliseconds" in detail


# --- pushes ---


def test_a_burst_of_fifty_pushes_is_one_clean_up(hook: Hook) -> None:
    environment = {**hook.cloud.environment, **hook.settings, "LOG_LEVEL": "FATAL"}
    function = Function(hook.cloud.bundle, "cleanup.handler", environment)
    with ThreadPoolExecutor(5) as pool:
        reports = [one["result"] for one in pool.map(function.call, [push("crp1/app")] * 50)]
    function.close()

    assert {report["status"] for report in reports} == {"ok"}
    assert sum(report["totals"]["deleted"] for report in reports) == 2
    dry_runs = [call for call in hook.cloud.emulator.calls() if "/dryRunLifecyclePolicy/" in call["path"]]
    assert len(dry_runs) == 2  # one more just before the deletions
    assert hook.cloud.left() == {"new"}


# --- a plan in a browser ---


def get(plan_id: str, token: str, method: str = "GET") -> Event:
    return http(method=method) | {"body": "", "queryStringParameters": {"plan": plan_id, "token": token}}


def form(plan_id: str, action: str, token: str) -> Event:
    body = base64.b64encode(f"plan={plan_id}&action={action}&token={token}".encode()).decode()
    return http(body, base64_encoded=True) | {
        "headers": {"content-type": "application/x-www-form-urlencoded", "accept": "text/html"},
        "queryStringParameters": {"plan": plan_id},
    }


def token(plan_id: str, action: str, lasts: float = 3600, key: bytes = KEY) -> str:
    return plan_links.token(key, plan_id, action, datetime.now(UTC) + timedelta(seconds=lasts))


def offered(page: Event) -> dict[str, str]:
    """The tokens of the page's forms, by their actions."""
    found = re.findall(
        r'name="action" value="(\w+)"><input type="hidden" name="token" value="([^"]+)"', page["body"]
    )
    return dict(found)


def test_a_link_shows_the_plan_and_its_form_carries_it_out_once(hook: Hook) -> None:
    plan_id = hook.plan()
    page, head = hook.answers(
        get(plan_id, token(plan_id, "view")), get(plan_id, token(plan_id, "view"), "HEAD")
    )

    assert page["statusCode"] == head["statusCode"] == 200
    assert "old1" in page["body"]
    assert hook.cloud.left() == EVERYTHING
    approve = form(plan_id, "approve", offered(page)["approve"])
    first, second, seen = hook.answers(approve, approve, get(plan_id, token(plan_id, "view")))

    assert first["statusCode"] == 200
    assert hook.cloud.left() == {"new"}
    assert second["statusCode"] == 409
    assert "was carried out at" in second["body"]
    assert seen["statusCode"] == 200
    assert not offered(seen), "there is nothing left to decide"


def test_a_rejected_plan_is_not_carried_out(hook: Hook) -> None:
    plan_id = hook.plan()
    rejected, approved, applied = hook.answers(
        form(plan_id, "reject", token(plan_id, "reject")),
        form(plan_id, "approve", token(plan_id, "approve")),
        signed(json.dumps({"action": "apply", "plan_id": plan_id})),
    )

    assert rejected["statusCode"] == 200
    assert approved["statusCode"] == 409
    assert problem(applied)[0] == 409
    assert all("was rejected" in answer["body"] for answer in (approved, applied))
    assert hook.cloud.left() == EVERYTHING


OTHER_PLAN = "20261125T030000000000Z-" + "0" * 32
NOT_APPROVED: dict[str, tuple[Callable[[str], Event], int]] = {
    "by a GET": (lambda plan: get(plan, token(plan, "approve")), 403),
    "by the token of the link": (lambda plan: form(plan, "approve", token(plan, "view")), 403),
    "by the token to reject": (lambda plan: form(plan, "approve", token(plan, "reject")), 403),
    "by another plan's token": (lambda plan: form(plan, "approve", token(OTHER_PLAN, "approve")), 403),
    "by another secret's token": (lambda plan: form(plan, "approve", token(plan, "approve", key=bytes(32))), 403),
    "by an old token": (lambda plan: form(plan, "approve", token(plan, "approve", lasts=-1)), 410),
    "by a token with a later expiry": (
        lambda plan: form(plan, "approve", "99999999999." + token(plan, "approve", lasts=-1).partition(".")[2]), 403,
    ),
    "without a token": (lambda plan: form(plan, "approve", ""), 403),
    "without an action": (lambda plan: form(plan, "", token(plan, "approve")), 422),
    "by another form": (lambda plan: form(plan, "approve", token(plan, "approve")) | {"headers": {}}, 415),
    "by a form that isn't": (lambda plan: form(plan, "approve", "x") | {"body": "////"}, 400),
    "by another method": (lambda plan: form(plan, "approve", token(plan, "approve")) | {"httpMethod": "PUT"}, 405),
    "without a plan": (lambda plan: form("x", "approve", token("x", "approve")), 404),
    "by a signed call's secret": (lambda plan: signed() | {"queryStringParameters": {"plan": plan}}, 415),
}  # fmt: skip


def test_nothing_else_approves_a_plan(hook: Hook) -> None:
    plan_id = hook.plan()
    answers = dict(
        zip(NOT_APPROVED, hook.answers(*(make(plan_id) for make, _ in NOT_APPROVED.values())), strict=True)
    )

    assert {name: answer["statusCode"] for name, answer in answers.items()} == {
        name: status for name, (_, status) in NOT_APPROVED.items()
    }
    for answer in answers.values():
        headers = answer["headers"]
        assert headers["Content-Type"].startswith("text/html")
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "<script" not in answer["body"]
    assert answers["by another method"]["headers"]["Allow"] == "GET, HEAD, POST"
    assert hook.cloud.left() == EVERYTHING


def test_a_link_is_told_to_nobody_but_those_who_are_notified(hook: Hook) -> None:
    plan_id = hook.plan()
    shown = hook.cloud.call("webhook", get(plan_id, token(plan_id, "view")), **hook.settings)  # type: ignore[arg-type]

    kept = "".join(file.read_text() for file in hook.state.rglob("*") if file.is_file())
    for text in (kept, shown.log):
        assert "token=" not in text
        assert SECRET not in text
    assert token(plan_id, "view")[11:] not in shown.log
