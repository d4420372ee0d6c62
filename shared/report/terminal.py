"""The report for a person at a terminal: progress bars on standard error, the rest on standard output.

Names and tags come from strangers: they are printed as text, never as markup or control codes.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from shared.cleanup.explanation import Explained
from shared.cloud.parallel import Progress
from shared.errors import many
from shared.report import lists, migration, sentence
from shared.report.contract import Report
from shared.report.difference import Difference
from shared.report.legend import Legend
from shared.report.migration import MigrationReport
from shared.report.summary import summary
from shared.report.tables import Column, table

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
COLOURS = {
    "ok": "green",
    "held-back": "yellow",
    "partial": "yellow",
    "unfinished": "yellow",
    "refused": "red",
    "failed": "red",
}
Row = TypeVar("Row")
Print = Callable[..., None]


def choose_color(when: str) -> None:
    """Has colours ``always``, ``never`` or, with ``auto``, as the environment says."""
    if when != "auto":
        os.environ.pop("NO_COLOR", None)
        os.environ.pop("FORCE_COLOR", None)
        os.environ["FORCE_COLOR" if when == "always" else "NO_COLOR"] = "1"


@contextmanager
def progress() -> Iterator[Progress]:
    """Progress bars with rates while standard error is a terminal; nothing at all elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _what, _done, _total: None
        return
    from rich import progress as rich
    from rich.console import Console
    from rich.text import Text

    class Rate(rich.ProgressColumn):
        def render(self, task: rich.Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:,.0f}/s" if speed else "")

    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        Rate(),
        rich.TimeRemainingColumn(compact=True),
    )
    with rich.Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {"": bars.add_task("asking the cloud", total=None)}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                bars.update(tasks[""], visible=False)
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=max(done, bars.tasks[tasks[what]].completed))

        try:
            yield show
        finally:
            bars.update(tasks[""], visible=False)


def print_json(value: Any) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def print_report(report: Report, legend: Legend, *, as_json: bool, verbose: bool = False) -> None:
    if as_json:
        print_json(report)
    else:
        show(report, legend, verbose=verbose)


def show(report: Report, legend: Legend | None = None, *, verbose: bool = False) -> None:
    """Prints the report: what was done, in each repository, what stays and why; ``verbose``: every image."""
    say, width = _printer()
    style = COLOURS[report.status]
    say(sentence.sentence(report, legend), style=f"bold {style}")
    if sentence.is_idle(report):  # what the problems say is all there is to say
        say(f"{report.mode}: {report.status}", style=style)
        _show_problems(say, report)
        return
    say(f"{report.mode}: {report.status} ({sentence.status(report)})", style=style)
    _show_table(say, width, "Repositories", lists.REPOSITORIES, lists.repositories(report))
    others = lists.unchanged(report)
    if others:
        say(f"In {many(others, 'other repository', 'other repositories')} nothing goes.")
    if report.images_truncated:
        say(f"This report lists {len(report.images):,} of {report.totals.candidates:,} images.")
    _show_table(say, width, "Held back", lists.HELD, sentence.held(report)[sentence.FIRST :])
    if verbose:
        _show_table(say, width, "Images", lists.images(legend), lists.newest_first(report.images))
    else:
        rows = lists.notable(report)
        _show_table(say, width, "What stays", lists.stays(), rows[:SHOWN])
        if len(rows) > SHOWN:
            say(f"… and {len(rows) - SHOWN:,} more that stay")
    _show_table(say, width, "Policies", lists.policies(legend), report.policies)
    _show_problems(say, report)
    say("")
    say(summary(report))
    if report.images:
        say("Sizes in the tables add up the images; a layer that several share is freed once, with the last.")
    if report.images and not verbose:
        say("--verbose shows every image, --json everything.")
    if report.mode == "plan" and report.plan_id:
        say(f"To carry this out: {PROGRAM} apply {report.plan_id}")


def _show_problems(say: Print, report: Report | MigrationReport) -> None:
    if report.warnings or report.errors:
        say("")
    for warning in sorted(report.warnings, key=lambda notice: (notice.code, notice.message)):
        say(f"warning: {sentence.short_digests(warning.message)}", style="yellow")
    for problem in sorted(report.errors, key=lambda problem: (problem.where, problem.message)):
        say(f"error: {sentence.short_digests(problem.message)}", style="red")


def show_plans(waiting: Sequence[Any], link: str) -> None:
    """Prints the plans that wait for a decision; ``link`` leads to the page of all of them, or is ""."""
    say, _ = _printer()
    if not waiting:
        say("No plan waits for a decision.")
        return
    for plan in waiting:
        say(plan.says, style="bold")
        say(f"  until {plan.valid_until}: {PROGRAM} apply {plan.plan_id}")
        if plan.link:
            say(f"  {plan.link}")
    if link:
        say(f"All of them, for a day, for whoever may approve them: {link}")


def show_validated(report: Report, legend: Legend) -> None:
    """Prints whether the images of the repositories are whole."""
    say, _ = _printer()
    place = sentence.places(report, legend) or "the registries"
    damaged = sum(warning.code in lists.DAMAGE for warning in report.warnings)
    if report.status == "failed" or not report.totals.images:
        first, style = "Nothing could be validated." if report.errors else "There are no images.", "red"
    elif damaged:
        first, style = f"{damaged:,} of {report.totals.images:,} images in {place} are damaged.", "yellow"
    else:
        looked = f"{report.totals.images:,} images in {place}"
        first, style = f"Every index has its images and every signature its image: {looked}.", "green"
    if report.errors and report.totals.images:
        first, style = f"{first} Not everything could be looked at.", "yellow"
    say(first, style=f"bold {style}")
    _show_problems(say, report)


def show_difference(difference: Difference) -> None:
    """Prints how two settings files differ."""
    say, width = _printer()
    taken, kept = len(difference.newly_taken), len(difference.newly_kept)
    say(f"{many(taken, 'image')} newly taken, {kept:,} newly kept", style="bold")
    for title, rows in (
        ("Newly taken", difference.newly_taken),
        ("Newly kept", difference.newly_kept),
    ):
        _show_table(say, width, title, lists.images(None), lists.newest_first(rows)[:SHOWN])
        if len(rows) > SHOWN:
            say(f"… and {len(rows) - SHOWN:,} more (--json lists them all)")
    messages = [notice.message for notice in difference.warnings]
    for message in messages + [problem.message for problem in difference.errors]:
        say(message, style="yellow")


def show_explained(images: list[Explained]) -> None:
    """Prints what every policy, rule and guard says about images."""
    say, _ = _printer()
    for image in images:
        tags = ", ".join(image.tags) or "untagged"
        say(f"{image.registry_id}/{image.repository}: {image.digest}", style="bold")
        say(f"  {image.image_id}, {tags}, created at {image.created_at}")
        for policy in image.policies:
            name = policy.policy_name or policy.policy_id
            verb = "takes it" if policy.takes else "does not take it"
            applied = "" if policy.applied else ", and is not applied here"
            say(f"  policy {name} ({policy.status}) {verb}{applied}")
        for rule in image.rules:
            say(f"  rule {rule.rule} {RULE_SAYS[rule.says]}")
        for guard in image.guards:
            say(f"  guard {guard.guard} keeps it: {guard.kept_by}")
        if not image.guards:
            say("  no guard keeps it")
        say(f"  {EXPLAINED[image.outcome]}", style="bold")


def show_migration(report: MigrationReport) -> None:
    """Prints what of the registries has moved, and what becomes of their policies."""
    say, width = _printer()
    for registry in report.registries:
        style = "bold green" if registry.arrived else "bold yellow"
        say(f"{registry.registry_id} ({registry.name}): {migration.headline(registry)}", style=style)
        for line in migration.sentences(registry):
            say(f"  {line}")
        for each in migration.tables(registry):
            columns: list[Column[list[str]]] = [
                Column(head, partial(_cell, place)) for place, head in enumerate(each.heads)
            ]
            _show_table(say, width, each.title, columns, each.rows[:SHOWN])
            if len(each.rows) > SHOWN:
                say(f"… and {len(each.rows) - SHOWN:,} more (--json lists them all)")
        for doubt in migration.doubts(registry):
            say(f"  doubt: {doubt}", style="yellow")
        for title, text in migration.texts(registry):
            say(f"{title}:", style="bold")
            sys.stdout.write("\n".join(map(_plain, text.split("\n"))) + "\n")
    _show_problems(say, report)


def _cell(place: int, row: list[str]) -> str:
    return row[place]


def _printer() -> tuple[Print, int]:
    """What prints a line of strange text as text, and how wide a line may be."""
    from rich.console import Console
    from rich.text import Text

    class Output(Console):
        def on_broken_pipe(self) -> None:
            raise  # for whoever runs the command; rich would end the process

    console = Output(
        highlight=False,
        width=None if sys.stdout.isatty() else PIPE_WIDTH,
        color_system=None if os.environ.get("NO_COLOR") else "auto",  # NO_COLOR leaves out bold letters too
    )

    def say(text: str, style: str = "") -> None:
        console.print(Text(_plain(text), style=style))

    return say, console.width


def _show_table(
    say: Print, width: int, title: str, columns: Sequence[Column[Row]], rows: Iterable[Row]
) -> None:
    shown = [msgspec.structs.replace(column, cell=partial(_plain_cell, column.cell)) for column in columns]
    lines = list(table(shown, rows, width))
    if len(lines) > 1:
        say("")
        say(title, style="bold")
        for number, line in enumerate(lines):
            say(line, style="dim" if not number else "")


def _plain_cell(cell: Callable[[Any], str], row: Any) -> str:
    return _plain(cell(row))


def _plain(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "\N{REPLACEMENT CHARACTER}", text)
