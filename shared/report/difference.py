"""Two dry runs of the same images by different settings: what the second newly takes, and what it newly
keeps.
"""

from __future__ import annotations

from typing import Any


def difference_between(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Compares two reports that list all of their images."""
    old, new = _going(before), _going(after)
    seen = {row["image_id"]: row for row in after["images"]}
    return {
        "newly_taken": [row for image_id, row in new.items() if image_id not in old],
        "newly_kept": [
            seen.get(image_id) or {**row, "outcome": "not-taken"}
            for image_id, row in old.items()
            if image_id not in new
        ],
        "before": {"status": before["status"], "totals": before["totals"]},
        "after": {"status": after["status"], "totals": after["totals"]},
        "warnings": after["warnings"],
        "errors": before["errors"] + [row for row in after["errors"] if row not in before["errors"]],
    }


def _going(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["image_id"]: row for row in report["images"] if row["outcome"] == "would-delete"}
