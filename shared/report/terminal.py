"""The report for a person at a terminal: progress bars on standard error, tables on standard output."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from shared.cleanup.explanation import Explained
from shared.cloud.parallel import Progress
from shared.report import migration
from shared.report.contract import ImageRow, PolicyRow, Report
from shared.report.difference import Difference
from shared.report.migration import MigrationReport
from shared.report.report import HELD
from shared.report.summary import size, summary

PROGRAM = "registry-janitor" if Path(sys.argv[0]).stem == "registry-janitor" else "python -m functions"
COLOR: dict[str, Any] = {
    "choices": ("auto", "always", "never"),
    "default": "auto",
    "help": "colours on standard output: auto (the default) has them on a terminal, without NO_COLOR",
}
SHOWN = 40
PIPE_WIDTH = 120
EXPLAINED = {
    "not-taken": "No applied policy and no rule takes it: it stays.",
    "protected": "It stays.",
    "would-delete": "A clean-up would delete it.",
}
RULE_SAYS = {
    "takes": "takes it",
    "keeps": "keeps it",
    "leaves": "matches it and leaves it: it is too young, or among the newest",
    "undated": "matches it and cannot judge it: its creation time cannot be believed",
    "does-not-match": "does not match it",
}
NARROW = ("created", "size", "status")
COLOURS = {
    "ok": "green",
    "held-back": "yellow",
    "partial": "yellow",
    "unfinished": "yellow",
    "refused": "red",
    "failed": "red",
}


def choose_color(when: str) -> None:
    """Has colours ``always``, ``never`` or, with ``auto``, as the environment says."""
    if when != "auto":
        os.environ.pop("NO_COLOR", None)
        os.environ.pop("FORCE_COLOR", None)
        os.environ["FORCE_COLOR" if when == "always" else "NO_COLOR"] = "1"


def _console() -> Any:
    """Standard output for rich. NO_COLOR leaves out bold letters too."""
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:
            raise  # for whoever runs the command; rich would end the process

    return Output(
        highlight=False,
        width=None if sys.stdout.isatty() else PIPE_WIDTH,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
    )


@contextmanager
def progress() -> Iterator[Progress]:
    """Progress bars while standard error is a terminal; nothing at all elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _what, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=max(done, bars.tasks[tasks[what]].completed))

        yield show


def print_json(value: Any) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def print_report(report: Report, *, as_json: bool) -> None:
    if as_json:
        print_json(report)
    else:
        show(report)


def show(report: Report, most: int = SHOWN) -> None:
    """Prints the report, with ``most`` of its images.

    Names and tags come from strangers: they are printed as text, never as markup or control codes.
    """
    from rich.table import Table
    from rich.text import Text

    console = _console()
    console.print(Text(f"{report.mode}: {report.status}", style=f"bold {COLOURS[report.status]}"))
    if report.policies:
        console.print(_table(Table, Text, "Policies", _POLICY_COLUMNS, report.policies))
    if report.images:
        rows = sorted(report.images, key=_weight)[:most]
        console.print(_table(Table, Text, "Images", _IMAGE_COLUMNS, rows))
        if report.totals.candidates > most:
            console.print(f"… and {report.totals.candidates - most} more (--json lists them all)")
    for warning in report.warnings:
        console.print(Text(f"warning: {_plain(warning.message)}", style="yellow"))
    for problem in report.errors:
        console.print(Text(f"error: {_plain(problem.message)}", style="red"))
    console.print(Text(summary(report)))
    if report.mode == "plan" and report.plan_id:
        console.print(Text(f"To carry this out: {PROGRAM} apply {report.plan_id}"))


def show_difference(difference: Difference) -> None:
    """Prints how two settings files differ."""
    from rich.table import Table
    from rich.text import Text

    console = _console()
    for title, rows in (
        ("Newly taken", difference.newly_taken),
        ("Newly kept", difference.newly_kept),
    ):
        if rows:
            console.print(_table(Table, Text, title, _IMAGE_COLUMNS, rows[:SHOWN]))
        if len(rows) > SHOWN:
            console.print(f"… and {len(rows) - SHOWN} more (--json lists them all)")
    messages = [notice.message for notice in difference.warnings]
    for message in messages + [problem.message for problem in difference.errors]:
        console.print(Text(_plain(message), style="yellow"))
    taken, kept = len(difference.newly_taken), len(difference.newly_kept)
    console.print(f"{taken} images newly taken, {kept} newly kept")


def show_explained(images: list[Explained]) -> None:
    """Prints what every policy, rule and guard says about images."""
    from rich.text import Text

    console = _console()
    for image in images:
        tags = ", ".join(image.tags) or "untagged"
        place = f"{image.registry_id}/{image.repository}"
        console.print(Text(_plain(f"{place}: {image.digest}"), style="bold"))
        console.print(Text(_plain(f"  {image.image_id}, {tags}, created at {image.created_at}")))
        for policy in image.policies:
            name = policy.policy_name or policy.policy_id
            verb = "takes it" if policy.takes else "does not take it"
            applied = "" if policy.applied else ", and is not applied here"
            console.print(Text(_plain(f"  policy {name} ({policy.status}) {verb}{applied}")))
        for rule in image.rules:
            console.print(Text(_plain(f"  rule {rule.rule} {RULE_SAYS[rule.says]}")))
        for guard in image.guards:
            console.print(Text(_plain(f"  guard {guard.guard} keeps it: {guard.kept_by}")))
        if not image.guards:
            console.print(Text("  no guard keeps it"))
        console.print(Text(f"  {EXPLAINED[image.outcome]}", style="bold"))


def show_migration(report: MigrationReport) -> None:
    """Prints what of the registries has moved, and what becomes of their policies."""
    from rich.table import Table
    from rich.text import Text

    console = _console()

    for registry in report.registries:
        style = "bold green" if registry.arrived else "bold yellow"
        name = f"{registry.registry_id} ({registry.name}): {migration.headline(registry)}"
        console.print(Text(_plain(name), style=style))
        for sentence in migration.sentences(registry):
            console.print(Text(f"  {_plain(sentence)}"))
        for table in migration.tables(registry):
            columns: Columns[list[str]] = {
                head: partial(_cell, place) for place, head in enumerate(table.heads)
            }
            console.print(_table(Table, Text, table.title, columns, table.rows[:SHOWN]))
            if len(table.rows) > SHOWN:
                console.print(f"… and {len(table.rows) - SHOWN} more (--json lists them all)")
        for doubt in migration.doubts(registry):
            console.print(Text(f"  doubt: {_plain(doubt)}", style="yellow"))
        for title, text in migration.texts(registry):
            console.print(Text(f"{title}:", style="bold"))
            sys.stdout.write("\n".join(map(_plain, text.split("\n"))) + "\n")
    for warning in report.warnings:
        console.print(Text(f"warning: {_plain(warning.message)}", style="yellow"))
    for problem in report.errors:
        console.print(Text(f"error: {_plain(problem.message)}", style="red"))


def _cell(place: int, row: list[str]) -> str:
    return row[place]


Row = TypeVar("Row")
Columns = dict[str, Callable[[Row], str]]
_POLICY_COLUMNS: Columns[PolicyRow] = {
    "repository": lambda row: row.repository,
    "policy": lambda row: row.policy_name or row.policy_id,
    "status": lambda row: row.status,
    "applied": lambda row: "yes" if row.applied else "no",
    "takes": lambda row: str(row.candidates),
}
_IMAGE_COLUMNS: Columns[ImageRow] = {
    "repository": lambda row: row.repository,
    "tags": lambda row: ", ".join(row.tags) or "(untagged)",
    "created": lambda row: row.created_at[:10],
    "size": lambda row: size(row.size_bytes),
    "outcome": lambda row: f"{row.outcome} ({row.guard})" if row.guard else row.outcome,
    "reason": lambda row: f"{row.reason}; kept by {row.kept_by}" if row.kept_by else row.reason,
}


def _weight(row: ImageRow) -> int:
    """What needs a look comes first."""
    return HELD.index(row.outcome) if row.outcome in HELD else len(HELD)


def _table(table_type: Any, text_type: Any, title: str, columns: Columns[Row], rows: list[Row]) -> Any:
    table = table_type(title=title, title_justify="left")
    for name in columns:
        table.add_column(name, no_wrap=name in NARROW)
    for row in rows:
        table.add_row(*(text_type(_plain(cell(row))) for cell in columns.values()))
    return table


def _plain(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "\N{REPLACEMENT CHARACTER}", text)
