"""The plans that wait for a decision, as the state has them, and how to come to their pages."""

from __future__ import annotations

from datetime import datetime

from shared.deploy import storage
from shared.deploy.config import Config, secret_of
from shared.deploy.deployment import Deployment
from shared.deploy.names import Names
from shared.errors import CallError, PlanRefused, StateError
from shared.report import terminal
from shared.report.contract import Report
from shared.report.legend import Legend
from shared.report.sentence import sentence
from shared.retention.moments import duration, timestamp
from shared.settings.deploy_table import WEBHOOK_SECRET
from shared.state import plans
from shared.state.store import Store

SHOWN = 3


def lines(deployment: Deployment, url: str, now: datetime) -> str:
    """A line for each open plan and how to have them decided, or a word; ``url`` is the webhook's, or ""."""
    config = deployment.config
    place = config.deploy.state_bucket
    if not place:
        return "none, for no deploy.state_bucket keeps them"
    valid = duration(config.settings.plans.valid_for)
    try:
        state = storage.state(deployment.cloud, deployment.access, place)
        ids = plans.open_ids(state, now, valid)
        rows = [
            f"\n      {plan_id}, until {timestamp(plans.ends_at(plan_id, valid))}: {_says(state, plan_id)}"
            for plan_id in ids[:SHOWN]
        ]
    except (CallError, StateError) as error:
        return f"they cannot be read. {error}"
    if not rows:
        return "none"
    return "".join(rows) + f"\n      {_way(config, url)}"


def _says(state: Store, plan_id: str) -> str:
    try:
        file = plans.text(state, plan_id)
    except PlanRefused as error:
        return str(error)
    return sentence(plans.report(plan_id, file, Report), plans.legend(file, Legend))


def _way(config: Config, url: str) -> str:
    """How to decide. The links themselves would let every reader of this output decide."""
    state = f"STATE_BUCKET={config.deploy.state_bucket}"
    if not url:
        return f"no webhook shows them; to carry one out: {state} {terminal.PROGRAM} apply PLAN_ID"
    name = f"--name {Names(config.deploy.name).secret}"
    key = WEBHOOK_SECRET
    if not config.generates_secret:
        secret_id, key = secret_of(config.deploy.secrets[WEBHOOK_SECRET])
        name = f"--id {secret_id}"
    secret = f'"$(yc lockbox payload get --folder-id {config.folder_id} {name} --key {key})"'
    return (
        f"their pages are at {url}; for the links: {state} WEBHOOK_URL='{url}' WEBHOOK_SECRET={secret}"
        f" {terminal.PROGRAM} plans"
    )
