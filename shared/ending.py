"""How a run ends once it has its report: people are told, the report is kept, the history grows, old files go.

Whatever fails here is a warning in the report, or a line of the log; it never changes the result.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from shared.cleanup.run import Run
from shared.cloud import log
from shared.errors import StateError
from shared.report import report
from shared.report.announce import announce
from shared.settings.channels import Recipient
from shared.state import history
from shared.state.expiry import sweep

SWEEPING = 2.0


def end(
    run: Run, told: dict[str, Any], recipients: list[Recipient], ends_at: float, *, remembers: bool
) -> None:
    """Ends the run; ``told`` is its report, which gets the warnings.

    Nothing is sent or swept after ``ends_at`` (monotonic). ``remembers``: it belongs into the history.
    """
    for notice in announce(run, told, recipients, ends_at):
        run.warn(notice.code, notice.message)
    if keep(run, told) and run.journal and run.surveys and remembers:
        try:
            history.keep(run.journal.state, told, whole=run.pushed is None)
        except StateError as error:
            log.warn(f"The history of the runs has a gap. {error}")
        sweep(run.journal.state, min(ends_at, time.monotonic() + SWEEPING))
    told["warnings"] = msgspec.to_builtins(run.warnings)


def keep(run: Run, told: dict[str, Any]) -> bool:
    """Puts the whole report into the journal, if there is one, and says whether it is there."""
    if run.journal is None:
        return False
    told["warnings"] = msgspec.to_builtins(run.warnings)
    try:
        run.journal.finish(told, report.image_rows(run, told["mode"]))
    except StateError as error:
        run.warn("state-dir", f"The report could not be kept. {error}")
        return False
    return True
