"""The pages that users read, and the blocks of code in them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.emulator.client import PROJECT_ROOT

PAGES = sorted([PROJECT_ROOT / "README.md", *(PROJECT_ROOT / "docs").glob("*.md")])


class Block(NamedTuple):
    """A block of code: its page, the heading above it, its language and its text."""

    page: str
    line: int
    heading: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    return page.relative_to(PROJECT_ROOT).as_posix()


@cache
def blocks() -> tuple[Block, ...]:
    """Every fenced block of every page, in order."""
    return tuple(block for page in PAGES for block in _blocks(page))


def _blocks(page: Path) -> list[Block]:
    found: list[Block] = []
    heading, language, begun, lines = "", None, 0, list[str]()
    for number, line in enumerate(text_of(page).splitlines(), 1):
        if language is None:
            fence = re.fullmatch(r"```(\w*)", line)
            if fence:
                language, begun, lines = fence[1], number, []
            elif line.startswith("#"):
                heading = line.lstrip("# ")
        elif line == "```":
            found.append(Block(name_of(page), begun, heading, language, "\n".join(lines) + "\n"))
            language = None
        else:
            lines.append(line)
    assert language is None, f"{page}: the block of line {begun} does not end"
    return found


def blocks_of(page: str, language: str = "", heading: str = "") -> list[Block]:
    """The blocks of a page, of one language and below one heading if that is given."""
    return [
        block
        for block in blocks()
        if block.page == page
        and (not language or block.language == language)
        and (not heading or block.heading == heading)
    ]
