"""An HTTP call as it arrives: anybody can send anything, so every part is checked."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from shared.errors import RequestRefused
from shared.invocation.http_call import HEADERS, MOST_BYTES, media_type, problem, read, wants_page

PATHS = {"", "/hook"}
CALL: dict[str, Any] = {"httpMethod": "POST", "headers": {"Content-Type": "text/plain; charset=UTF-8"}}

REFUSED: dict[str, tuple[dict[str, Any], int]] = {
    "another path": ({"path": "/else"}, 404),
    "an unknown word in the query": ({"queryStringParameters": {"x": "1"}}, 404),
    "a query that is no object": ({"queryStringParameters": ["plan"]}, 400),
    "a header that is a number": ({"headers": {"X": 1}}, 400),
    "a header twice": ({"headers": {"A": "1", "a": "2"}}, 400),
    "a compressed body": ({"headers": {"Content-Encoding": "gzip"}}, 415),
    "another charset": ({"headers": {"Content-Type": "text/plain; charset=koi8-r"}}, 415),
    "an address that cannot be read": ({"url": "https://[x/"}, 400),
    "a path that is no text": ({"path": 5}, 400),
    "a body that is no text": ({"body": {}}, 400),
    "a body that is no Base64": ({"body": "%", "isBase64Encoded": True}, 400),
    "neither true nor false": ({"body": "", "isBase64Encoded": "yes"}, 400),
    "a body that is too long": ({"body": "x" * (MOST_BYTES + 1)}, 413),
}


@pytest.mark.parametrize(("parts", "status"), REFUSED.values(), ids=REFUSED)
def test_a_call_that_cannot_be_served_is_refused_with_its_status(parts: dict[str, Any], status: int) -> None:
    with pytest.raises(RequestRefused) as caught:
        read(CALL | parts, PATHS)
    assert caught.value.http_status == status


@pytest.mark.parametrize("path", ["", "/", "/hook", "/hook/", "/{proxy+}"])
def test_a_call_to_one_of_the_paths_is_read(path: str) -> None:
    body = base64.b64encode("да".encode()).decode()
    call = read(CALL | {"path": path, "body": body, "isBase64Encoded": True}, PATHS)
    assert (call.method, call.query, call.body) == ("POST", {}, "да".encode())
    assert media_type(call) == "text/plain"


WANTING: dict[str, tuple[dict[str, Any], bool]] = {
    "a browser": ({"headers": {"Accept": "text/html,*/*"}}, True),
    "a plan's page": ({"queryStringParameters": {"plan": "x"}}, True),
    "a client": ({"headers": {"Accept": "application/json"}}, False),
    "nothing": ({}, False),
    "what is malformed": ({"headers": [1], "queryStringParameters": 2}, False),
}


@pytest.mark.parametrize(("event", "expected"), WANTING.values(), ids=WANTING)
def test_a_page_is_for_browsers_and_about_plans(event: dict[str, Any], expected: bool) -> None:
    assert wants_page(event) is expected


def test_a_problem_keeps_the_headers_of_every_response() -> None:
    response = problem(405, "Only POST is served here.", {"Allow": "POST"})
    assert response["statusCode"] == 405
    assert response["headers"].items() >= {**HEADERS, "Allow": "POST"}.items()
    assert '"title": "Method Not Allowed"' in response["body"]
