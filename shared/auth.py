"""IAM tokens: how they are got, kept and renewed.

A service account's authorized key signs a JWT (PS256, RFC 7518 section 3.5; header ``kid`` = the key's id; claims
``iss`` = the account's id, ``aud`` = the exchange's address, ``iat``, ``exp`` at most 3,600 s later), and
``POST /iam/v1/tokens {"jwt": ...}`` answers ``{"iamToken": ..., "expiresAt": RFC 3339}``; a token lives for 12 hours
at most. (Yandex Cloud's documentation: iam/operations/iam-token/create-for-sa.) The other sources are a ready token,
the function's ``context.token`` and the metadata service, both
``{"access_token": ..., "expires_in": seconds, "token_type": "Bearer"}``.

A token is fresh until a quarter of its life, or 15 minutes if that is less, remains; stale until it expires, and
then renewed by whoever asks first, the others going on with it; and invalid after that.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import urllib3

from shared.access import Access
from shared.authorized_key import Key, is_key, read_key
from shared.cloud.client import TOKEN, Cloud, part
from shared.cloud.connections import Connections
from shared.errors import CallError, CredentialsError, SettingsError

AUDIENCE = "https://iam.api.cloud.yandex.net/iam/v1/tokens"
JWT_LIFE = 3600
CLOCK_SKEW = 120
RENEW_BEFORE = 900.0
SHORTEST_LIFE = 4.0
REFUSAL_KEPT = 30.0
METADATA_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"


class Token(msgspec.Struct, frozen=True):
    """A bearer token; ``expires_at`` is in seconds since 1970, infinite when nothing is known of it."""

    text: str
    expires_at: float = float("inf")


class TokenKeeper:
    """Keeps the token of one source for the life of the process and renews it, however many threads ask."""

    def __init__(self, source: Callable[[Cloud], Token], clock: Callable[[], float] = time.time) -> None:
        self._source, self._clock, self._lock = source, clock, threading.Lock()
        self._token: Token | None = None
        self._stale_at = 0.0
        self._refused: tuple[float, Exception] | None = None

    def token(self, cloud: Cloud) -> str:
        token = self._token
        if token and self._clock() < self._stale_at:
            return token.text
        valid = token is not None and self._clock() < token.expires_at
        if not self._lock.acquire(blocking=not valid):
            return token.text if token else ""
        try:
            if self._token is None or self._clock() >= self._stale_at:
                self._renew(cloud, spare=valid)
            return self._token.text if self._token else ""
        finally:
            self._lock.release()

    def renew(self, cloud: Cloud, refused: str) -> str:
        """A token other than ``refused``, which the cloud answered with 401."""
        with self._lock:
            if self._token is None or self._token.text == refused:
                self._renew(cloud, spare=False)
            return self._token.text if self._token else ""

    def _renew(self, cloud: Cloud, *, spare: bool) -> None:
        if self._refused and self._clock() - self._refused[0] < REFUSAL_KEPT:
            if spare:
                return
            raise self._refused[1]
        asked_at = self._clock()
        try:
            token = _sendable(self._source(cloud))
        except (CredentialsError, CallError) as error:
            self._refused = (asked_at, error)
            if spare:
                return
            raise
        life = max(token.expires_at - asked_at, SHORTEST_LIFE)
        self._token, self._refused = token, None
        self._stale_at = asked_at + life - min(RENEW_BEFORE, life / 4)


def _sendable(token: Token) -> Token:
    """``token``, if it can stand in a header. Raises CredentialsError."""
    if not re.fullmatch(r"[!-~]+", token.text):
        raise CredentialsError(
            "What was given as a token is none: it is empty, or has characters that no token has.",
            where="token",
        )
    return token


class Bearer:
    """A keeper's tokens as the ``Authorization`` header of one cloud."""

    def __init__(self, keeper: TokenKeeper, cloud: Cloud) -> None:
        self._keeper, self._cloud = keeper, cloud

    def header(self) -> str:
        return f"Bearer {self.token()}"

    def renewed(self, refused: str) -> str:
        return f"Bearer {self._keeper.renew(self._cloud, refused.removeprefix('Bearer '))}"

    def token(self) -> str:
        return self._keeper.token(self._cloud)


_warm: dict[str, TokenKeeper] = {}


def sign_in(cloud: Cloud, access: Access, context: object) -> None:
    """Gives ``cloud`` its tokens, from the first credential that is set, and gets the first one.

    Raises SettingsError for a key that cannot be read, CredentialsError for one that is refused.
    """
    name, source = _source(access, getattr(context, "token", None))
    keeper = _warm.setdefault(
        hashlib.sha256(f"{cloud.endpoint} {name}".encode()).hexdigest(), TokenKeeper(source)
    )
    cloud.credentials = Bearer(keeper, cloud)
    cloud.credentials.token()


def _source(access: Access, ambient: object) -> tuple[str, Callable[[Cloud], Token]]:
    """The credential to use, by the contract's order: a text that tells it from others, and how to ask."""
    if access.iam_token:
        return f"IAM_TOKEN {access.iam_token}", lambda cloud: Token(access.iam_token)
    if access.sa_key or access.sa_key_file:
        where = "SA_KEY" if access.sa_key else "SA_KEY_FILE"
        text = access.sa_key or _file(access.sa_key_file)
        return f"key {text}", lambda cloud: exchange(cloud, read_key(text, where))
    name, source = _ambient(access, ambient)
    if access.sa_key_secret_id:
        return f"lockbox {access.sa_key_secret_id} {name}", lambda cloud: _from_lockbox(cloud, access, source)
    return name, source


def _ambient(access: Access, token: object) -> tuple[str, Callable[[Cloud], Token]]:
    if isinstance(token, dict) and token.get("access_token"):
        text, life = str(token["access_token"]), token.get("expires_in")
        expires_at = time.time() + life if isinstance(life, int | float) else float("inf")
        return f"context {text}", lambda cloud: Token(text, expires_at)
    return f"metadata {access.metadata_address}", lambda cloud: _from_metadata(access.metadata_address)


def _file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SettingsError(
            f"SA_KEY_FILE names {path}, which is not UTF-8 text.", where="SA_KEY_FILE"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the path is not valid"
        raise SettingsError(
            f"SA_KEY_FILE names {path}, which cannot be read: {reason}.", where="SA_KEY_FILE"
        ) from None


def signed(key: Key, now: float) -> str:
    """The JWT to exchange. It is dated two minutes back, so that a clock that is a minute ahead is no trouble."""
    import jwt  # imported here for the same reason as cryptography

    issued_at = int(now) - CLOCK_SKEW
    claims = {"iss": key.service_account_id, "aud": AUDIENCE, "iat": issued_at, "exp": issued_at + JWT_LIFE}
    return jwt.encode(claims, key.private_key, algorithm="PS256", headers={"kid": key.key_id})


class _Exchanged(msgspec.Struct, rename="camel"):
    iam_token: str
    expires_at: str = ""


def exchange(cloud: Cloud, key: Key, clock: Callable[[], float] = time.time) -> Token:
    """A token for the key. Raises CredentialsError when IAM refuses it, CallError when IAM does not answer."""
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
            f"IAM refused the key {key.key_id} of the service account {key.service_account_id}: {error.message}"
            f" Check that the key is this account's, that it was not deleted, and that the clock here"
            f" ({datetime.fromtimestamp(clock(), UTC):%Y-%m-%d %H:%M} UTC) is right.",
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


class _Entry(msgspec.Struct, rename="camel"):
    key: str = ""
    text_value: str = ""


class _Payload(msgspec.Struct):
    entries: list[_Entry] = []


def _from_lockbox(cloud: Cloud, access: Access, ambient: Callable[[Cloud], Token]) -> Token:
    where = "SA_KEY_SECRET_ID"
    reader = Cloud(cloud.endpoint, cloud.pace)
    reader.credentials = Bearer(TokenKeeper(ambient), reader)
    path = f"/lockbox/v1/secrets/{part(access.sa_key_secret_id)}/payload"
    try:
        entries = reader.call("GET", "payload.lockbox", path, _Payload).entries
    except CallError as error:
        if error.retryable:
            raise
        raise CredentialsError(
            f"{where}: the secret cannot be read: {error.message} Give the function's service account"
            " lockbox.payloadViewer on it.",
            where=f"GET {path}",
        ) from None
    texts = [entry.text_value for entry in entries if is_key(entry.text_value)]
    if len(texts) != 1:
        raise SettingsError(
            f"{where}: the secret has {len(texts)} entries that hold a key; it must have one.", where=where
        )
    return exchange(cloud, read_key(texts[0], where))


def _from_metadata(address: str) -> Token:
    where = f"GET http://{address}{METADATA_PATH}"
    try:
        server = Connections(f"http://{address}", 1, direct=True)
        raw = server.send("GET", METADATA_PATH, None, {"Metadata-Flavor": "Google"}, 2, most=TOKEN)
        token = json.loads(raw.body) if raw.status == 200 and not raw.cut else {}
    except (urllib3.exceptions.HTTPError, CallError, ValueError, RecursionError):
        token = {}
    if not isinstance(token, dict) or not token.get("access_token"):
        raise CredentialsError(
            "There are no credentials: the metadata service gives no token. Attach a service account to the function,"
            " or set SA_KEY_FILE, SA_KEY, SA_KEY_SECRET_ID or IAM_TOKEN.",
            where=where,
        )
    life = token.get("expires_in")
    return Token(str(token["access_token"]), time.time() + (life if isinstance(life, int | float) else 3600))
