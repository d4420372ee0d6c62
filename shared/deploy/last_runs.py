"""The last runs, as the state in the bucket keeps them."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.deploy import storage
from shared.deploy.deployment import Deployment
from shared.deploy.names import Names
from shared.errors import CallError, StateError
from shared.report.contract import Report
from shared.report.summary import summary
from shared.state import journal
from shared.state.store import Store

SHOWN = 3
LOOKED_BACK = timedelta(days=35)


def lines(deployment: Deployment, now: datetime) -> str:
    """A sentence, or a line for each run."""
    place = deployment.config.deploy.state_bucket
    if not place:
        name = Names(deployment.config.deploy.name).cleanup
        return f"no deploy.state_bucket keeps them; yc serverless function logs {name} shows their log"
    try:
        state = storage.state(deployment.cloud, deployment.access, place)
        after = f"{now - LOOKED_BACK:%Y%m%dT}"
        run_ids = [run_id for run_id in journal.runs(state) if run_id > after]
        rows = [f"\n      {run_id}: {_outcome(state, run_id)}" for run_id in reversed(run_ids[-SHOWN:])]
    except (CallError, StateError) as error:
        return f"they cannot be read. {error}"
    return "".join(rows) or f"none in the last {LOOKED_BACK.days} days"


def _outcome(state: Store, run_id: str) -> str:
    report = journal.written_report(state, run_id, Report)
    if report is None:
        return "has no report that can be read: it is under way, or was cut off"
    return f"{report.mode}, {report.status}: {summary(report)}"
