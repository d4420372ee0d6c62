"""The commands that ask the cloud: each is a run, with progress bars, that Ctrl-C ends in good order."""

from __future__ import annotations

import signal
import sys
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from shared.auth import yc
from shared.cleanup import deletion, explanation, integrity
from shared.cloud import container_registry
from shared.cloud.client import Cloud
from shared.invocation import saved_listing, task
from shared.invocation.carry_out import carry_out
from shared.invocation.task import Invocation, Kind, Work
from shared.report import terminal
from shared.report.difference import difference_between
from shared.report.report import EXIT_STATUS, Report
from shared.retention.native import to_policies, to_rules, to_toml
from shared.settings import settings


def run(kind: Kind, options: Namespace, environment: Mapping[str, str]) -> int:
    """Carries a task of the kind out and shows its report."""
    report, status = reported(kind, environment, plan_id=options.plan_id if kind.has_plan else None)
    terminal.print_report(report, as_json=options.json)
    return status


def reported(
    kind: Kind, environment: Mapping[str, str], *, plan_id: str | None = None, look: Work | None = None
) -> tuple[Report, int]:
    """The report of a task of the kind, and the exit status."""
    with terminal.progress() as progress:
        report, error = carry_out(
            task.by_hand(
                kind,
                Invocation(environment, yc.SignedIn()),
                plan_id=plan_id,
                look=look,
                begin=stop_on_signals,
                progress=progress,
            )
        )
    return report, error.exit_status if error else EXIT_STATUS[report.status]


def dry_run(options: Namespace, environment: Mapping[str, str]) -> int:
    if options.diff:
        return show_difference(options, environment)
    report, status = _dry_run(options, environment)
    terminal.print_report(report, as_json=options.json)
    return status


def _dry_run(options: Namespace, environment: Mapping[str, str]) -> tuple[Report, int]:
    """The report of a dry run of the cloud, or of a saved listing."""
    if not options.listing:
        return reported(task.DRY_RUN_BY_HAND, environment)
    report = saved_listing.dry_run(environment, options.listing)
    return report, EXIT_STATUS[report.status]


def show_difference(options: Namespace, environment: Mapping[str, str]) -> int:
    """Compares the settings with another file's, on the same registries."""
    now = settings.load(environment, must_name_target=not options.listing)
    same = {"FOLDER_ID": now.folder_id or "", "REGISTRY_IDS": ",".join(now.registries)}
    other = {
        **environment,
        **{name: text for name, text in same.items() if text},
        "JANITOR_CONFIG": options.diff,
    }
    settings.load(other, must_name_target=not options.listing)
    before, status_before = _dry_run(options, environment)
    after, status_after = _dry_run(options, other)
    difference = difference_between(before, after)
    if options.json:
        terminal.print_json(difference)
    else:
        terminal.show_difference(difference)
    return max(status_before, status_after)


def validate(options: Namespace, environment: Mapping[str, str]) -> int:
    report, status = reported(task.LOOK_BY_HAND, environment, look=integrity.validate)
    terminal.print_report(report, as_json=options.json)
    return status


def explain(options: Namespace, environment: Mapping[str, str]) -> int:
    explained: list[explanation.Explained] = []
    report, status = reported(
        task.LOOK_BY_HAND,
        environment,
        look=lambda run, cloud: explained.extend(explanation.explain(run, cloud, options.image)),
    )
    if explained and not options.json:
        terminal.show_explained(explained)
    elif explained:
        terminal.print_json(explained)
    else:
        terminal.print_report(report, as_json=options.json)
    return status


def convert(options: Namespace, environment: Mapping[str, str]) -> int:
    """Prints a native policy as rules, or says which of the file's rules could be native policies."""
    if not options.policy_id:
        terminal.print_json(to_policies(settings.load(environment, must_name_target=False).rules))
        return 0
    answers: list[Any] = []
    report, status = reported(
        task.LOOK_BY_HAND,
        environment,
        look=lambda _, cloud: answers.append(container_registry.native_policy(cloud, options.policy_id)),
    )
    if not answers:
        terminal.print_report(report, as_json=options.json)
        return status
    policy, native, full_name = answers[0]
    rules, faults = to_rules(policy.label, full_name.partition("/")[2], native)
    for fault in faults:
        print(f"The policy {policy.label} cannot be converted: {fault}.", file=sys.stderr)
    print(to_toml(rules), end="")
    return 1 if faults else 0


def stop_on_signals(cloud: Cloud) -> None:
    """From now on Ctrl-C ends the run as time would: nothing new begins, what was begun is settled and
    reported.
    """

    def stop(_number: int, _frame: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        cloud.pace.stop(deletion.SETTLING)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
