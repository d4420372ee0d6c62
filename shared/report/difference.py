"""Two dry runs of the same images by different settings: what the second newly takes, and what it newly
keeps.
"""

from __future__ import annotations

import msgspec

from shared.report.contract import ImageRow, Report, Status
from shared.retention.records import Notice, Problem, Totals


class Numbers(msgspec.Struct, frozen=True):
    """What one of the two dry runs came to."""

    status: Status
    totals: Totals


class Difference(msgspec.Struct, frozen=True):
    """``newly_kept`` are the rows of the second run, or those of the first with the outcome ``not-taken``."""

    newly_taken: list[ImageRow]
    newly_kept: list[ImageRow]
    before: Numbers
    after: Numbers
    warnings: list[Notice]
    errors: list[Problem]


def difference_between(before: Report, after: Report) -> Difference:
    """Compares two reports that list all of their images."""
    old, new = _going(before), _going(after)
    rows = {row.image_id: row for row in after.images}
    return Difference(
        newly_taken=[row for image_id, row in new.items() if image_id not in old],
        newly_kept=[
            rows.get(image_id) or msgspec.structs.replace(row, outcome="not-taken")
            for image_id, row in old.items()
            if image_id not in new
        ],
        before=Numbers(before.status, before.totals),
        after=Numbers(after.status, after.totals),
        warnings=after.warnings,
        errors=before.errors + [problem for problem in after.errors if problem not in before.errors],
    )


def _going(report: Report) -> dict[str, ImageRow]:
    return {row.image_id: row for row in report.images if row.outcome == "would-delete"}
