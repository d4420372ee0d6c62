"""How a service account's authorized key becomes an IAM token.

The key signs a JWT (PS256, RFC 7518 section 3.5; header ``kid`` = the key's id; claims ``iss`` = the
account's id, ``aud`` = the exchange's address, ``iat``, ``exp`` at most 3,600 s later), and ``POST
/iam/v1/tokens {"jwt": ...}`` answers ``{"iamToken": ..., "expiresAt": RFC 3339}``; a token lives for 12 hours
at most. (Yandex Cloud's documentation: iam/operations/iam-token/create-for-sa.)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from shared.auth.authorized_key import Key
from shared.auth.tokens import Token
from shared.cloud.client import TOKEN, Cloud
from shared.errors import CallError, CredentialsError, sentence

AUDIENCE = "https://iam.api.cloud.yandex.net/iam/v1/tokens"
JWT_LIFE = 3600
CLOCK_SKEW = 120


def signed(key: Key, now: float) -> str:
    """The JWT to exchange.

    It is dated two minutes back, so that a clock that is a minute ahead is no trouble.
    """
    import jwt  # imported here for the same reason as cryptography

    issued_at = int(now) - CLOCK_SKEW
    claims = {"iss": key.service_account_id, "aud": AUDIENCE, "iat": issued_at, "exp": issued_at + JWT_LIFE}
    return jwt.encode(claims, key.private_key, algorithm="PS256", headers={"kid": key.key_id})


class _Exchanged(msgspec.Struct, rename="camel"):
    iam_token: str
    expires_at: str = ""


def exchange(cloud: Cloud, key: Key, clock: Callable[[], float] = time.time) -> Token:
    """A token for the key.

    Raises CredentialsError when IAM refuses it, CallError when IAM does not answer.
    """
    jwt = signed(key, clock())
    try:
        answer = cloud.call(
            "POST",
            "iam",
            "/iam/v1/tokens",
            _Exchanged,
            body={"jwt": jwt},
            authorization="",
            secrets=(jwt,),
            most=TOKEN,
        )
    except CallError as error:
        if error.retryable:
            raise
        raise CredentialsError(
            f"IAM refused the key {key.key_id} of the service account {key.service_account_id}:"
            f" {sentence(error.message)} Check that the key is this account's, that it was not deleted, and"
            f" that the clock here ({datetime.fromtimestamp(clock(), UTC):%Y-%m-%d %H:%M} UTC) is right.",
            where="POST /iam/v1/tokens",
        ) from None
    return Token(answer.iam_token, _expiry(answer.expires_at, clock()))


def _expiry(text: str, now: float) -> float:
    """When a token expires: never trusted to be further away than the 12 hours that the cloud allows."""
    from dateutil.parser import isoparse  # imported here as jwt is: only the exchange of a key needs it

    try:
        expires_at = isoparse(text).timestamp()
    except ValueError:
        expires_at = now + 3600
    return min(expires_at, now + 12 * 3600)
