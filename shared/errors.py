"""Every error of the bundle. Its text is the sentence that a person reads; entry points turn it into answers.

JanitorError
├── SettingsError      a setting, a file or a key is wrong: nothing was asked of the cloud
├── EventError         the event cannot be understood
│   └── UnknownName    the event names something that is not there
├── OverrideRefused    the event asks for more than the settings allow
├── DeploymentRefused  a deployment would touch what is not its own, or was not agreed to
├── CredentialsError   no token could be had
├── StateError         the state cannot be kept: what cannot be written down is not done
├── AllRefused         every delete of a repository was refused alike: the rest is not asked for
├── LeaseLost          another run may be at work: nothing more is deleted
├── PlanRefused        the plan is unknown, changed, too old, rejected, or was carried out before
├── RequestRefused     an HTTP call is not served: its form, its signature or its token is wrong
├── CallError          the cloud answered with an error, with nonsense, or not at all
│   └── TooLarge       an answer has more bytes than are read
├── Doubtful           an answer lacks what was there a moment ago, or cannot be right: nothing may rest on it
├── Stale              the last look at a repository is too old to delete by it
└── OutOfTime          the invocation ends before the work does
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from typing import Any

GRPC_NAMES = {
    1: "CANCELLED",
    2: "UNKNOWN",
    3: "INVALID_ARGUMENT",
    4: "DEADLINE_EXCEEDED",
    5: "NOT_FOUND",
    6: "ALREADY_EXISTS",
    7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED",
    9: "FAILED_PRECONDITION",
    10: "ABORTED",
    11: "OUT_OF_RANGE",
    12: "UNIMPLEMENTED",
    13: "INTERNAL",
    14: "UNAVAILABLE",
    15: "DATA_LOSS",
    16: "UNAUTHENTICATED",
}
UNKNOWN, INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED = 2, 3, 5, 7
ALREADY_EXISTS, FAILED_PRECONDITION, ABORTED = 6, 9, 10
UNIMPLEMENTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED = 12, 13, 14, 16

_SECRETS = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*"  # a JWT
    r"|\bt1\.[\w.=-]{16,}"  # an IAM token
    r"|(?<=Bearer )[^\s\"']+"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
    re.DOTALL,
)


def without_secrets(text: str, *known: str) -> str:
    """``text`` with every known secret, and whatever looks like a token or a private key, struck out."""
    for secret in known:
        for word in secret.split():
            if len(word) >= 8:  # not the word Bearer
                text = text.replace(word, "[secret]")
    return _SECRETS.sub("[secret]", text)


class JanitorError(Exception):
    """The base: ``where`` names the setting, the event or the call; the text says what is wrong and the
    remedy.
    """

    exit_status = 1
    report_status = "failed"
    http_status = 500
    code = INTERNAL

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(message)
        self.where = where
        self.noted = False


class SettingsError(JanitorError):
    exit_status = 2
    code = INVALID_ARGUMENT


class EventError(JanitorError):
    exit_status = 2
    http_status = 400
    code = INVALID_ARGUMENT


class UnknownName(EventError):
    http_status = 422


class OverrideRefused(JanitorError):
    exit_status = 3
    report_status = "refused"
    http_status = 403
    code = PERMISSION_DENIED


class AllRefused(JanitorError):
    """Every delete of a repository was refused alike."""


class DeploymentRefused(JanitorError):
    exit_status = 3
    code = FAILED_PRECONDITION


class CredentialsError(JanitorError):
    code = UNAUTHENTICATED


class StateError(JanitorError):
    exit_status = 3
    report_status = "refused"
    code = FAILED_PRECONDITION


class PlanRefused(JanitorError):
    """``http_status``: 404 unknown, 409 changed, rejected or carried out, 410 too old."""

    report_status = "refused"
    code = FAILED_PRECONDITION

    def __init__(self, message: str, *, http_status: int = 409, where: str = "plan") -> None:
        super().__init__(message, where=where)
        self.http_status = http_status
        self.exit_status = 2 if http_status == 404 else 3


class RequestRefused(JanitorError):
    """``headers`` are those that the HTTP status asks for."""

    exit_status = 2
    report_status = "refused"
    code = INVALID_ARGUMENT

    def __init__(self, http_status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message, where="request")
        self.http_status, self.headers = http_status, headers or {}


class LeaseLost(JanitorError):
    exit_status = 3
    report_status = "refused"
    code = FAILED_PRECONDITION


class Doubtful(JanitorError):
    report_status = "held-back"
    exit_status = 3
    code = FAILED_PRECONDITION


class Stale(JanitorError):
    code = FAILED_PRECONDITION


class OutOfTime(JanitorError):
    exit_status = 4
    report_status = "unfinished"
    code = 4


class CallError(JanitorError):
    """One call that did not succeed.

    ``code`` is the gRPC code (``UNAVAILABLE`` when no answer came), ``status`` the HTTP status, ``retryable``
    whether the same call may succeed later, ``ambiguous`` whether the call may have taken effect although it
    failed.
    """

    def __init__(  # noqa: PLR0913 - what is known of a call, by keyword
        self,
        message: str,
        *,
        service: str,
        call: str,
        code: int,
        status: int = 0,
        request_id: str = "",
        retryable: bool = False,
        ambiguous: bool = False,
    ) -> None:
        name = GRPC_NAMES.get(code, str(code))
        asked = f" (request {request_id})" if request_id else ""
        super().__init__(f"{service}: {call}: {name}: {message}{asked}", where=call)
        self.service, self.code, self.message = service, code, message
        self.status, self.request_id = status, request_id
        self.retryable, self.ambiguous = retryable, ambiguous


def known(name: str, names: Iterable[str], kind: str = "keys") -> str:
    """The nearest of the known names, or all of them; ``kind`` says what they name."""
    names = list(names)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"the {kind} are {', '.join(names)}."


def key_of(error: str) -> str:
    """The key, dotted, that a msgspec.ValidationError is about; "" for the whole document."""
    found = re.search(r"`\$\.?([\w.]*)", error)
    return found[1] if found else ""


def printable(text: str) -> str:
    """``text`` with whatever is not printable, line breaks too, replaced."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def sentence(text: str) -> str:
    """``text`` with a full stop, unless it has its end."""
    return text if text.endswith((".", "?")) else f"{text}."


def many(count: int, noun: str, plural: str = "") -> str:
    """``count`` with its noun: ``1 image``, ``2,000 images``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def short(value: Any) -> str:
    """``value`` as TOML writes it, a text in quotes, cut after 60 characters."""
    text = printable((value if isinstance(value, str) else _written(value))[:61])
    text = f"{text[:60]}…" if len(text) > 60 else text
    return f'"{text}"' if isinstance(value, str) else text


def _written(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value, ensure_ascii=False, default=str)


class TooLarge(CallError):
    """An answer of 200 that has more bytes than such an answer may have. The call has taken effect."""

    def __init__(self, most: int, service: str, call: str) -> None:
        super().__init__(
            f"the answer has more than {most} bytes, which no such answer has",
            service=service,
            call=call,
            code=INTERNAL,
            status=200,
            ambiguous=True,
        )
