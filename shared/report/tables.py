"""Tables for a terminal of any width: where a table is too wide, its columns fold, never its words.

What does not fit beside the others goes on lines of its own below them: first the last columns of text, then,
if that is not enough, all but the first.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

import msgspec

GAP, INDENT = 2, 2
LEAST = 20
Row = TypeVar("Row")


class Column(msgspec.Struct, Generic[Row], frozen=True):
    """``number``: its cells stand at the right."""

    title: str
    cell: Callable[[Row], str]
    number: bool = False


def table(columns: Sequence[Column[Row]], rows: Iterable[Row], width: int) -> Iterator[str]:
    """The lines of a table, its heads first; a column without any text is left out."""
    texts = [[column.cell(row) for column in columns] for row in rows]
    used = [place for place in range(len(columns)) if any(cells[place] for cells in texts)]
    heads = [column.title for column in columns]
    sizes = {place: max(len(cells[place]) for cells in [heads, *texts]) for place in used}
    beside, below = _folded(columns, used, sizes, width)
    name_alone = len(beside) > 1 and _total(beside, sizes) > width
    for cells in [heads, *texts]:
        if name_alone:
            yield from _wrapped(cells[beside[0]], width, 0)
        line = _line(columns, cells, beside[name_alone:], sizes)
        yield " " * INDENT * name_alone + line
        for place in below if cells is not heads else ():
            yield from _wrapped(cells[place], width, INDENT)


def _folded(
    columns: Sequence[Column[Row]], used: list[int], sizes: dict[int, int], width: int
) -> tuple[list[int], list[int]]:
    """The columns that stand side by side, and those of text that get lines of their own below."""
    beside = list(used)
    below: list[int] = []
    for place in reversed(used[1:]):
        if _total(beside, sizes) > width and not columns[place].number:
            beside.remove(place)
            below.insert(0, place)
    return beside, below


def _total(places: list[int], sizes: dict[int, int]) -> int:
    return sum(sizes[place] for place in places) + GAP * (len(places) - 1)


def _line(columns: Sequence[Column[Row]], cells: list[str], places: list[int], sizes: dict[int, int]) -> str:
    padded = [
        cells[place].rjust(sizes[place]) if columns[place].number else cells[place].ljust(sizes[place])
        for place in places
    ]
    return (" " * GAP).join(padded).rstrip()


def _wrapped(text: str, width: int, indent: int) -> list[str]:
    """The text on as many lines as it needs; a word that is too long for a line stays whole."""
    room = max(LEAST, width - indent)
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
    return [" " * indent + line for line in lines]
