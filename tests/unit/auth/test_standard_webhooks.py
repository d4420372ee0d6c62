"""The webhook: who signs is served, once; whoever doesn't gets an error that says why; nothing else deletes
anything.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.auth.standard_webhooks import HEADERS, check
from shared.auth.standard_webhooks import sign as sign_call
from shared.errors import RequestRefused
from shared.state import seen
from shared.state.directory import StateDir
from tests.support.function_server import FUNCTION_ID
from tests.support.signing import KEY, PLACES, signed


def test_an_id_is_remembered_for_as_long_as_its_signature_is_good(tmp_path: Path) -> None:
    state, at = StateDir(str(tmp_path)), 1_000_000_000.0

    for offset in range(0, 600, 7):
        word = f"msg_{offset}"
        assert seen.first(state, "calls", word, at + offset, 600)
        assert not seen.first(state, "calls", word, at + offset + 599, 600)
        assert not seen.first(state, "calls", word, at + offset - 1, 600)


TIMESTAMPS = {
    "milliseconds": ("1764000000123", ["webhook-timestamp", "whole seconds", "milliseconds"]),
    "microseconds": ("1764000000123456", ["webhook-timestamp", "whole seconds", "microseconds"]),
    "nanoseconds": ("1764000000123456789", ["webhook-timestamp", "whole seconds", "nanoseconds"]),
    "a fraction": ("1764000000.5", ["webhook-timestamp", "whole seconds", "a fraction"]),
    "a power": ("1.764e9", ["webhook-timestamp", "whole seconds", "a fraction"]),
    "RFC 3339": ("2026-11-26T03:00:00Z", ["webhook-timestamp", "whole seconds", "a date"]),
    "an HTTP date": ("Thu, 26 Nov 2026 03:00:00 GMT", ["webhook-timestamp", "whole seconds", "a date"]),
    "a word": ("now", ["webhook-timestamp", "whole seconds"]),
    "a sign": ("-1764000000", ["webhook-timestamp", "whole seconds"]),
    "other digits": ("\u0661" * 10, ["webhook-timestamp", "whole seconds"]),
}


@pytest.mark.parametrize(("timestamp", "named"), TIMESTAMPS.values(), ids=TIMESTAMPS)
def test_a_wrong_timestamp_is_told_what_it_must_be(timestamp: str, named: list[str]) -> None:
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": timestamp,
        "webhook-signature": sign_call(KEY, "msg_1", timestamp, b"{}"),
    }
    with pytest.raises(RequestRefused) as caught:
        check(KEY, headers, b"{}", 1_764_000_000.0)
    assert caught.value.http_status == 401
    for text in named:
        assert text in str(caught.value)
    assert "missing" not in str(caught.value)


@pytest.mark.parametrize(
    "missing",
    [["webhook-id"], ["webhook-timestamp"], ["webhook-signature"], ["webhook-id", "webhook-signature"]],
)
def test_each_missing_header_is_named_and_no_other(missing: list[str]) -> None:
    headers = {name: "1764000000" for name in HEADERS if name not in missing}
    with pytest.raises(RequestRefused) as caught:
        check(KEY, headers, b"{}", 1_764_000_000.0)
    assert [name for name in HEADERS if name in str(caught.value)] == missing


def test_a_signature_is_of_the_very_bytes() -> None:
    event = signed('{"action": "dry-run"}')
    headers = {name.lower(): value for name, value in event["headers"].items()}
    now = datetime.now(UTC).timestamp()

    assert check(KEY, headers, event["body"].encode(), now).message_id == headers["webhook-id"]
    with pytest.raises(RequestRefused):
        check(KEY, headers, event["body"].encode() + b"\n", now)


def test_the_function_server_says_where_the_function_is() -> None:
    assert PLACES["the function's id"]["path"] == f"/{FUNCTION_ID}"
