"""Cron expressions: which times they mean, and what is wrong with those that mean none."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.settings import cron
from tests.emulator.cron import schedule_of

NOW = datetime(2026, 11, 25, 14, 0, tzinfo=UTC)  # a Wednesday


def runs(expression: str, count: int = 3) -> list[str]:
    return [f"{run:%a %F %H:%M}" for run in islice(cron.parse(expression).runs(NOW), count)]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 3 ? * * *", ["Thu 2026-11-26 03:00", "Fri 2026-11-27 03:00", "Sat 2026-11-28 03:00"]),
        ("* * * * ? *", ["Wed 2026-11-25 14:01", "Wed 2026-11-25 14:02", "Wed 2026-11-25 14:03"]),
        ("0/45 8-9 ? * mon-fri *", ["Thu 2026-11-26 08:00", "Thu 2026-11-26 08:45", "Thu 2026-11-26 09:00"]),
        ("0 0 10 * ? *", ["Thu 2026-12-10 00:00", "Sun 2027-01-10 00:00", "Wed 2027-02-10 00:00"]),
        ("0 0 L * ? *", ["Mon 2026-11-30 00:00", "Thu 2026-12-31 00:00", "Sun 2027-01-31 00:00"]),
        ("0 0 LW * ? 2027", ["Fri 2027-01-29 00:00", "Fri 2027-02-26 00:00", "Wed 2027-03-31 00:00"]),
        ("0 0 15W MAR,AUG ? *", ["Mon 2027-03-15 00:00", "Mon 2027-08-16 00:00", "Wed 2028-03-15 00:00"]),
        ("0 0 1W 8,5 ? 2027", ["Mon 2027-05-03 00:00", "Mon 2027-08-02 00:00"]),
        ("0 0 ? * L *", ["Sat 2026-11-28 00:00", "Sat 2026-12-05 00:00", "Sat 2026-12-12 00:00"]),
        ("0 0 ? * 6#3 *", ["Fri 2026-12-18 00:00", "Fri 2027-01-15 00:00", "Fri 2027-02-19 00:00"]),
        ("0 0 29 2 ? *", ["Tue 2028-02-29 00:00", "Sun 2032-02-29 00:00", "Fri 2036-02-29 00:00"]),
        ("0 0 31 2 ? *", []),
        ("0 3 ? * * 2020", []),
    ],
)
def test_an_expression_means_these_times(expression: str, expected: list[str]) -> None:
    assert runs(expression) == expected


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("0 3 * * * *", "exactly one of day of month and day of week"),
        ("0 3 ? * ? *", "exactly one of day of month and day of week"),
        ("0 3 ? * *", "has 5 fields; give six"),
        ("", "has 0 fields"),
        ("0 3 ? * * * *", "has 7 fields"),
        ("60 3 ? * * *", "has 60 as minutes; give 0-59"),
        ("0 24 ? * * *", "has 24 as hours; give 0-23"),
        ("0 3 0 * ? *", "has 0 as day of month; give 1-31"),
        ("0 3 ? FOO * *", "has FOO as month; give 1-12 or JAN-DEC"),
        ("0 3 ? * 8 *", "has 8 as day of week; give 1-7 or SUN-SAT"),
        ("0 3 ? * * 1969", "has 1969 as year; give 1970-2099"),
        ("0 3 ? * 6#6 *", "what follows # must be 1-5"),
        ("0 3 ? * FRI-MON *", "from the lower value to the higher"),
        ("0/0 3 ? * * *", "what follows / must be a whole number above 0"),
        ("*-5 3 ? * * *", "has * as minutes"),
        ("1,,2 3 ? * * *", "has nothing as minutes"),
        ("-1 3 ? * * *", "has nothing as minutes"),
        ("0 3 ?,1 * ? *", "has ? as day of month"),
        ("0 3 1,L * ? *", "has L as day of month"),
        ("0 3 ? * * *" + " " * 100, "100 are the most"),
    ],
)
def test_what_is_wrong_is_said(expression: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=r"^(has|must have) ") as caught:
        cron.parse(expression)
    assert complaint in str(caught.value)


def field(least: int, most: int, *words: str) -> st.SearchStrategy[str]:
    value = st.integers(least - 1, most + 1).map(str)
    ranges = st.tuples(value, value).map("-".join)
    stepped = st.tuples(st.one_of(value, ranges, st.just("*")), st.integers(0, 9).map(str)).map("/".join)
    part = st.one_of(value, ranges, stepped, st.sampled_from(["*", *words]))
    return st.lists(part, min_size=1, max_size=3).map(",".join)


EXPRESSIONS = st.one_of(
    st.tuples(
        field(0, 59),
        field(0, 23),
        field(1, 31, "L", "LW", "15W", "1W", "31W", "30W"),
        field(1, 12, "JAN", "DEC"),
        st.just("?"),
        field(2026, 2030),
    ),
    st.tuples(
        field(0, 59),
        field(0, 23),
        st.just("?"),
        field(1, 12, "FEB"),
        field(1, 7, "L", "SUN", "MON-FRI", "6#3", "1#5", "2#6"),
        field(2026, 2030),
    ),
).map(" ".join)


@given(EXPRESSIONS)
@settings(max_examples=150)
def test_what_is_accepted_fires_then_in_the_emulated_cloud_and_what_is_refused_is_refused_there(
    expression: str,
) -> None:
    try:
        expected = schedule_of(expression)
    except ValueError:
        with pytest.raises(ValueError, match=r"^(has|must have) "):
            cron.parse(expression)
        return
    moment: float = NOW.timestamp()
    times = [run.timestamp() for run in islice(cron.parse(expression).runs(NOW), 5)]
    for time in times:
        assert expected.after(moment) == time
        moment = time
    assert len(times) == 5 or expected.after(moment) is None
