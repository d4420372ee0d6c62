"""``registry-janitor COMMAND``, or ``python -m functions COMMAND``: the manual way in, with the same settings
as the functions. Says what Python and which packages are missing before it loads the rest.

Exit status: 0 done, 1 finished with failures, 2 bad usage or settings, 3 refused by a guard or a limit,
4 unfinished.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

OLDEST = (3, 11)
CLOSED_PIPE = 141  # what a shell has for a command that SIGPIPE ended
NAME = "registry-janitor"
VERSION = "0.2.0"
SHELLS = ("bash", "zsh", "fish")
COMPLETION = (
    'what a shell must read to complete commands and options: eval "$(registry-janitor completion bash)"'
)
DEPLOY = "puts the clean-up into Yandex Cloud: plan, apply, destroy, status, package"

if sys.version_info < OLDEST:
    sys.exit(f"Python 3.11 or later is needed; {sys.executable} is {sys.version.split()[0]}.")

# What holds functions/ and shared/: the sources or, where it is installed, registry_janitor/.
ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


def run() -> int:
    """The exit status. A reader who has closed the pipe, as ``head`` does, has read what was wanted."""
    try:
        try:
            return main(sys.argv[1:])
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except KeyboardInterrupt:
        print("Interrupted; what is done stays done, and the next time goes on from here.", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("functions", "shared"):
            raise
        print(
            f"The package {missing} is not installed for {sys.executable}; pip install . in the sources of"
            f" {NAME} installs it.",
            file=sys.stderr,
        )
        return 1


def main(arguments: list[str]) -> int:
    from shared.invocation import command_line, hints

    parser, commands = command_line.parser()
    parser.add_argument("--version", action="version", version=f"{NAME} {VERSION}")
    completion = command_line.add_command(commands, "completion", COMPLETION, "completion bash")
    completion.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))
    deploy = command_line.add_command(commands, "deploy", DEPLOY, "deploy plan")
    if arguments[:1] in (["deploy"], ["completion"]):  # what deploying needs is not loaded for the rest
        from shared.deploy import command_line as deploying
        from shared.deploy import package

        verbs = deploying.add_verbs(deploy)
    command_line.refuse_unknown(parser, commands.choices, arguments)
    if arguments[0] == "deploy":
        command_line.refuse_unknown(deploy, verbs.choices, arguments[1:], "verb")
    options, more = parser.parse_known_args(arguments)
    if more:
        chosen = (
            verbs.choices[options.verb] if options.command == "deploy" else commands.choices[options.command]
        )
        command_line.refuse_more(chosen, more)
    if options.command == "completion":
        return print_completion(parser, options.shell)
    if options.command == "deploy":
        if options.verb == "package":
            return package.write(options.file)
        status = deploying.carry_out_verb(options)
        return hints.after_settings(status, command_line.configured(options))
    return command_line.carry_out_command(options)


def print_completion(parser: argparse.ArgumentParser, shell: str) -> int:
    import shtab

    parser.prog = NAME
    for action in actions(parser):
        if action.metavar == "FILE":
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(parser, shell))
    return 0


def actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every argument of the parser and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from actions(command)


if __name__ == "__main__":
    sys.exit(run())
