"""No secret stands in an error, and a slip is answered with the name that was meant."""

from __future__ import annotations

import pytest

from shared.errors import CallError, known, without_secrets

SECRETS = {
    "a JWT": "eyJhbGciOiJQ.eyJpc3MiOi.c2lnbmF0dXJl",
    "an IAM token": "t1.9euelZqMkJ2Nx8-abcdefgh",
    "a private key": "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----",
    "a private key that was cut off": "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
}


@pytest.mark.parametrize("name", SECRETS)
def test_what_looks_like_a_secret_is_struck_out(name: str) -> None:
    assert without_secrets(f"it said {SECRETS[name]}") == "it said [secret]"


def test_a_known_secret_is_struck_out_and_a_short_word_is_not() -> None:
    assert without_secrets("the Bearer, opensesame", "Bearer opensesame") == "the Bearer, [secret]"


def test_a_slip_is_answered_with_the_nearest_name() -> None:
    assert known("gaurds", ["guards", "rules"]) == "did you mean guards?"
    assert known("xyz", ["guards", "rules"]) == "the keys are guards, rules."


def test_a_failed_call_names_the_service_the_call_the_code_and_the_request() -> None:
    error = CallError("no", service="iam", call="GET /x", code=7, request_id="r1")
    assert str(error) == "iam: GET /x: PERMISSION_DENIED: no (request r1)"
