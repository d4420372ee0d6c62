"""A run in one line, and sizes as people read them."""

from __future__ import annotations

from typing import Any

import pytest

from shared.report.summary import size, summary

TOTALS = {
    "images": 9,
    "candidates": 3,
    "protected": 1,
    "deleted": 2,
    "already_gone": 0,
    "failed": 0,
    "remaining": 0,
}
REPORT: dict[str, Any] = {"mode": "apply", "totals": TOTALS | {"reclaimed_bytes": 2048}}


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KB"), (1536 * 1024, "1.5 MB"), (3 << 30, "3.0 GB"), (2 << 40, "2.0 TB")],
)  # fmt: skip
def test_a_size(count: int, text: str) -> None:
    assert size(count) == text


def test_a_run_in_one_line() -> None:
    assert summary(REPORT) == "9 images, 3 candidates, 1 protected, 2 deleted; 2.0 KB freed"


def test_a_dry_run_with_a_price() -> None:
    report = REPORT | {"mode": "dry-run", "price": {"reclaimed_per_month": 1.5, "currency": "RUB"}}
    assert summary(report).endswith("2.0 KB to free (1.50 RUB a month)")
