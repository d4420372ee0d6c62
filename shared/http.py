"""How the cloud is asked: one session, typed answers, one exception. Knows HTTP and nothing of policies.

Requests and answers are proto3 JSON: camelCase, int64 as strings, default values left out. An error's body is
``{"code": <gRPC code>, "message": ..., "details": [{"@type": ".../google.rpc.RequestInfo", "requestId": ...}]}``
(Yandex Cloud's documentation: api-design-guide/concepts/errors). Lists come in pages of at most 1,000.
"""

from __future__ import annotations

import copy
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, urlencode

import msgspec
import requests

from shared import log
from shared.errors import (
    GRPC_NAMES,
    INTERNAL,
    PERMISSION_DENIED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    CallError,
    OutOfTime,
    without_secrets,
)

PAGE_SIZE = 1000
ATTEMPTS = 8
TIMEOUT = 30.0
CODE_OF_STATUS = {400: 3, 401: 16, 403: 7, 404: 5, 409: 10, 429: 8, 499: 1, 500: 13, 501: 12, 503: 14, 504: 4}
RETRYABLE_STATUS = frozenset({429, 500, 502, 503, 504})

Answer = TypeVar("Answer")


class Credentials(Protocol):
    """Where the ``Authorization`` header comes from: its value, and another one after ``refused`` got a 401."""

    def header(self) -> str: ...

    def renewed(self, refused: str) -> str: ...


class _RequestInfo(msgspec.Struct, rename="camel"):
    request_id: str = ""


class _RegistryError(msgspec.Struct):
    code: str = ""
    message: str = ""


class _ErrorBody(msgspec.Struct):
    """An error of the cloud's API, of Kubernetes (``message``) or of a Docker registry (``errors``)."""

    code: int = 0
    message: str = ""
    errors: list[_RegistryError] = []
    details: list[_RequestInfo] = []


class Raw(msgspec.Struct, frozen=True):
    """An answer as it came."""

    status: int
    headers: Any
    body: bytes


class Cloud:
    """The cloud's APIs behind one session.

    ``endpoint`` replaces every ``https://<service>.api.cloud.yandex.net``; ``ends_at`` is the monotonic time, in
    seconds, after which no call is started or waited for.
    """

    def __init__(
        self,
        endpoint: str = "",
        *,
        concurrency: int = 16,
        ends_at: float = float("inf"),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.endpoint, self.concurrency, self.ends_at = endpoint, concurrency, ends_at
        self.clock, self.sleep = clock, sleep
        self.credentials: Credentials | None = None
        self.retries = 0
        self._attempts, self._timeout = ATTEMPTS, TIMEOUT
        self._in_flight = threading.Semaphore(concurrency)
        self._session = _session(_adapter(endpoint, "", concurrency))
        self._others: dict[Any, Cloud] = {}

    def at(
        self, endpoint: str, *, authority: str = "", attempts: int = ATTEMPTS, timeout: float = TIMEOUT
    ) -> Cloud:
        """Another server with the same credentials, limit of requests in flight and end.

        ``authority`` is the PEM certificate of the CA to trust there instead of the usual ones; ``attempts`` and
        ``timeout`` (seconds) are for each of its calls.
        """
        key = (endpoint, authority, attempts, timeout)
        if key not in self._others:
            other = copy.copy(self)
            other.endpoint, other._attempts, other._timeout = endpoint.rstrip("/"), attempts, timeout
            other._session = _session(_adapter(endpoint, authority, self.concurrency))
            self._others[key] = other
        return self._others[key]

    def call(
        self,
        method: str,
        service: str,
        path: str,
        answer: type[Answer],
        *,
        params: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
        role: str = "",
        authorization: str | None = None,
        secrets: tuple[str, ...] = (),
    ) -> Answer:
        """One call and its typed answer; ``role`` is what a refusal says is missing.

        ``authorization`` is the header to send instead of the credentials' one, "" for none.

        Tried again where that may help and is safe. Raises CallError, or OutOfTime.
        """
        if params:
            path = f"{path}?{urlencode(params)}"
        content = None if body is None else msgspec.json.encode(body)

        def attempt(header: str) -> Answer:
            header = header if authorization is None else authorization
            raw = self.send(method, service, path, content, header)
            return _decoded(
                raw, answer, service, f"{method} {path.partition('?')[0]}", role, (*secrets, header)
            )

        return self.persist(attempt, self.credentials if authorization is None else None)

    def persist(self, attempt: Callable[[str], Answer], credentials: Credentials | None) -> Answer:
        """``attempt`` with an ``Authorization`` header, again after a 401, and after errors that may pass."""
        header = credentials.header() if credentials else ""
        renewed, attempts, ambiguous = False, 1, False
        while True:
            try:
                return attempt(header)
            except CallError as error:
                if error.code == UNAUTHENTICATED and credentials and not renewed:
                    header, renewed = credentials.renewed(header), True
                    continue
                error.ambiguous = ambiguous = ambiguous or error.ambiguous
                if not error.retryable or attempts >= self._attempts:
                    raise
                self._wait(error, attempts)
            attempts += 1

    def pages(
        self,
        service: str,
        path: str,
        answer: type[Answer],
        *,
        role: str,
        params: dict[str, Any] | None = None,
    ) -> Iterator[Answer]:
        """Every page of a list; ``answer`` has the field ``next_page_token``."""
        asked = dict(params or {}, pageSize=PAGE_SIZE)
        seen: set[str] = set()
        while True:
            page = self.call("GET", service, path, answer, params=asked, role=role)
            yield page
            token = getattr(page, "next_page_token", "")
            if not token:
                return
            if token in seen:
                raise CallError(
                    "the same page came twice", service=service, call=f"GET {path}", code=INTERNAL
                )
            seen.add(token)
            asked["pageToken"] = token

    def time_left(self) -> float:
        return self.ends_at - self.clock()

    def pause(self, seconds: float, why: str) -> None:
        """Waits. Raises OutOfTime, saying ``why`` there was something to wait for, when there is no time to."""
        if seconds >= self.time_left():
            raise OutOfTime(f"The time of this invocation is over: {why}.")
        self.sleep(seconds)

    def send(
        self,
        method: str,
        service: str,
        path: str,
        content: bytes | None = None,
        authorization: str = "",
        accept: str = "application/json",
    ) -> Raw:
        """Sends once, whatever the answer's status. Raises CallError when none comes, or OutOfTime."""
        call = f"{method} {path.partition('?')[0]}"
        left = self.time_left()
        if left <= 0:
            raise OutOfTime("The time of this invocation is over.", where=call)
        headers = {"Accept": accept}
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            with self._in_flight:
                answer = self._session.request(
                    method,
                    f"{self.endpoint or f'https://{service}.api.cloud.yandex.net'}{path}",
                    data=content,
                    headers=headers,
                    auth=_Authorization(authorization),
                    timeout=min(self._timeout, left),
                    allow_redirects=False,
                )
        except requests.RequestException as error:
            raise CallError(
                _plain(error),
                service=service,
                call=call,
                code=UNAVAILABLE,
                retryable=True,
                ambiguous=not isinstance(error, requests.ConnectTimeout),
            ) from None
        log.debug(f"{call}: {answer.status_code}")
        return Raw(answer.status_code, answer.headers, answer.content)

    def _wait(self, error: CallError, attempt: int) -> None:
        pause = error.retry_after
        if pause is None:
            pause = random.uniform(0.5, 1) * min(5.0, 0.1 * 2**attempt)
        self.pause(pause, str(error))
        self.retries += 1


class _Authorization(requests.auth.AuthBase):
    """The ``Authorization`` header; an auth object also keeps requests from reading ~/.netrc."""

    def __init__(self, header: str) -> None:
        self._header = header

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._header:
            request.headers["Authorization"] = self._header
        return request


class _Trusting(requests.adapters.HTTPAdapter):
    """Trusts one CA alone."""

    def __init__(self, context: ssl.SSLContext, **options: Any) -> None:
        self._context = context
        super().__init__(**options)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options, ssl_context=self._context)

    def cert_verify(self, *arguments: Any) -> None:
        """Leaves the trust to the context."""


def _adapter(endpoint: str, authority: str, connections: int) -> requests.adapters.HTTPAdapter:
    if not authority:
        return requests.adapters.HTTPAdapter(pool_maxsize=connections)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=authority)
    except (ssl.SSLError, ValueError):
        raise CallError(
            "the certificate of its CA is not PEM", service=endpoint, call="connect", code=INTERNAL
        ) from None
    return _Trusting(context, pool_maxsize=connections)


def _session(adapter: requests.adapters.HTTPAdapter) -> requests.Session:
    session = requests.Session()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def part(text: str) -> str:
    """``text`` as one part of a path."""
    return quote(text, safe="")


def _decoded(
    raw: Raw, answer: type[Answer], service: str, call: str, role: str, secrets: tuple[str, ...]
) -> Answer:
    check(raw, service, call, role, secrets)
    try:
        return msgspec.json.decode(raw.body, type=answer, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        kind = raw.headers.get("Content-Type", "no content type")
        problem = (
            "is not of the documented form"
            if isinstance(error, msgspec.ValidationError)
            else f"is not JSON but {kind}"
        )
        raise CallError(
            f"the answer {problem} ({without_secrets(str(error), *secrets)[:200]})",
            service=service,
            call=call,
            code=INTERNAL,
            retryable=True,
            ambiguous=True,
        ) from None


def check(raw: Raw, service: str, call: str, role: str, secrets: tuple[str, ...]) -> None:
    """Raises the CallError that an answer other than 200 stands for."""
    if raw.status == 200:
        return
    try:
        said = msgspec.json.decode(raw.body, type=_ErrorBody, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = _ErrorBody()
    code = said.code if said.code in GRPC_NAMES else CODE_OF_STATUS.get(raw.status, 2)
    kind = raw.headers.get("Content-Type", "no content type")
    message = said.message or "; ".join(f"{error.code}: {error.message}" for error in said.errors)
    message = message or f"HTTP {raw.status} with {kind} instead of an error in JSON"
    message = without_secrets(message, *secrets)[:500]
    if code == PERMISSION_DENIED and role:
        message += f"; give the service account the role {role}"
    raise CallError(
        message,
        service=service,
        call=call,
        code=code,
        status=raw.status,
        request_id=next((detail.request_id for detail in said.details if detail.request_id), "")[:100],
        retryable=raw.status in RETRYABLE_STATUS,
        retry_after=_seconds(raw.headers.get("Retry-After")),
        ambiguous=raw.status >= 500,
    )


def _seconds(text: str | None) -> float | None:
    """A ``Retry-After`` header's seconds; its date form is rare and is met by the ordinary pause."""
    return float(text) if text and text.strip().isdigit() else None


def _plain(error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate is not trusted"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    return f"no connection or a broken one ({type(error).__name__})"
