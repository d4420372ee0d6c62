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
from pathlib import Path
from typing import Any

from shared import history, job, report, settings, terminal, whole
from shared.answers import Work, carry_out
from shared.errors import JanitorError, SettingsError
from shared.explain import explain
from shared.http import Cloud
from shared.report import EXIT_STATUS
from shared.run import Run
from shared.state import StateDir

COMMANDS = {
    "dry-run": "what a clean-up would do now; deletes nothing",
    "cleanup": "dry runs, guards, deletes in mode apply, report",
    "plan": "what a clean-up would delete, kept in the state directory until it is applied; deletes nothing",
    "apply": "deletes what PLAN_ID says, as far as it is unchanged and still to be deleted",
    "report": "the report of the last run, or of RUN_ID, from the state directory, also of one that was cut off",
    "validate": "whether every index has its images and every signature its image; deletes nothing",
    "explain": "what every policy and guard says about an image, and what runs it; deletes nothing",
}

MODES = {"plan": "plan", "apply": "apply"}
ANNOUNCED = ("cleanup", "plan", "apply")
REMEMBERED = ("dry-run", *ANNOUNCED)


def main(arguments: list[str] | None = None) -> int:
    asked = parser().parse_args(arguments)
    if asked.command == "report":
        return show_kept(asked.run_id, as_json=asked.json, html=asked.html)
    explained: list[dict[str, Any]] = []
    with terminal.progress() as progress:
        work: dict[str, Work] = {
            "apply": lambda run, cloud: job.carry_out_plan(run, cloud, progress),
            "validate": whole.validate,
            "explain": lambda run, cloud: explained.extend(explain(run, cloud, asked.image)),
        }
        told, error = carry_out(
            None,
            None,
            os.environ,
            mode=None if asked.command == "cleanup" else MODES.get(asked.command, "dry-run"),
            plan_id=asked.plan_id if asked.command == "apply" else None,
            work=stoppable(work.get(asked.command, lambda run, cloud: job.clean_up(run, cloud, progress))),
            rows=None,
            announces=asked.command in ANNOUNCED,
            remembers=asked.command in REMEMBERED,
        )
    if explained and not asked.json:
        terminal.show_explained(explained)
    else:
        show(explained or told, as_json=asked.json)
    return error.exit_status if error else EXIT_STATUS[told["status"]]


def show_kept(run_id: str | None, *, as_json: bool, html: Path | None) -> int:
    """Shows what the state directory tells of a run, or writes it as a page."""
    try:
        state_dir = settings.load(os.environ).state_dir
        kept = report.kept(state_dir, run_id)
        if html:
            write_page(html, kept, history.trend(StateDir(state_dir or "")))
        else:
            show(kept, as_json=as_json)
    except JanitorError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    return EXIT_STATUS[kept["status"]]


def write_page(file: Path, kept: dict[str, Any], trend: list[dict[str, Any]]) -> None:
    """Writes the report as a page. Raises SettingsError when the file cannot be written."""
    from shared import page  # imported here: nothing else here needs Jinja

    try:
        file.write_text(page.report_page(kept, trend), encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be written: {error.strerror}; name another file.", where="--html"
        ) from None
    print(f"{file}: {file.stat().st_size} bytes")


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
        if name == "explain":
            command.add_argument("image", metavar="IMAGE", help="an id, a digest, or repository:tag")
        if name == "apply":
            command.add_argument("plan_id", metavar="PLAN_ID", help="the id that a plan's report gives")
        if name == "report":
            command.add_argument("run_id", metavar="RUN_ID", nargs="?", help="a run; the last one by default")
            output.add_argument("--html", metavar="FILE", type=Path, help="write it to FILE as a page")
    return made


def stoppable(work: Work) -> Work:
    """``work`` that Ctrl-C ends as time would: nothing new begins, what was begun is settled and reported."""

    def stop(cloud: Cloud) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        cloud.pace.stop(job.SETTLING)

    def stoppable_work(run: Run, cloud: Cloud) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, frame: stop(cloud))
        work(run, cloud)

    return stoppable_work


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)
