"""The client of the cloud's API: one session, typed answers, one exception. It knows HTTP and no policies.

Requests and answers are proto3 JSON: camelCase, int64 as strings, default values left out. An error's body is
``{"code": <gRPC code>, "message": ..., "details": [{"@type": ".../google.rpc.RequestInfo", "requestId":
...}]}`` (Yandex Cloud's documentation: api-design-guide/concepts/errors). Lists come in pages of at most
1,000.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO, Protocol
from urllib.parse import quote, urlencode

import msgspec

from shared.cloud import log
from shared.cloud.connecting import NoAnswer
from shared.cloud.connections import Connections, lost
from shared.cloud.decoding import Answer, Decoder, decoder
from shared.cloud.pace import Pace, backoff
from shared.cloud.reach import Server
from shared.cloud.reading import Raw
from shared.errors import (
    GRPC_NAMES,
    INTERNAL,
    PERMISSION_DENIED,
    UNAUTHENTICATED,
    CallError,
    OutOfTime,
    TooLarge,
    without_secrets,
)

PAGE_SIZE = 1000
PAGE, ONE, TOKEN = 64 * 1024**2, 4 * 1024**2, 64 * 1024  # bytes that an answer may have, by its kind
LONGEST_PAGE_TOKEN = 4096
ATTEMPTS = 10
TIMEOUT = 30.0
CODE_OF_STATUS = {400: 3, 401: 16, 403: 7, 404: 5, 409: 10, 429: 8, 499: 1, 500: 13, 501: 12, 503: 14, 504: 4}
SLOW_DOWN = frozenset({429, 503})
RETRYABLE_STATUS = frozenset({429, 500, 502, 503, 504})


class Credentials(Protocol):
    """Where the ``Authorization`` header comes from: its value, and the next after ``refused`` got a 401."""

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


class Cloud:
    """The cloud's APIs at one pace. ``endpoint`` replaces ``https://<service>.api.cloud.yandex.net``."""

    def __init__(self, endpoint: str, pace: Pace) -> None:
        self.endpoint, self.pace, self.concurrency = endpoint, pace, pace.most
        self.credentials: Credentials | None = None
        self._attempts, self._timeout, self._authority = ATTEMPTS, TIMEOUT, ""
        self._most, self._setting = ONE, "YC_API_ENDPOINT"
        self._servers: dict[str, Connections] = {}
        self._others: dict[Any, Cloud] = {}

    def at(
        self,
        endpoint: str,
        *,
        authority: str = "",
        attempts: int = ATTEMPTS,
        timeout: float = TIMEOUT,
        most: int = ONE,
        setting: str = "",
    ) -> Cloud:
        """Another server, with the same credentials, pace and end.

        ``authority`` is the PEM certificate of the CA to trust there instead of the usual ones; ``attempts``,
        ``timeout`` (seconds) and ``most`` (bytes of an answer) are for each of its calls; ``setting`` says
        where it is.
        """
        key = (endpoint, authority, attempts, timeout, most, setting)
        if key not in self._others:
            other = copy.copy(self)
            other.endpoint, other._authority = endpoint.rstrip("/"), authority
            other._attempts, other._timeout, other._servers = attempts, timeout, {}
            other._most, other._setting = most, setting
            self._others[key] = other
        return self._others[key]

    def call(  # noqa: PLR0913 - the options of a call, by keyword
        self,
        method: str,
        service: str,
        path: str,
        answer: type[Answer] | Decoder[Answer],
        *,
        params: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
        role: str = "",
        authorization: str | None = None,
        secrets: tuple[str, ...] = (),
        before: Callable[[], None] | None = None,
        most: int | None = None,
    ) -> Answer:
        """One call and its typed answer; ``role`` is what a refusal says is missing.

        ``authorization`` is the header to send instead of the credentials' one, "" for none. ``before`` is
        called just before each attempt is sent, and may stop it by an exception; ``most`` is how many bytes
        the answer may have.

        Tried again where that may help and is safe. Raises CallError, or OutOfTime.
        """
        if params:
            path = f"{path}?{urlencode(params)}"
        content = None if body is None else msgspec.json.encode(body)

        def attempt(header: str) -> Answer:
            header = header if authorization is None else authorization
            raw = self.send(method, service, path, content, header, before=before, most=most)
            return decoded(
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
                server = self._known(error.service)
                last = attempts >= self._attempts or server.down
                if not error.retryable or last or not self.pace.may_retry():
                    raise
                if error.status not in SLOW_DOWN:
                    self.pause(min(backoff(attempts), server.patience()), str(error))
            attempts += 1

    def pages(
        self,
        service: str,
        path: str,
        answer: type[Answer] | Decoder[Answer],
        *,
        role: str,
        params: dict[str, Any] | None = None,
    ) -> Iterator[Answer]:
        """Every page of a list, the next fetched ahead; ``answer`` has ``next_page_token``."""
        query = dict(params or {}, pageSize=PAGE_SIZE)
        seen: set[str] = set()

        def page_at(place: dict[str, str]) -> Answer:
            return self.call("GET", service, path, answer, params=query | place, role=role, most=PAGE)

        page = page_at({})
        with ThreadPoolExecutor(1) as ahead:
            while token := getattr(page, "next_page_token", ""):
                fault = "the same page came twice" if token in seen else ""
                if fault or len(token) > LONGEST_PAGE_TOKEN:
                    fault = fault or "the next page's token is longer than any"
                    raise CallError(fault, service=service, call=f"GET {path}", code=INTERNAL)
                seen.add(token)
                coming = ahead.submit(page_at, {"pageToken": token})
                yield page
                page = coming.result()
            yield page

    def time_left(self) -> float:
        return self.pace.ends_at - self.pace.clock()

    def pause(self, seconds: float, why: str) -> None:
        """Waits. Raises OutOfTime, which says ``why`` the run had to wait, when too little time is left."""
        self.need(seconds, why)
        self.pace.sleep(seconds)

    def need(self, seconds: float, why: str) -> None:
        """Raises OutOfTime, saying ``why``, when less time is left than that."""
        if seconds >= self.time_left():
            raise OutOfTime(f"The time of this invocation is over: {why}.")

    def send(  # noqa: PLR0913 - all that one request is made of
        self,
        method: str,
        service: str,
        path: str,
        content: bytes | BinaryIO | None = None,
        authorization: str = "",
        accept: str = "application/json",
        *,
        headers: dict[str, str] | None = None,
        before: Callable[[], None] | None = None,
        most: int | None = None,
    ) -> Raw:
        """Sends once, whatever the answer's status.

        ``headers`` are sent too, with the length of a ``content`` that is a file; it is sent from its start.

        Raises CallError when none comes or it is too large, or OutOfTime.
        """
        call = f"{method} {path.partition('?')[0]}"
        sent = {**_headers(accept, authorization, content), **(headers or {})}
        server, known = self._server(service), self._known(service)
        sent_at = self.pace.enter()
        try:
            if not known.may_be_asked():
                raise known.unreachable(service, call, self._setting)
            seconds = min(self._timeout, self.pace.ends_at - sent_at, known.patience())
            raw = server.send(
                method, path, content, sent, seconds, most=most or self._most, before=before or (lambda: None)
            )
        except NoAnswer as error:
            failure = lost(error, service, call)
            known.is_silent(failure.message)
            raise (
                failure if known.answered else known.unreachable(service, call, self._setting, failure)
            ) from None
        finally:
            self.pace.leave()
        known.answers()
        self._keep_pace(raw, sent_at)
        log.debug(f"{call}: {raw.status}")
        if raw.cut and raw.status == 200:
            raise TooLarge(most or self._most, service, call)
        return raw

    def _keep_pace(self, raw: Raw, sent_at: float) -> None:
        if raw.status in SLOW_DOWN:
            self.pace.slow_down(sent_at, _seconds(raw.headers.get("retry-after")))
        elif raw.status < 500:
            self.pace.succeeded()

    def _base(self, service: str) -> str:
        return self.endpoint or f"https://{service}.api.cloud.yandex.net"

    def _known(self, service: str) -> Server:
        return self.pace.reach.of(self._base(service))

    def _server(self, service: str) -> Connections:
        base = self._base(service)
        connections = self._servers.get(base)
        if connections is None:
            connections = self._servers.setdefault(base, Connections(base, self.concurrency, self._authority))
        return connections


def _headers(accept: str, authorization: str, content: object) -> dict[str, str]:
    headers = {"Accept": accept, "Accept-Encoding": "gzip", "User-Agent": "registry-janitor"}
    if authorization:
        headers["Authorization"] = authorization
    if content is not None:
        headers["Content-Type"] = "application/json"
    return headers


def part(text: str) -> str:
    """``text`` as one part of a path."""
    return quote(text, safe="")


def decoded(
    raw: Raw,
    answer: type[Answer] | Decoder[Answer],
    service: str,
    call: str,
    role: str,
    secrets: tuple[str, ...],
) -> Answer:
    check(raw, service, call, role, secrets)
    try:
        return decoder(answer).decode(raw.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        kind = raw.headers.get("content-type", "no content type")
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
        body = decoder(_ErrorBody).decode(raw.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = _ErrorBody()
    code = body.code if body.code in GRPC_NAMES else CODE_OF_STATUS.get(raw.status, 2)
    kind = raw.headers.get("content-type", "no content type")
    message = body.message or "; ".join(f"{error.code}: {error.message}" for error in body.errors)
    if 300 <= raw.status < 400:
        message = f"it answered with a redirect (HTTP {raw.status}), which is not followed"
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
        request_id=next((detail.request_id for detail in body.details if detail.request_id), "")[:100],
        retryable=raw.status in RETRYABLE_STATUS,
        ambiguous=raw.status >= 500 and raw.status != 501,
    )


def _seconds(text: str | None) -> float | None:
    """A ``Retry-After`` header's seconds; its date form is rare and is met by the ordinary pause."""
    return float(text) if text and re.fullmatch(r"\s*[0-9]{1,9}\s*", text) else None
