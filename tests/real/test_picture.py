"""The README's picture of a plan's page can be taken anew."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests import picture


@pytest.mark.slow  # a run over thousands of images
def test_the_picture_of_a_plan_is_taken(tmp_path: Path) -> None:
    picture.take(tmp_path / "plan.png")

    head = (tmp_path / "plan.png").read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", head[16:]) == tuple(picture.SIZE.values())
