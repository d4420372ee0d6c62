"""``./deploy.sh plan|apply|destroy|status``: brings a folder to what the settings want, and says first how.

Exit status: 0 done, 1 failed or not as it should be, 2 bad usage or settings, 3 refused.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from shared.auth.environment import read_access
from shared.cloud.client import Cloud
from shared.cloud.pace import Pace
from shared.deploy import config as configured
from shared.deploy import package, show, status, undo
from shared.deploy.carry_out import carry_out
from shared.deploy.deployment import Deployment
from shared.deploy.difference import difference
from shared.deploy.found import Found, find
from shared.deploy.sign_in import sign_in
from shared.deploy.steps import Step
from shared.errors import ALREADY_EXISTS, CallError, DeploymentRefused, JanitorError, SettingsError
from shared.settings import settings

CONCURRENCY, ATTEMPTS = 8, 7
VERBS = {
    "plan": "what apply would create, change, delete and leave",
    "apply": "bring the folder to what the settings want; asks first",
    "destroy": "delete what apply has made, but for the state; asks first",
    "status": "what is deployed, its last and next runs, and whether roles are missing",
}

Compare = Callable[[Found], list[Step]]


def main(arguments: list[str] | None = None) -> int:
    asked = parser().parse_args(arguments)
    now = datetime.now(UTC)
    try:
        deployment = prepared(asked.config, now)
        if asked.verb == "status":
            return status.print_status(deployment, now)
        look = partial(find, deployment.cloud, deployment.config, may_miss=asked.verb == "destroy")
        found = look()
        compare = comparison(asked, deployment, found)
        bring(deployment, asked, found, look, compare)
        if asked.verb == "apply" and not asked.rollback:
            show.afterwards(deployment.config, now)
    except JanitorError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    return 0


def prepared(file: str | None, now: datetime) -> Deployment:
    """What is to be deployed, checked as far as it can be without a call, and signed in.

    Raises JanitorError.
    """
    access = read_access(os.environ)
    config = configured.load(file, os.environ, now)
    archive = package.archive(more={settings.FILE: configured.function_settings(config)})
    if len(archive) > package.MOST_BYTES:
        raise SettingsError(
            f"The archive has {len(archive)} bytes; the cloud takes {package.MOST_BYTES} at most.",
            where="package",
        )
    cloud = Cloud(access.api_endpoint, Pace(CONCURRENCY)).at(access.api_endpoint, attempts=ATTEMPTS)
    sign_in(cloud, access)
    return Deployment(config, archive, cloud, access)


def comparison(asked: argparse.Namespace, deployment: Deployment, found: Found) -> Compare:
    """What tells the steps to what was asked for. Raises DeploymentRefused."""
    config, archive = deployment.config, deployment.archive
    if asked.verb == "destroy":
        return partial(undo.removal, config, with_state=asked.delete_state)
    if asked.rollback:
        return partial(undo.moves, undo.earlier_versions(config, found))
    return partial(difference, config, archive)


def bring(
    deployment: Deployment,
    asked: argparse.Namespace,
    found: Found,
    look: Callable[[], Found],
    compare: Compare,
) -> None:
    """Shows the plan and, but for ``plan``, carries it out when it is agreed to. Raises JanitorError."""
    steps = compare(found)
    show.plan(deployment.config, steps)
    if asked.verb == "plan" or not any(step.change for step in steps):
        return
    if not asked.yes and not agreed(asked.verb):
        raise DeploymentRefused("Nothing was changed. Answer yes, or give --yes.", where=asked.verb)
    try:
        carry_out(deployment, found, look, compare, show.done)
    except CallError as error:
        if error.code == ALREADY_EXISTS:
            print("Names of accounts are taken once in a cloud; give another deploy.name.", file=sys.stderr)
        print(f"What is done stays done; ./deploy.sh {asked.verb} goes on from there.", file=sys.stderr)
        raise


def agreed(verb: str) -> bool:
    print(f"\n{verb.capitalize()}? [yes/no] ", end="", flush=True)
    answer = sys.stdin.readline().strip().lower()
    if not sys.stdin.isatty():
        print(answer)
    return answer in ("y", "yes")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="./deploy.sh", description="Deploys registry-janitor to Yandex Cloud."
    )
    verbs = made.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, text in VERBS.items():
        verb = verbs.add_parser(name, help=text, description=text)
        verb.add_argument(
            "--config",
            metavar="FILE",
            help="the settings; by default JANITOR_CONFIG, or janitor.toml if it is here",
        )
        if name in ("apply", "destroy"):
            verb.add_argument("--yes", action="store_true", help="do not ask")
        if name in ("plan", "apply"):
            verb.add_argument(
                "--rollback",
                action="store_true",
                help="go back to the version before, and change nothing else",
            )
        if name == "destroy":
            verb.add_argument("--delete-state", action="store_true", help="delete the state's bucket too")
    return made


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("Interrupted; the next time goes on from here.", file=sys.stderr)
        sys.exit(130)
