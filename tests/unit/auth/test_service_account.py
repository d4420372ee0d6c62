"""What a service account's key signs, and the token that IAM gives for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import jwt
import pytest

from shared.auth.authorized_key import Key, read_key
from shared.auth.service_account import AUDIENCE, CLOCK_SKEW, JWT_LIFE, exchange, signed
from shared.errors import CallError, CredentialsError
from tests.emulator.keys import authorized_key, key_pair
from tests.support.json_server import JsonServer, json_server
from tests.support.key_forms import KEY_FORMS

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()
HOUR = 3600
CALL = "POST /iam/v1/tokens"


@pytest.fixture
def key() -> Key:
    form = KEY_FORMS["as the command line writes it"]
    return read_key(form(authorized_key("ajekey", "ajeaccount", "", key_pair())), "SA_KEY")


@pytest.fixture
def iam() -> Iterator[JsonServer]:
    with json_server() as server:
        yield server


def claims(text: str, public_key: str = key_pair().public_key) -> dict[str, object]:
    """What the JWT says, if the key signed it with PS256."""
    options = {"verify_exp": False, "verify_iat": False}
    return dict(jwt.decode(text, public_key, ["PS256"], options=options, audience=AUDIENCE))  # type: ignore[arg-type]


def test_the_account_says_who_it_is_and_for_whom_and_for_how_long(key: Key) -> None:
    assert claims(signed(key, NOW + 0.9)) == {
        "iss": "ajeaccount",
        "aud": "https://iam.api.cloud.yandex.net/iam/v1/tokens",
        "iat": NOW - CLOCK_SKEW,
        "exp": NOW - CLOCK_SKEW + JWT_LIFE,
    }


def test_the_header_names_the_key_and_the_algorithm(key: Key) -> None:
    assert jwt.get_unverified_header(signed(key, NOW)) == {"alg": "PS256", "kid": "ajekey", "typ": "JWT"}


def test_another_keys_signature_is_not_taken_for_this_ones(key: Key) -> None:
    with pytest.raises(jwt.InvalidSignatureError):
        claims(signed(key, NOW), key_pair("another").public_key)


EXPIRIES = {
    "in an hour": ("2026-11-25T13:00:00Z", HOUR),
    "with nanoseconds": ("2026-11-25T13:00:00.123456789Z", HOUR + 0.123456),
    "in another time zone": ("2026-11-25T16:00:00+03:00", HOUR),
    "just within the longest life": ("2026-11-26T00:00:00Z", 12 * HOUR),
    "beyond the longest life": ("2026-11-26T00:00:01Z", 12 * HOUR),
    "in a hundred years": ("2126-11-25T13:00:00Z", 12 * HOUR),
    "not said": ("", HOUR),
    "no moment": ("tomorrow", HOUR),
}


@pytest.mark.parametrize(("text", "life"), EXPIRIES.values(), ids=EXPIRIES)
def test_a_token_expires_when_iam_says_and_after_twelve_hours_at_most(
    key: Key, iam: JsonServer, text: str, life: float
) -> None:
    iam.answer(CALL, {"iamToken": "t1.new", "expiresAt": text})
    token = exchange(iam.cloud(), key, lambda: NOW)
    assert token.text == "t1.new"
    assert token.expires_at == pytest.approx(NOW + life, abs=0.001)


def test_the_jwt_goes_in_the_body_and_no_token_with_it(key: Key, iam: JsonServer) -> None:
    iam.answer(CALL, {"iamToken": "t1.new"})
    exchange(iam.cloud(), key, lambda: NOW)

    (request,) = iam.requests
    assert claims(request.body["jwt"])["iss"] == "ajeaccount"
    assert "authorization" not in request.headers


@pytest.mark.parametrize(("status", "code"), [(400, 3), (401, 16), (403, 7), (404, 5)])
def test_a_refused_key_is_named_and_its_jwt_is_not_shown(
    key: Key, iam: JsonServer, status: int, code: int
) -> None:
    iam.answer(CALL, lambda request: {"code": code, "message": f"no, not {request.body['jwt']}"}, status)
    with pytest.raises(CredentialsError) as caught:
        exchange(iam.cloud(), key, lambda: NOW)

    message = str(caught.value)
    assert [word for word in ("ajekey", "ajeaccount", "2026-11-25 12:00 UTC") if word not in message] == []
    assert iam.requests[0].body["jwt"] not in message
    assert len(iam.requests) == 1


def test_an_iam_that_stumbles_has_not_refused_the_key(key: Key, iam: JsonServer) -> None:
    iam.answer(CALL, {"code": 13, "message": "oops"}, 500)
    with pytest.raises(CallError) as caught:
        exchange(iam.cloud(), key, lambda: NOW)
    assert caught.value.retryable
