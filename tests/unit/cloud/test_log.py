"""What is logged: one JSON object a line, as the cloud's log service reads it."""

from __future__ import annotations

import pytest

from shared.cloud import log
from tests.support.log import lines_of


def test_a_line_that_would_be_too_long_keeps_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    log.start("TRACE")
    log.error("m" * 200_000, where="w" * 200_000)
    log.error("\N{FIRE}" * 200_000)
    log.warn("short", where="\N{FIRE}" * 200_000)
    log.info("eyJhbGciOiJQUzI1NiJ9.e30.c2lnbmF0dXJl", token="t1.9euelZqVmZKUkpKVz5CLj5SX")

    first, second, third, last = lines_of(capsys.readouterr().err)
    assert first["message"].startswith("mmmm")
    assert second["message"].startswith("\N{FIRE}")
    assert third["message"] == "short"
    assert (last["message"], last["token"]) == ("[secret]", "[secret]")
