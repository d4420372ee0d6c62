"""No key and no token shows up in a report, a log line or an HTTP answer, whatever goes wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.conftest import Cloud, images, policy
from tests.support.cloud import Invocation, http, timer

READY = "t1.9euelZqVmZKUkpKVz5CLj5SXlu3rnpWa-a-test"


class Echo(BaseHTTPRequestHandler):
    """An API that repeats in its error message whatever it was sent, and remembers it."""

    seen: list[str]
    status = 401

    def do_GET(self) -> None:
        self._refuse()

    def do_POST(self) -> None:
        self._refuse()

    def _refuse(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        authorization = self.headers.get("Authorization", "")
        self.seen.append(sent + authorization)
        message = f"cannot take {sent} with Authorization: {authorization} and token={authorization[7:]}"
        body = json.dumps({"code": 16, "message": message}).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def echo() -> Iterator[tuple[str, list[str]]]:
    """The echoing API's address, and what it was sent so far."""
    seen: list[str] = []
    handler = type("EchoOfOneTest", (Echo,), {"seen": seen})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()


def everything(invocation: Invocation) -> str:
    """All that leaves the function: its answers, with and without escapes, and its log."""
    answers = [json.dumps(result, ensure_ascii=False) for result in invocation.results]
    bodies = [result["body"] for result in invocation.results if "body" in result]
    return "\n".join([*answers, *bodies, invocation.log])


def key_pieces(key: dict[str, str]) -> list[str]:
    lines = key["private_key"].split("-----")[2].split()
    assert len(lines) > 20
    return [*lines, "PRIVATE KEY"]


def assert_keeps_secrets(cloud: Cloud, invocation: Invocation, *more: str) -> None:
    told = everything(invocation)
    assert invocation.log.strip(), "a log at TRACE says something"
    for secret in (*key_pieces(cloud.key), "t1.emulator-", "eyJ", "Bearer t1", *more):
        assert secret not in told


@pytest.fixture
def stocked(cloud: Cloud) -> Cloud:
    cloud.seed(
        {"name": "app", "policies": [policy()], "images": images("new", "old")},
        tokens=[{"token": READY, "service_account_id": cloud.account["id"]}],
    )
    return cloud


def test_a_run_that_succeeds_keeps_its_secrets(stocked: Cloud) -> None:
    invocation = stocked.call("cleanup", timer(), http(), CLEANUP_MODE="apply")

    assert stocked.left() == {"new"}
    assert_keeps_secrets(stocked, invocation)


FAULTS: dict[str, list[dict[str, Any]]] = {
    "IAM refuses the key": [{"match": "POST /iam/*", "status": 401, "code": 16, "message": "JWT is invalid"}],
    "IAM answers in HTML": [{"match": "POST /iam/*", "html": 403}],
    "IAM answers with another form": [{"match": "POST /iam/*", "body": '{"iamToken": 5}', "times": 1}],
    "the API refuses the token": [{"match": "GET */registries", "status": 401, "code": 16}],
    "the API answers in HTML": [{"match": "GET */registries", "html": 404}],
    "deletes fail": [
        {"match": "DELETE *", "status": 403, "code": 7, "message": "no, eyJhbGciOiJQUzI1NiJ9.e30.c2ln"}
    ],
}


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_a_run_that_fails_keeps_its_secrets(stocked: Cloud, faults: list[dict[str, Any]]) -> None:
    stocked.emulator.behaviour(faults=faults)

    invocation = stocked.call("cleanup", timer(), http(), CLEANUP_MODE="apply")

    assert_keeps_secrets(stocked, invocation)


def test_an_api_that_repeats_the_token_in_its_error_does_not_give_it_away(stocked: Cloud) -> None:
    repeated = json.dumps({"code": 7, "message": f"Authorization: Bearer {READY} is not enough"})
    stocked.emulator.behaviour(faults=[{"match": "GET */registries", "body": repeated, "status": 403}])

    invocation = stocked.call("cleanup", timer(), http(), IAM_TOKEN=READY, SA_KEY="", CLEANUP_MODE="apply")

    assert "is not enough" in everything(invocation)
    assert_keeps_secrets(stocked, invocation, READY, READY[3:])
    assert stocked.left() == {"new", "old"}


def test_an_iam_that_repeats_the_signed_jwt_does_not_give_it_away(
    stocked: Cloud, echo: tuple[str, list[str]]
) -> None:
    address, seen = echo

    invocation = stocked.call("cleanup", timer(), http(), YC_API_ENDPOINT=address, CLEANUP_MODE="apply")

    (sent,) = {json.loads(body)["jwt"] for body in seen}
    assert sent.startswith("eyJ")
    assert "cannot take" in everything(invocation)
    assert_keeps_secrets(stocked, invocation, *sent.split("."))


@pytest.mark.parametrize(
    "token",
    [READY, "plain-token-without-a-known-form", "y0_AgAAAA.and/slashes+plus=="],
    ids=["t1", "plain", "odd"],
)
def test_a_ready_token_that_is_repeated_is_struck_out_whatever_its_form(
    stocked: Cloud, echo: tuple[str, list[str]], token: str
) -> None:
    address, seen = echo

    invocation = stocked.call(
        "cleanup", timer(), http(), YC_API_ENDPOINT=address, IAM_TOKEN=token, SA_KEY="", CLEANUP_MODE="apply"
    )

    assert any(token in body for body in seen)
    assert_keeps_secrets(stocked, invocation, token)


def test_a_broken_key_is_not_shown(stocked: Cloud) -> None:
    pem = stocked.key["private_key"]
    broken = {
        "cut": json.dumps({**stocked.key, "private_key": pem[:900]}),
        "not JSON": pem,
        "unquoted": json.dumps(stocked.key)[:-1],
        "under another name": json.dumps({"id": "a", "service_account_id": "b", "key": pem}),
    }
    for key in broken.values():
        invocation = stocked.call("cleanup", timer(), http(), SA_KEY=key, CLEANUP_MODE="apply")
        assert "SA_KEY" in everything(invocation)
        assert_keeps_secrets(stocked, invocation)
    assert stocked.emulator.calls() == []


def test_a_secret_in_the_wrong_place_is_not_shown(stocked: Cloud) -> None:
    """People paste the key where its path belongs, and the token where the mode does."""
    pem = json.dumps(stocked.key)

    as_a_path = stocked.call("cleanup", timer(), http(), SA_KEY_FILE=pem, SA_KEY="", CLEANUP_MODE="apply")
    as_an_override = stocked.call("cleanup", {"private_key": pem}, {"mode": READY}, http(pem), timer(pem))

    assert_keeps_secrets(stocked, as_a_path)
    assert_keeps_secrets(stocked, as_an_override, READY)
    assert stocked.left() == {"new", "old"}
