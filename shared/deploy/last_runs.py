"""The last runs, as the state's bucket keeps them: ``runs/<run id>/report.json``."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from shared.cloud.client import Cloud
from shared.deploy import storage
from shared.deploy.deployment import Deployment
from shared.deploy.names import Names
from shared.errors import NOT_FOUND, CallError
from shared.report.contract import Report
from shared.report.summary import summary

SHOWN = 3
LOOKED_BACK = timedelta(days=35)
RUNS = "runs/"


def lines(deployment: Deployment, now: datetime) -> str:
    """A sentence, or a line for each run."""
    bucket = deployment.config.deploy.state_bucket
    if not bucket:
        name = Names(deployment.config.deploy.name).cleanup
        return f"no deploy.state_bucket keeps them; yc serverless function logs {name} shows their log"
    try:
        objects = storage.reached(deployment.cloud, deployment.access)
        after = f"{RUNS}{now - LOOKED_BACK:%Y%m%dT}"
        run_ids = sorted(
            folder.removeprefix(RUNS).rstrip("/") for folder in storage.folders(objects, bucket, RUNS, after)
        )
        rows = [
            f"\n      {run_id}: {_outcome(objects, bucket, run_id)}" for run_id in reversed(run_ids[-SHOWN:])
        ]
    except CallError as error:
        return f"they cannot be read. {error}"
    return "".join(rows) or f"none in the last {LOOKED_BACK.days} days"


def _outcome(objects: Cloud, bucket: str, run_id: str) -> str:
    try:
        text = storage.read(objects, bucket, f"{RUNS}{run_id}/report.json")
        report = msgspec.json.decode(text, type=Report)
        return f"{report.mode}, {report.status}: {summary(report)}"
    except CallError as error:
        if error.code != NOT_FOUND:
            raise
        return "has no report: it is under way, or was cut off"
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "has a report that cannot be read"
