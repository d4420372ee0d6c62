"""A task that somebody watches: with progress bars, ended in good order by Ctrl-C, and shown."""

from __future__ import annotations

import signal
import sys
from argparse import Namespace
from collections.abc import Mapping

import msgspec

from shared.auth import yc
from shared.cleanup import deletion
from shared.cleanup.run import Run
from shared.cloud.client import Cloud
from shared.invocation import hints, task
from shared.invocation.carry_out import carry_out
from shared.invocation.task import Invocation, Kind, Work
from shared.report import terminal
from shared.report.legend import Legend, of_run
from shared.report.report import EXIT_STATUS, Report


class Ended(msgspec.Struct, frozen=True):
    """A task that has ended: its report, what people need to understand that, and the exit status; ``hint``
    says what may be the matter.
    """

    report: Report
    legend: Legend
    status: int
    hint: str = ""


def show(options: Namespace, ended: Ended) -> int:
    """Shows the report as the options want it, and returns the exit status."""
    verbose = getattr(options, "verbose", False)
    terminal.print_report(ended.report, ended.legend, as_json=options.json, verbose=verbose)
    if ended.hint:
        print(ended.hint, file=sys.stderr)
    return ended.status


def ended(
    kind: Kind, environment: Mapping[str, str], *, plan_id: str | None = None, look: Work | None = None
) -> Ended:
    """Carries a task of the kind out."""
    runs: list[Run] = []

    def begin(run: Run, cloud: Cloud) -> None:
        runs.append(run)
        stop_on_signals(cloud)

    with terminal.progress() as progress:
        report, error = carry_out(
            task.by_hand(
                kind,
                Invocation(environment, yc.SignedIn()),
                plan_id=plan_id,
                look=look,
                begin=begin,
                progress=progress,
            )
        )
    legend = of_run(runs[0]) if runs else Legend()
    status = error.exit_status if error else EXIT_STATUS[report.status]
    return Ended(report, legend, status, hints.of_token(report, environment))


def stop_on_signals(cloud: Cloud) -> None:
    """From now on Ctrl-C ends the run as time would: nothing new begins, what was begun is settled and
    reported.
    """

    def stop(_number: int, _frame: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        cloud.pace.stop(deletion.SETTLING)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
