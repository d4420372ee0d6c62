"""A run in one line, and sizes as people read them."""

from __future__ import annotations

from typing import Any

import pytest

from shared.report.summary import size, summary
from tests.support.channels import report

LINES: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "0 images, 0 candidates; 0 B freed"),
    "a dry run": (
        {"mode": "dry-run", "totals": {"images": 9, "candidates": 2, "reclaimed_bytes": 2048}},
        "9 images, 2 candidates; 2.0 KB to free",
    ),
    "every outcome": (
        {"totals": {"protected": 1, "deleted": 2, "already_gone": 3, "failed": 4, "remaining": 5}},
        "0 images, 0 candidates, 1 protected, 2 deleted, 3 already gone, 4 failed, 5 remaining; 0 B freed",
    ),
    "a price": (
        {"price": {"currency": "RUB", "reclaimed_per_month": 1.5}},
        "0 images, 0 candidates; 0 B freed (1.50 RUB a month)",
    ),
}


@pytest.mark.parametrize(("changes", "line"), LINES.values(), ids=LINES)
def test_a_run_in_one_line(changes: dict[str, Any], line: str) -> None:
    assert summary(report(**changes)) == line


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KB"), (5 * 2**30, "5.0 GB"), (3 * 2**50, "3072.0 TB")],
)
def test_a_size(count: int, text: str) -> None:
    assert size(count) == text
