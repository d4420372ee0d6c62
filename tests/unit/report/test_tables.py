"""Tables fold their columns where they are too wide, and never lose or break a word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.report.tables import Column, table

COLUMNS = [
    Column[list[str]]("name", lambda row: row[0]),
    Column[list[str]]("count", lambda row: row[1], number=True),
    Column[list[str]]("why", lambda row: row[2]),
]
ROWS = [["team-a/app", "1,234", "its tag is to be kept"], ["b", "5", ""]]


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (
            60,
            [
                "name        count  why",
                "team-a/app  1,234  its tag is to be kept",
                "b               5",
            ],
        ),
        (30, ["name        count", "team-a/app  1,234", "  its tag is to be kept", "b               5"]),
        (
            12,
            ["name", "  count", "team-a/app", "  1,234", "  its tag is to be", "  kept", "b", "      5"],
        ),
    ],
)
def test_what_does_not_fit_beside_the_others_goes_below(width: int, lines: list[str]) -> None:
    assert list(table(COLUMNS, ROWS, width)) == lines


def test_a_column_without_any_text_is_left_out() -> None:
    assert list(table(COLUMNS, [["a", "", "b"]], 60)) == ["name  why", "a     b"]


WORDS = st.text("abc ", max_size=90)


@given(st.lists(st.tuples(st.text("ab/", min_size=1, max_size=40), st.text("1,", max_size=9), WORDS)))
def test_no_word_is_lost_and_no_line_is_longer_than_its_words_need(rows: list[tuple[str, ...]]) -> None:
    lines = list(table(COLUMNS, [list(row) for row in rows], 60))

    assert all(len(line) <= 62 or max(map(len, line.split())) > 58 for line in lines)
    assert (
        sorted("".join(lines[1 if rows else 0 :]).replace(" ", ""))
        >= sorted("".join("".join(row) for row in rows).replace(" ", ""))
        or not rows
    )
