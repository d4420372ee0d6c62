"""``./deploy.sh VERB``: brings a folder to what the settings want, and says first how.

Exit status: 0 done, 1 failed or not as it should be, 2 bad usage or settings, 3 refused.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeAlias

from shared.auth import sources, yc
from shared.cloud import container_registry
from shared.deploy import show, status, undo
from shared.deploy.carry_out import carry_out
from shared.deploy.deployment import Deployment, prepared
from shared.deploy.difference import difference
from shared.deploy.folders import check_folders
from shared.deploy.found import Found, find
from shared.deploy.steps import Step
from shared.errors import ALREADY_EXISTS, PERMISSION_DENIED, CallError, DeploymentRefused, JanitorError
from shared.report import terminal

VERBS = {
    "plan": "what apply would create, change, delete and leave",
    "apply": "bring the folder to what the settings want; asks first",
    "destroy": "delete what apply has made, but for the state; asks first",
    "status": "what is deployed, its runs and open plans, and whether roles are missing",
    "package": "write the archive for the cloud to FILE, for those who deploy by other means",
}

Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Compare = Callable[[Found], list[Step]]


def carry_out_verb(options: argparse.Namespace) -> int:
    """Does what the options of `add_verbs` say and returns the exit status."""
    terminal.choose_color(options.color)
    now = datetime.now(UTC)
    try:
        deployment = prepared(options.config, os.environ, now)
        show.looking(deployment)
        sources.sign_in(deployment.cloud, deployment.access, yc.SignedIn())
        check_folders(deployment.cloud, deployment.config, all_of_them=options.verb != "destroy")
        if options.verb == "status":
            return status.print_status(deployment, now)
        look = partial(find, deployment.cloud, deployment.config, may_miss=options.verb == "destroy")
        facts = look()
        compare = comparison(options, deployment, facts)
        bring(deployment, options, facts, look, compare)
        if options.verb == "apply" and not options.rollback:
            show.afterwards(deployment.config, now)
    except JanitorError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    return 0


def comparison(options: argparse.Namespace, deployment: Deployment, facts: Found) -> Compare:
    """The comparison of facts and wishes that gives the verb's steps. Raises DeploymentRefused."""
    config, archive = deployment.config, deployment.archive
    if options.verb == "destroy":
        return partial(undo.removal, config, with_state=options.delete_state)
    if options.rollback:
        return partial(undo.moves, undo.earlier_versions(config, facts))
    return partial(difference, config, archive)


def bring(
    deployment: Deployment,
    options: argparse.Namespace,
    facts: Found,
    look: Callable[[], Found],
    compare: Compare,
) -> None:
    """Shows the plan and, but for ``plan``, carries it out when it is agreed to. Raises JanitorError."""
    steps = compare(facts)
    if options.verb == "destroy" and not steps:
        print(f"{show.nothing(deployment.config)}.")
        return
    show.plan(deployment.config, steps)
    if options.verb == "plan" or not any(step.change for step in steps):
        return
    if not options.yes and not agreed(options.verb):
        raise DeploymentRefused("Nothing was changed. Answer yes, or give --yes.", where=options.verb)
    try:
        carry_out(deployment, facts, look, compare, show.done)
    except (CallError, BrokenPipeError) as error:
        if isinstance(error, CallError) and error.code == ALREADY_EXISTS:
            print("Names of accounts are taken once in a cloud; give another deploy.name.", file=sys.stderr)
        if isinstance(error, CallError) and _may_be_read_only(error):
            print(f"That may mean that {show.READ_ONLY}.", file=sys.stderr)
        print(f"What is done stays done; {show.COMMAND} {options.verb} goes on from there.", file=sys.stderr)
        raise


def _may_be_read_only(error: CallError) -> bool:
    return error.service == container_registry.SERVICE and error.code == PERMISSION_DENIED


def agreed(verb: str) -> bool:
    print(f"\n{verb.capitalize()}? [yes/no] ", end="", flush=True)
    answer = sys.stdin.readline().strip().lower()
    if not sys.stdin.isatty():
        print(answer)
    return answer in ("y", "yes")


def add_verbs(parser: argparse.ArgumentParser) -> Verbs:
    """Gives the parser the verbs, and returns them."""
    parser.prog = show.COMMAND
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", prog=show.COMMAND)
    for name, text in VERBS.items():
        example = "janitor.zip" if name == "package" else "--config shop.toml"
        verb = verbs.add_parser(
            name, help=text, description=text, epilog=f"Example: {show.COMMAND} {name} {example}"
        )
        if name == "package":
            verb.add_argument(
                "file", metavar="FILE", type=Path, help="the archive's file, such as janitor.zip"
            )
            continue
        verb.add_argument(
            "--config",
            metavar="FILE",
            help="the settings; by default JANITOR_CONFIG, or janitor.toml if it is here",
        )
        verb.add_argument("--color", **terminal.COLOR)
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
    return verbs
