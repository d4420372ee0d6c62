"""A run in one line, for the terminal, messages and the page."""

from __future__ import annotations

from typing import Any


def summary(report: dict[str, Any]) -> str:
    """The run in one line."""
    totals = report["totals"]
    verb = "freed" if report["mode"] == "apply" else "to free"
    counts = ", ".join(
        f"{totals[name]} {name.replace('_', ' ')}"
        for name in ("protected", "deleted", "already_gone", "failed", "remaining")
        if totals[name]
    )
    parts = [f"{totals['images']} images", f"{totals['candidates']} candidates", counts]
    price = report.get("price")
    money = f" ({price['reclaimed_per_month']:.2f} {price['currency']} a month)" if price else ""
    return ", ".join(part for part in parts if part) + f"; {size(totals['reclaimed_bytes'])} {verb}{money}"


def size(count: int) -> str:
    """Bytes as people read them, in powers of 1,024 as the cloud bills them."""
    number = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TB"
