"""A deployment's plan as a person reads it, and what a person reads when it is done."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from shared.deploy import package
from shared.deploy.config import Config
from shared.deploy.deployment import Deployment
from shared.deploy.names import Names
from shared.deploy.steps import Step
from shared.settings import cron
from shared.settings.deploy_table import WEBHOOK_SECRET

MARKS = {"create": "+", "change": "~", "delete": "-", "leave": "="}
GREEN, YELLOW, RED = 32, 33, 31  # as terraform plan has them
COLOURS = {"+": GREEN, "~": YELLOW, "-": RED}
RUNS = 3
COMMAND = "./deploy.sh" if (package.ROOT / "deploy.sh").exists() else "registry-janitor deploy"
MOVED = 'where all registries have been migrated, say services = ["cloud-registry"]'
READ_ONLY = f"Container Registry is read-only; {MOVED}"


def looking(deployment: Deployment) -> None:
    """A sign of life before the first call."""
    where = deployment.access.api_endpoint or "Yandex Cloud"
    print(f"Looking at the folder {deployment.config.folder_id} ({where}) ...", file=sys.stderr, flush=True)


def plan(config: Config, steps: Iterable[Step]) -> None:
    """Prints the plan: a line for each step, with + for what is made, ~ changed, - deleted and = left."""
    steps = list(steps)
    print(heading(config))
    for step in steps:
        for line in lines(step):
            print(line)
    counts = Counter[str](step.action for step in steps)
    print(", ".join(f"{counts[action]} to {action}" for action in MARKS) + ".")


def nothing(config: Config) -> str:
    return f"Nothing of {config.deploy.name} is deployed in the folder {config.folder_id}"


def heading(config: Config) -> str:
    origin = f" ({', '.join(config.variables)} from the environment)" if config.variables else ""
    return f"{config.deploy.name} in the folder {config.folder_id}, mode {config.settings.mode}{origin}:"


def lines(step: Step) -> Iterator[str]:
    why = f": {step.why}" if step.why else ""
    yield f"{headline(step)}{why}"
    for detail in step.details:
        before, arrow, after = detail.partition(" -> ")
        yield f"      {_marked(before)}{_painted(arrow, YELLOW)}{after}"


def headline(step: Step) -> str:
    return _marked(f"{MARKS[step.action]} {step.what}")


def done(step: Step, refusal: str) -> None:
    """Prints that the step is done, or that a read-only service has refused it."""
    if refusal:
        print(f"left: {headline(step)}: {READ_ONLY} ({refusal}).", flush=True)
    else:
        print(f"done: {headline(step)}", flush=True)


def _marked(line: str) -> str:
    """The line, with the mark at its beginning, if there is one, in its colour."""
    mark, space, rest = line.partition(" ")
    return f"{_painted(mark, COLOURS[mark])}{space}{rest}" if mark in COLOURS else line


def _painted(text: str, colour: int) -> str:
    is_terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    plain = os.environ.get("NO_COLOR") or not (is_terminal or os.environ.get("FORCE_COLOR"))
    return text if plain or not text else f"\033[{colour}m{text}\033[0m"


def afterwards(config: Config, now: datetime) -> None:
    """Prints when the functions will run, and where the webhook's secret is."""
    print(f"Next runs: {next_runs(config, now)}.")
    if config.generates_secret:
        secret = Names(config.deploy.name).secret
        print(
            f"The webhook's secret is in Lockbox: yc lockbox payload get --folder-id {config.folder_id}"
            f" --name {secret} --key {WEBHOOK_SECRET}"
        )


def next_runs(config: Config, now: datetime) -> str:
    """The timer's next runs in local time."""
    runs = islice(cron.parse(config.deploy.schedule).runs(now), RUNS)
    return ", ".join(f"{run.astimezone():%a %d %b %Y %H:%M %Z}" for run in runs)
