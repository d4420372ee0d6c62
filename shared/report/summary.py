"""A run in one line, for the terminal, messages and the page."""

from __future__ import annotations

from shared.errors import many
from shared.report.contract import Report


def summary(report: Report) -> str:
    """The run in one line."""
    totals = report.totals
    verb = "freed" if report.mode == "apply" else "to free"
    counts = {
        "protected": totals.protected,
        "deleted": totals.deleted,
        "already gone": totals.already_gone,
        "failed": totals.failed,
        "remaining": totals.remaining,
    }
    parts = [many(totals.images, "image"), many(totals.candidates, "candidate")]
    parts += [f"{count:,} {name}" for name, count in counts.items() if count]
    price = report.price
    money = f" ({price.reclaimed_per_month:.2f} {price.currency} a month)" if price else ""
    return ", ".join(parts) + f"; {size(totals.reclaimed_bytes)} {verb}{money}"


def size(count: int) -> str:
    """Bytes as people read them, in powers of 1,024 as the cloud bills them."""
    number = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TB"
