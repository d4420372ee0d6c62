"""No answer is read without end, whatever its kind."""

from __future__ import annotations

import gzip
import json
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from shared.cloud.client import ONE, PAGE, TOKEN, Cloud
from shared.cloud.container_registry import delete_image, repositories
from shared.cloud.pace import Pace
from shared.errors import CallError
from shared.retention.records import Image
from tests import conftest
from tests.conftest import assert_complains, images, outcomes, policy

MEGABYTE = b" " * 1024**2


@contextmanager
def endless(status: int = 200, encoding: str = "") -> Iterator[tuple[Cloud, list[int]]]:
    """A server whose answers never end; how many bytes it has sent, for each answer."""
    sent: list[int] = []
    chunk = gzip.compress(MEGABYTE) if encoding else MEGABYTE

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent.append(0)
            self.send_response(status)
            if encoding:
                self.send_header("Content-Encoding", encoding)
            self.end_headers()
            try:
                while sent[-1] < 400 * len(chunk):
                    self.wfile.write(chunk)
                    sent[-1] += len(chunk)
            except OSError:
                pass

        do_DELETE = do_GET  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield Cloud(f"http://127.0.0.1:{server.server_port}", Pace(4)), sent
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_an_operation_without_end_is_broken_off_and_may_have_taken_effect(encoding: str) -> None:
    tracemalloc.start()
    with endless(encoding=encoding) as (cloud, sent), pytest.raises(CallError, match="more than") as raised:
        delete_image(cloud, Image("i", "", (), "", 0, b""))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (raised.value.ambiguous, raised.value.retryable) == (True, False)
    assert len(sent) == 1
    assert peak < 8 * ONE


def test_a_page_of_a_list_without_end_is_broken_off() -> None:
    with endless() as (cloud, sent), pytest.raises(CallError, match=f"more than {PAGE} bytes"):
        list(repositories(cloud, "crp1"))

    assert sent[0] < 2 * PAGE


@pytest.mark.parametrize("status", [403, 500])
def test_of_an_error_without_end_the_status_counts(status: int) -> None:
    with endless(status) as (cloud, sent), pytest.raises(CallError, match=f"HTTP {status}") as raised:
        cloud.at(cloud.endpoint, attempts=1).call("GET", "iam", "/", dict)

    assert raised.value.status == status
    assert sent[0] < 16 * 1024**2


def test_a_token_that_is_too_large_is_none(cloud: conftest.Cloud) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})
    cloud.emulator.behaviour(
        faults=[{"match": "POST /iam/v1/tokens", "body": json.dumps({"iamToken": "t" * (TOKEN + 1)})}]
    )

    report = cloud.clean()

    assert_complains(report, "failed", f"more than {TOKEN} bytes")
    assert cloud.left() == {"new", "old"}


@pytest.mark.parametrize("token", ["", "a\r\nb", "a b", "\u00e9"], ids=["empty", "lines", "words", "accent"])
def test_a_token_that_no_header_can_hold_is_none(cloud: conftest.Cloud, token: str) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})
    cloud.emulator.behaviour(
        faults=[{"match": "POST /iam/v1/tokens", "body": json.dumps({"iamToken": token})}]
    )

    assert_complains(cloud.clean(), "failed", "token is none")


def test_an_image_whose_delete_is_answered_without_end_is_looked_for(cloud: conftest.Cloud) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})
    cloud.emulator.behaviour(faults=[{"match": "DELETE *", "body": " " * (ONE + 1)}])

    report = cloud.clean()

    assert cloud.left() == {"new", "old"}
    assert outcomes(report) == {"old": "failed"}


def test_a_page_token_that_is_too_large_ends_the_list(cloud: conftest.Cloud) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})
    body = json.dumps({"images": [], "nextPageToken": "t" * 5000})
    cloud.emulator.behaviour(faults=[{"match": "GET */images", "body": body}])

    report = cloud.clean()

    assert_complains(report, report["status"], "page's token")
    assert cloud.left() == {"new", "old"}
