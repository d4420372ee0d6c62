"""The commands of ``registry-janitor``: each with its name, its help, its options and what it does."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from shared.cloud import log
from shared.errors import JanitorError, SettingsError, known
from shared.invocation import by_hand, hints, migration_by_hand, read_only, task
from shared.report import terminal
from shared.settings import settings

Parsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Action = Callable[[argparse.Namespace, Mapping[str, str]], int]


class Option(msgspec.Struct, frozen=True):
    """An option or, without dashes, an argument, and how argparse takes it.

    ``instead_of_json``: not beside --json.
    """

    name: str
    how: dict[str, Any]
    instead_of_json: bool = False


VERBOSE = Option("--verbose", {"action": "store_true", "help": "show every image"}, instead_of_json=True)


class Command(msgspec.Struct, frozen=True):
    """``act`` does it and returns the exit status. ``example`` is what follows the program's name."""

    name: str
    help: str
    example: str
    act: Action
    options: tuple[Option, ...] = ()


COMMANDS = (
    Command(
        "dry-run",
        "what a clean-up would do now; deletes nothing",
        "dry-run --listing images.json",
        by_hand.dry_run,
        (
            VERBOSE,
            Option(
                "--diff",
                {"metavar": "FILE", "help": "what another settings file would newly take and newly keep"},
            ),
            Option(
                "--listing",
                {"metavar": "FILE", "help": "look at a saved listing of images instead of the cloud"},
            ),
        ),
    ),
    Command(
        "cleanup",
        "dry runs, guards, deletes in mode apply, report",
        "cleanup --config shop.toml",
        partial(by_hand.run, task.CLEANUP),
        (VERBOSE,),
    ),
    Command(
        "plan",
        "what a clean-up would delete, kept in the state until it is applied; deletes nothing",
        "plan --json > plan.json",
        partial(by_hand.run, task.PLAN),
        (VERBOSE,),
    ),
    Command(
        "apply",
        "deletes what PLAN_ID says, as far as it is unchanged and still to be deleted",
        "apply 20261125T030000000000Z-4f2a9c0d1e2b3a4f5061728394a5b6c7",
        partial(by_hand.run, task.APPLY_BY_HAND),
        (
            VERBOSE,
            Option("plan_id", {"metavar": "PLAN_ID", "help": "the id that a plan's report gives"}),
        ),
    ),
    Command(
        "plans",
        "the plans that wait for a decision, with their ids, links and until when",
        "plans --json",
        read_only.plans_open,
    ),
    Command(
        "report",
        "the report of the last run, or of RUN_ID, from the state, also of one that was cut off",
        "report --html report.html",
        read_only.report_kept,
        (
            VERBOSE,
            Option(
                "--html",
                {"metavar": "FILE", "type": Path, "help": "write it to FILE as a page"},
                instead_of_json=True,
            ),
            Option("run_id", {"metavar": "RUN_ID", "nargs": "?", "help": "a run; the last one by default"}),
        ),
    ),
    Command(
        "validate",
        "whether every index has its images and every signature its image; deletes nothing",
        "validate",
        by_hand.validate,
    ),
    Command(
        "explain",
        "what every policy, rule and guard says about an image, and what runs it; deletes nothing",
        "explain team-a/app:1.4",
        by_hand.explain,
        (Option("image", {"metavar": "IMAGE", "help": "an id, a digest, or repository:tag"}),),
    ),
    Command(
        "migration",
        "what of the registries is in Cloud Registry, what has not arrived, and what becomes of the policies;"
        " changes nothing",
        "migration --html migration.html",
        migration_by_hand.show,
        (
            Option(
                "--html",
                {"metavar": "FILE", "type": Path, "help": "write it to FILE as a page"},
                instead_of_json=True,
            ),
        ),
    ),
    Command(
        "check",
        "whether the settings and the rules are right; asks nothing of the cloud",
        "check janitor.toml",
        read_only.check,
        (Option("file", {"metavar": "FILE", "nargs": "?", "help": "the same as --config FILE"}),),
    ),
    Command(
        "schema",
        "the JSON Schema of the settings file, for editors",
        "schema > janitor.schema.json",
        read_only.schema,
        (Option("--report", {"action": "store_true", "help": "the JSON Schema of a report instead"}),),
    ),
    Command(
        "convert",
        "the rules that say what the native policy POLICY_ID says; without it, which of the file's rules"
        " Yandex Cloud could run natively",
        "convert crpl0000000000000000",
        by_hand.convert,
        (Option("policy_id", {"metavar": "POLICY_ID", "nargs": "?", "help": "a native lifecycle policy"}),),
    ),
)


def carry_out_command(options: argparse.Namespace) -> int:
    """Does what the options say and returns the exit status."""
    terminal.choose_color(options.color)
    if sys.stderr.isatty() and not os.environ.get("LOG_LEVEL"):
        log.mute()
    environment: dict[str, str] = {}
    try:
        environment = configured(options)
        status: int = options.act(options, environment)
    except JanitorError as error:
        print(error, file=sys.stderr)
        status = error.exit_status
    return hints.after_settings(status, environment) if environment else status


def configured(options: argparse.Namespace) -> dict[str, str]:
    """The environment with the settings file that the options name, or else lies here.

    Raises SettingsError.
    """
    file = getattr(options, "file", None)
    if file and options.config:
        raise SettingsError(
            "FILE and --config both name a settings file; give one of them.", where="--config"
        )
    return {**os.environ, "JANITOR_CONFIG": settings.file_of(file or options.config, os.environ)}


def parser() -> tuple[argparse.ArgumentParser, Parsers]:
    """The parser of all commands, and what more of them can be added to."""
    made = argparse.ArgumentParser(
        prog=terminal.PROGRAM, description="Clean-up of container images in Yandex Cloud."
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        added = add_command(commands, command.name, command.help, command.example)
        added.set_defaults(act=command.act)
        output = added.add_mutually_exclusive_group()
        output.add_argument(
            "--json", action="store_true", help="print JSON on standard output, and nothing else"
        )
        for option in command.options:
            if option.instead_of_json:
                output.add_argument(option.name, **option.how)
        added.add_argument(
            "--config",
            metavar="FILE",
            help="the settings; by default those that JANITOR_CONFIG names, or janitor.toml if it is here",
        )
        added.add_argument("--color", **terminal.COLOR)
        for option in command.options:
            if not option.instead_of_json:
                added.add_argument(option.name, **option.how)
    return made, commands


def refuse_unknown(
    parser: argparse.ArgumentParser, choices: Iterable[str], words: list[str], kind: str = "command"
) -> None:
    """Ends with a sentence and 2 when the first of the words is none of the choices."""
    word = words[0] if words else ""
    if word.startswith("-") and word.partition("=")[0] not in parser._option_string_actions:
        parser.error(f"{word} comes after a {kind}, as in: {parser.prog} {next(iter(choices))} {word}")
    if not word.startswith("-") and word not in choices:
        said = f"there is no {kind} {word}" if word else f"a {kind} is missing"
        parser.error(f"{said}; {known(word, choices, f'{kind}s')}")


def refuse_more(parser: argparse.ArgumentParser, words: list[str]) -> None:
    """Ends with a sentence and 2 about words that the command does not take."""
    word = words[0].partition("=")[0]
    if not word.startswith("-"):
        parser.error(f"{word} is a word too many")
    options = (name for name in parser._option_string_actions if name.startswith("--"))
    parser.error(f"there is no option {word}; {known(word, options, 'options')}")


def add_command(commands: Parsers, name: str, text: str, example: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=text, description=text, epilog=f"Example: {terminal.PROGRAM} {example}"
    )
