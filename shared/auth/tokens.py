"""IAM tokens: how long one is kept, and when it is renewed.

A token is fresh until a quarter of its life, or 15 minutes if that is less, remains; stale until it expires,
and then renewed by whoever asks first, the others going on with it; and invalid after that.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

import msgspec

from shared.cloud.client import Cloud
from shared.errors import CallError, CredentialsError

RENEW_BEFORE = 900.0
SHORTEST_LIFE = 4.0
REFUSAL_KEPT = 30.0


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
