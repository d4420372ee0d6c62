"""``python -m functions COMMAND``: the manual way in, with the same settings as the functions.

Exit status: 0 done, 1 finished with failures, 2 bad usage or settings, 3 refused by a guard or a limit,
4 unfinished.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from shared import terminal
from shared.answers import carry_out
from shared.report import EXIT_STATUS

COMMANDS = {
    "dry-run": "what a clean-up would do now; deletes nothing",
    "cleanup": "dry runs, deletes in mode apply, report",
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m functions", description="Clean-up of Yandex Container Registry."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help_text in COMMANDS.items():
        command = commands.add_parser(name, help=help_text, description=help_text)
        command.add_argument("--json", action="store_true", help="print the report as JSON, and nothing else")
    asked = parser.parse_args(arguments)
    with terminal.progress() as progress:
        report, error = carry_out(
            None, None, os.environ, deletes=asked.command == "cleanup", rows=None, progress=progress
        )
    if asked.json:
        json.dump(report, sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        terminal.show(report)
    return error.exit_status if error else EXIT_STATUS[report["status"]]


if __name__ == "__main__":
    sys.exit(main())
