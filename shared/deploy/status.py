"""``./deploy.sh status``: what is deployed, whether it is as it should be, its runs, and its roles."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from shared.deploy import last_runs, open_plans, probes, show, wanted
from shared.deploy.config import Config
from shared.deploy.deployment import Deployment
from shared.deploy.difference import binding, difference
from shared.deploy.found import Found, find
from shared.deploy.names import Names
from shared.deploy.roles import Grant, grants
from shared.deploy.wanted import LIVE
from shared.errors import DeploymentRefused


def print_status(deployment: Deployment, now: datetime) -> int:
    """Prints it; returns 0 when all is as it should be, else 1. Raises JanitorError."""
    config = deployment.config
    facts = find(deployment.cloud, config)
    if not any(facts.items.values()):
        _nothing(config, facts)
        return 1
    print(show.heading(config))
    for line in _deployed(config, facts):
        print(line)
    as_it_should_be = _compared(deployment, facts)
    print(f"last runs: {last_runs.lines(deployment, now)}")
    print(f"open plans: {open_plans.lines(deployment, _webhook_url(config, facts), now)}")
    print(f"next runs: {show.next_runs(config, now)}")
    return 0 if _roles(deployment, facts) and as_it_should_be else 1


def _nothing(config: Config, facts: Found) -> None:
    print(f"{show.nothing(config)}; {show.COMMAND} apply deploys it.")
    for name, bucket in facts.buckets.items():
        if Names(config.deploy.name).are_on(bucket.labels):
            print(f"Its state is kept in the bucket {name}.")


def _deployed(config: Config, facts: Found) -> Iterator[str]:
    for name in wanted.functions(config):
        live = facts.version_with(name, LIVE)
        if live is None:
            yield f"function {name}: not deployed"
            continue
        newest = "" if live == facts.versions[name][-1] else "; there is a newer one, so this was rolled back"
        yield f"function {name}: version {live.id}, made at {live.created_at}{newest}"
        if name == Names(config.deploy.name).webhook:
            yield f"      {_webhook_url(config, facts)}"
    for name, rule in wanted.triggers(config, facts).items():
        trigger = facts.items["trigger"].get(name)
        cron = trigger.rule.get("timer", {}).get("cronExpression") if trigger else None
        schedule = f', "{cron}" in UTC' if cron and "timer" in rule else ""
        yield f"trigger {name}: {trigger.status.lower() if trigger else 'not deployed'}{schedule}"


def _webhook_url(config: Config, facts: Found) -> str:
    """The URL of the webhook that is deployed, "" if none is."""
    name = Names(config.deploy.name).webhook
    if not config.deploy.webhook or facts.version_with(name, LIVE) is None:
        return ""
    return wanted.live_url(facts.items["function"][name])


def _compared(deployment: Deployment, facts: Found) -> bool:
    try:
        steps = difference(deployment.config, deployment.archive, facts)
    except DeploymentRefused as error:
        print(error)
        return False
    changes = [step for step in steps if step.change]
    if changes:
        print(f"It is not what these files and settings want; {show.COMMAND} plan tells more:")
        for step in changes:
            print(show.headline(step))
    else:
        print("It is what these files and settings want.")
    return not changes


def _roles(deployment: Deployment, facts: Found) -> bool:
    """Prints the roles that are needed, and returns whether none is missing."""
    config, missing = deployment.config, False
    account_id = facts.id_of("account", Names(config.deploy.name).functions_account)
    account = probes.acting_as(deployment.cloud, account_id) if account_id else None
    print("roles:" if account else f"roles, as they are bound ({_why_not(account_id)}):")
    for grant in grants(config, facts.registries, facts.closed):
        answer = probes.may(account, deployment, grant, facts.target_id(grant.target)) if account else None
        bound = binding(grant, config, facts) in facts.roles.get(grant.target, ())
        missing = missing or answer is False or (answer is None and not bound)
        print(f"      {_word(answer, bound):<14} {_described(grant)}")
    return not missing


def _why_not(account_id: str) -> str:
    if not account_id:
        return "there is no account yet"
    return f"to have them tried, you need {probes.ACT_AS} on the account {account_id}"


def _word(answer: bool | None, bound: bool) -> str:
    if answer is None:
        return "bound" if bound else "MISSING"
    return "works" if answer else "REFUSED"


def _described(grant: Grant) -> str:
    return f"{grant.role} on {grant.target.kind} {grant.target.name} ({grant.why})"
