"""How a Docker registry is signed in to, and where no token is ever sent."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from urllib.parse import parse_qs

import pytest

from shared.cloud.docker_host import DockerHost
from shared.cloud.registry_token import SignIn
from shared.errors import INTERNAL, UNAUTHENTICATED, CallError
from tests.support.json_server import TOKEN, JsonServer, json_server

PING, ISSUE = "GET /v2/", "GET /token"
BASIC = f"Basic {base64.b64encode(f'iam:{TOKEN}'.encode()).decode()}"


@pytest.fixture
def registry() -> Iterator[JsonServer]:
    with json_server() as server:
        yield server


def sign_in(registry: JsonServer) -> SignIn:
    return SignIn(registry.cloud(), "crp1/app", DockerHost("", "registry", "the puller's role", "A_SETTING"))


def ask_for(registry: JsonServer, challenge: str) -> None:
    """The registry answers 401 with that header."""
    registry.answer(PING, {}, 401, WWW_Authenticate=challenge)


def test_an_open_registry_needs_no_header(registry: JsonServer) -> None:
    registry.answer(PING, {})
    assert sign_in(registry).header() == ""


@pytest.mark.parametrize("challenge", ['Basic realm="x"', "basic", "BASIC  realm=x"])
def test_basic_is_the_iam_token_of_the_user_iam(registry: JsonServer, challenge: str) -> None:
    ask_for(registry, challenge)
    assert sign_in(registry).header() == BASIC


CHALLENGES = {
    "quoted": 'Bearer realm="{url}/token",service="s"',
    "with spaces": 'Bearer realm = "{url}/token", service = "s"',
    "plain": "Bearer realm={url}/token,service=s",
    "in other letters": 'bearer Realm="{url}/token",SERVICE="s"',
}


@pytest.mark.parametrize("challenge", CHALLENGES.values(), ids=CHALLENGES)
def test_a_bearer_is_fetched_from_the_registrys_own_realm(registry: JsonServer, challenge: str) -> None:
    ask_for(registry, challenge.format(url=registry.url))
    registry.answer(ISSUE, {"token": "issued"})

    assert sign_in(registry).header() == "Bearer issued"

    ping, issue = registry.requests
    assert "authorization" not in ping.headers
    assert issue.headers["authorization"] == BASIC
    assert parse_qs(issue.query) == {"service": ["s"], "scope": ["repository:crp1/app:pull"]}


def test_the_query_of_a_realm_stays(registry: JsonServer) -> None:
    ask_for(registry, f'Bearer realm="{registry.url}/token?a=b"')
    registry.answer(ISSUE, {"access_token": "issued"})
    assert sign_in(registry).header() == "Bearer issued"
    assert parse_qs(registry.requests[1].query)["a"] == ["b"]


FOREIGN = {
    "another port": "http://127.0.0.1:1/token",
    "another host": "https://evil.example/token",
    "a name below the cloud's": "https://bucket.cr.yandex/token",
    "a name that ends as the cloud's": "https://evilcr.yandex/token",
    "the cloud's without TLS": "http://cr.yandex/token",
    "the cloud's at another port": "https://cr.yandex:444/token",
    "the cloud's as a user": "https://cr.yandex@evil.example/token",
    "the cloud's before a backslash": "https://evil.example\\@cr.yandex/token",
    "no URL": "token",
    "another scheme": "file:///etc/passwd",
}


@pytest.mark.parametrize("realm", FOREIGN.values(), ids=FOREIGN)
def test_no_token_is_sent_to_a_realm_that_is_not_the_registrys(registry: JsonServer, realm: str) -> None:
    ask_for(registry, f'Bearer realm="{realm}",service="s"')
    with pytest.raises(CallError, match="which is not its own; no token is sent there") as caught:
        sign_in(registry).header()
    assert caught.value.code == UNAUTHENTICATED
    assert registry.calls() == [PING]


@pytest.mark.parametrize(
    "challenge",
    ["", "Bearer", "Negotiate x", 'Bearer service="s"', 'Bearer realm="{url}/token",realm="{url}/other"'],
)
def test_a_challenge_that_is_not_understood_gets_no_token(registry: JsonServer, challenge: str) -> None:
    ask_for(registry, challenge.format(url=registry.url))
    with pytest.raises(CallError, match="does not say how to sign in"):
        sign_in(registry).header()
    assert registry.calls() == [PING]


@pytest.mark.parametrize("document", [{}, {"token": ""}, {"token": "a b"}, {"token": "a\r\nX: y"}])
def test_what_no_header_can_hold_is_no_token(registry: JsonServer, document: dict[str, str]) -> None:
    ask_for(registry, f'Bearer realm="{registry.url}/token"')
    registry.answer(ISSUE, document)
    with pytest.raises(CallError, match="what it gives as a token is none") as caught:
        sign_in(registry).header()
    assert caught.value.code == INTERNAL


def test_a_header_is_kept_until_it_is_refused(registry: JsonServer) -> None:
    ask_for(registry, f'Bearer realm="{registry.url}/token"')
    for token in ("first", "second"):
        registry.answer(ISSUE, {"token": token})
    signed_in = sign_in(registry)

    assert [signed_in.header() for _ in range(2)] == ["Bearer first"] * 2
    assert signed_in.renewed("Bearer first") == "Bearer second"
    assert signed_in.renewed("Bearer first") == "Bearer second"  # another thread's, refused as well
    assert registry.calls() == [PING, ISSUE] * 2
