"""``python -m functions COMMAND``: the manual way in, with the same settings as the functions.

Exit status: 0 done, 1 finished with failures, 2 bad usage or settings, 3 refused by a guard or a limit,
4 unfinished.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from shared.auth.environment import read_access
from shared.cleanup import deletion, integrity, job
from shared.cleanup.explanation import explain
from shared.cleanup.run import Run
from shared.cloud import registry
from shared.cloud.client import Cloud
from shared.errors import JanitorError, SettingsError
from shared.invocation import saved_listing
from shared.invocation.carry_out import Work, carry_out
from shared.report import report, terminal
from shared.report.difference import difference_between
from shared.report.report import EXIT_STATUS
from shared.retention.native import to_policies, to_rules, to_toml
from shared.settings import deploy_table, hard_tags, settings
from shared.state import history
from shared.state.directory import StateDir

COMMANDS = {
    "dry-run": "what a clean-up would do now; deletes nothing",
    "cleanup": "dry runs, guards, deletes in mode apply, report",
    "plan": "what a clean-up would delete, kept in the state directory until it is applied; deletes nothing",
    "apply": "deletes what PLAN_ID says, as far as it is unchanged and still to be deleted",
    "report": "the report of the last run, or of RUN_ID, from the state directory, also of one that was cut"
    " off",
    "validate": "whether every index has its images and every signature its image; deletes nothing",
    "explain": "what every policy, rule and guard says about an image, and what runs it; deletes nothing",
    "check": "whether the settings and the rules are right; asks nothing of the cloud",
    "schema": "the JSON Schema of the settings file, for editors",
    "convert": "the rules that say what the native policy POLICY_ID says; without it, which of the file's"
    " rules Yandex Cloud could run natively",
}
OPTIONS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "dry-run": [
        ("--diff", {"metavar": "FILE", "help": "what another settings file would newly take and newly keep"}),
        ("--listing", {"metavar": "FILE", "help": "look at a saved listing of images instead of the cloud"}),
    ],
    "apply": [("plan_id", {"metavar": "PLAN_ID", "help": "the id that a plan's report gives"})],
    "report": [("run_id", {"metavar": "RUN_ID", "nargs": "?", "help": "a run; the last one by default"})],
    "explain": [("image", {"metavar": "IMAGE", "help": "an id, a digest, or repository:tag"})],
    "check": [("file", {"metavar": "FILE", "nargs": "?", "help": "the same as --config FILE"})],
    "convert": [("policy_id", {"metavar": "POLICY_ID", "nargs": "?", "help": "a native lifecycle policy"})],
}

MODES = {"plan": "plan", "apply": "apply"}
ANNOUNCED = ("cleanup", "plan", "apply")
REMEMBERED = ("dry-run", *ANNOUNCED)


def main(arguments: list[str] | None = None) -> int:
    asked = parser().parse_args(arguments)
    special = {"report": show_kept, "check": check, "schema": show_schema, "convert": show_converted}
    try:
        environment = configured(asked)
        if asked.command in special:
            return special[asked.command](asked, environment)
        if asked.command == "dry-run" and asked.diff:
            return show_difference(asked, environment)
        if asked.command == "explain":
            return show_explained(asked, environment)
        told, status = tell(asked, environment)
    except JanitorError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    show(told, as_json=asked.json)
    return status


def configured(asked: argparse.Namespace) -> dict[str, str]:
    """The environment with the settings file that was asked for, or else lies here. Raises SettingsError."""
    file = getattr(asked, "file", None)
    if file and asked.config:
        raise SettingsError(
            "FILE and --config both name a settings file; give one of them.", where="--config"
        )
    return {**os.environ, "JANITOR_CONFIG": settings.file_of(file or asked.config, os.environ)}


def tell(
    asked: argparse.Namespace, environment: Mapping[str, str], work: Work | None = None
) -> tuple[dict[str, Any], int]:
    """The report of what was asked for, and the exit status."""
    if asked.command == "dry-run" and asked.listing:
        told = saved_listing.dry_run(environment, asked.listing)
        return told, EXIT_STATUS[told["status"]]
    with terminal.progress() as progress:
        works: dict[str, Work] = {
            "apply": lambda run, cloud: job.carry_out_plan(run, cloud, progress),
            "validate": integrity.validate,
        }
        by_default: Work = partial(job.clean_up, progress=progress)
        told, error = carry_out(
            None,
            None,
            environment,
            mode=None if asked.command == "cleanup" else MODES.get(asked.command, "dry-run"),
            plan_id=asked.plan_id if asked.command == "apply" else None,
            work=stoppable(work or works.get(asked.command, by_default)),
            rows=None,
            announces=asked.command in ANNOUNCED,
            remembers=asked.command in REMEMBERED,
        )
    return told, error.exit_status if error else EXIT_STATUS[told["status"]]


def show_explained(asked: argparse.Namespace, environment: Mapping[str, str]) -> int:
    explained: list[dict[str, Any]] = []
    told, status = tell(
        asked, environment, lambda run, cloud: explained.extend(explain(run, cloud, asked.image))
    )
    if explained and not asked.json:
        terminal.show_explained(explained)
    else:
        show(explained or told, as_json=asked.json)
    return status


def show_difference(asked: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Compares the settings with another file's, on the same registries."""
    now = settings.load(environment, whole=not asked.listing)
    same = {"FOLDER_ID": now.folder_id or "", "REGISTRY_IDS": ",".join(now.registries)}
    other = {
        **environment,
        **{name: text for name, text in same.items() if text},
        "JANITOR_CONFIG": asked.diff,
    }
    settings.load(other, whole=not asked.listing)
    before, status_before = tell(asked, environment)
    after, status_after = tell(asked, other)
    difference = difference_between(before, after)
    if asked.json:
        show(difference, as_json=True)
    else:
        terminal.show_difference(difference)
    return max(status_before, status_after)


def show_kept(asked: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Shows what the state directory tells of a run, or writes it as a page."""
    state_dir = settings.load(environment).state_dir
    kept = report.kept(state_dir, asked.run_id)
    if asked.html:
        write_page(asked.html, kept, history.trend(StateDir(state_dir or "")))
    else:
        show(kept, as_json=asked.json)
    return EXIT_STATUS[kept["status"]]


def write_page(file: Path, kept: dict[str, Any], trend: list[dict[str, Any]]) -> None:
    """Writes the report as a page. Raises SettingsError when the file cannot be written."""
    from shared.report.page import page  # imported here: nothing else here needs Jinja

    try:
        file.write_text(page.report_page(kept, trend), encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be written: {error.strerror}; name another file.", where="--html"
        ) from None
    print(f"{file}: {file.stat().st_size} bytes")


def check(asked: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Checks the settings as every command does, but asks nothing of the cloud."""
    read_access(environment)
    found = settings.load(environment, whole=False)
    if environment["JANITOR_CONFIG"]:
        check_deployment(environment["JANITOR_CONFIG"])
    hard_tags.try_out(found)
    if asked.json:
        show({"status": "ok", "mode": found.mode, "rules": len(found.rules)}, as_json=True)
        return 0
    print(f"The settings are right: mode {found.mode}, {len(found.rules)} rules.")
    if not found.folder_id and not found.registries:
        print("They name neither a folder nor registries: a run needs FOLDER_ID or REGISTRY_IDS.")
    return 0


def check_deployment(file: str) -> None:
    """Checks what the file says of its deployment, if it does, as far as a deployment can without a call."""
    document = settings.read(file)
    if "deploy" in document:
        deploy = deploy_table.check(document, file, datetime.now(UTC))
        deploy_table.check_given(deploy, document, file)


def show_schema(_asked: argparse.Namespace, _environment: Mapping[str, str]) -> int:
    show(settings.schema(), as_json=True)
    return 0


def show_converted(asked: argparse.Namespace, environment: Mapping[str, str]) -> int:
    if not asked.policy_id:
        show(to_policies(settings.load(environment, whole=False).rules), as_json=True)
        return 0
    found: list[Any] = []
    told, status = tell(
        asked, environment, lambda _run, cloud: found.append(registry.native_policy(cloud, asked.policy_id))
    )
    if not found:
        show(told, as_json=asked.json)
        return status
    policy, native, full_name = found[0]
    rules, faults = to_rules(policy.label, full_name.partition("/")[2], native)
    for fault in faults:
        print(f"The policy {policy.label} cannot be converted: {fault}.", file=sys.stderr)
    print(to_toml(rules), end="")
    return 1 if faults else 0


def show(what: Any, *, as_json: bool) -> None:
    if as_json:
        json.dump(what, sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        terminal.show(what)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m functions", description="Clean-up of container images in Yandex Container Registry."
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        output = command.add_mutually_exclusive_group()
        output.add_argument(
            "--json", action="store_true", help="print JSON on standard output, and nothing else"
        )
        if name == "report":
            output.add_argument("--html", metavar="FILE", type=Path, help="write it to FILE as a page")
        command.add_argument(
            "--config",
            metavar="FILE",
            help="the settings; by default those that JANITOR_CONFIG names, or janitor.toml if it is here",
        )
        for option, how in OPTIONS.get(name, []):
            command.add_argument(option, **how)
    return made


def stoppable(work: Work) -> Work:
    """``work`` that Ctrl-C ends as time would: nothing new begins, what was begun is settled and reported."""

    def stop(cloud: Cloud) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        cloud.pace.stop(deletion.SETTLING)

    def stoppable_work(run: Run, cloud: Cloud) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _number, _frame: stop(cloud))
        work(run, cloud)

    return stoppable_work


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
