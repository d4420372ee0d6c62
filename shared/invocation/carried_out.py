"""What came of a plan that is, or was, carried out."""

from __future__ import annotations

import msgspec

from shared.errors import JanitorError
from shared.report import report as reports
from shared.report.contract import Report
from shared.report.sentence import going
from shared.state.plans import CARRIED_OUT, Decision
from shared.state.store import Store


def report(state: Store, planned: Report, decided: Decision) -> Report | None:
    """The report of the run that carried the plan out, as far as that is known by now."""
    if decided.what != CARRIED_OUT or not decided.by:
        return None
    try:
        done = reports.kept(state, decided.by)
    except JanitorError:  # so old that it was deleted
        return None
    if done.finished_at:
        return done
    totals, candidates = done.totals, going(planned)
    settled = totals.deleted + totals.already_gone + totals.protected + totals.failed
    totals = msgspec.structs.replace(totals, candidates=candidates, remaining=candidates - settled)
    return msgspec.structs.replace(
        done, plan_id=planned.plan_id, totals=totals, repositories=planned.repositories
    )
