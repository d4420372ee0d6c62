"""The commands that ask the cloud."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from shared.cleanup import explanation, integrity
from shared.cloud import container_registry
from shared.cloud.client import Cloud
from shared.errors import NOT_FOUND, CallError, SettingsError
from shared.invocation import saved_listing, task
from shared.invocation.task import Kind
from shared.invocation.watched import Ended, ended, show
from shared.report import terminal
from shared.report.difference import difference_between
from shared.report.legend import Legend, of_rules
from shared.report.report import EXIT_STATUS
from shared.retention.native import to_policies, to_rules, to_toml
from shared.settings import settings


def run(kind: Kind, options: Namespace, environment: Mapping[str, str]) -> int:
    """Carries a task of the kind out and shows its report."""
    return show(options, ended(kind, environment, plan_id=options.plan_id if kind.has_plan else None))


def dry_run(options: Namespace, environment: Mapping[str, str]) -> int:
    if options.diff:
        return show_difference(options, environment)
    return show(options, _dry_run(options, environment))


def _dry_run(options: Namespace, environment: Mapping[str, str]) -> Ended:
    """A dry run of the cloud, or of a saved listing."""
    if not options.listing:
        return ended(task.DRY_RUN_BY_HAND, environment)
    report = saved_listing.dry_run(environment, options.listing)
    says = of_rules(settings.load(environment, must_name_target=False).rules)
    return Ended(report, Legend(says=says), EXIT_STATUS[report.status])


def show_difference(options: Namespace, environment: Mapping[str, str]) -> int:
    """Compares the settings with another file's, on the same registries."""
    now = settings.load(environment, must_name_target=not options.listing)
    same = {"FOLDER_ID": now.folder_id or "", "REGISTRY_IDS": ",".join(now.registries)}
    other = {
        **environment,
        **{name: text for name, text in same.items() if text},
        "JANITOR_CONFIG": settings.file_of(options.diff, environment),
    }
    settings.load(other, must_name_target=not options.listing)
    before, after = _dry_run(options, environment), _dry_run(options, other)
    difference = difference_between(before.report, after.report)
    if options.json:
        terminal.print_json(difference)
    else:
        terminal.show_difference(difference)
    return max(before.status, after.status)


def validate(options: Namespace, environment: Mapping[str, str]) -> int:
    validated = ended(task.LOOK_BY_HAND, environment, look=integrity.validate)
    if options.json:
        return show(options, validated)
    terminal.show_validated(validated.report, validated.legend)
    return validated.status


def explain(options: Namespace, environment: Mapping[str, str]) -> int:
    explained: list[explanation.Explained] = []
    looked = ended(
        task.LOOK_BY_HAND,
        environment,
        look=lambda run, cloud: explained.extend(explanation.explain(run, cloud, options.image)),
    )
    if explained and not options.json:
        terminal.show_explained(explained)
    elif explained:
        terminal.print_json(explained)
    else:
        show(options, looked)
    return looked.status


def _native_policy(cloud: Cloud, policy_id: str) -> Any:
    try:
        return container_registry.native_policy(cloud, policy_id)
    except CallError as error:
        if error.code != NOT_FOUND:
            raise
        raise SettingsError(
            f"There is no lifecycle policy {policy_id} in Container Registry; dry-run --json shows the ids"
            " of all policies.",
            where="POLICY_ID",
        ) from None


def convert(options: Namespace, environment: Mapping[str, str]) -> int:
    """Prints a native policy as rules, or says which of the file's rules could be native policies."""
    if not options.policy_id:
        terminal.print_json(to_policies(settings.load(environment, must_name_target=False).rules))
        return 0
    answers: list[Any] = []
    looked = ended(
        task.LOOK_BY_HAND,
        environment,
        look=lambda _, cloud: answers.append(_native_policy(cloud, options.policy_id)),
    )
    if not answers:
        return show(options, looked)
    policy, native, full_name = answers[0]
    rules, faults = to_rules(policy.label, full_name.partition("/")[2], native)
    for fault in faults:
        print(f"The policy {policy.label} cannot be converted: {fault}.", file=sys.stderr)
    print(to_toml(rules), end="")
    return 1 if faults else 0
