"""Timers' schedules fire when the cloud's documentation says so."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.settings import cron
from tests.emulator.cron import schedule_of

NOW = "2026-11-25T14:30:30"  # a Wednesday


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        pytest.param("* * * * ? *", NOW, "2026-11-25T14:31", id="every minute"),
        pytest.param("0 * ? * * *", NOW, "2026-11-25T15:00", id="every hour"),
        pytest.param("15 10 ? * * *", NOW, "2026-11-26T10:15", id="every day"),
        pytest.param("15 10 ? * *", NOW, "2026-11-26T10:15", id="without a year"),
        pytest.param("30 14 ? * * *", "2026-11-25T14:30:00", "2026-11-26T14:30", id="not at the very moment"),
        pytest.param("30 14 ? * * *", "2026-11-25T14:29:59", "2026-11-25T14:30", id="a second later"),
        pytest.param("0/20 14 ? * * *", NOW, "2026-11-25T14:40", id="steps from a value"),
        pytest.param("*/45 * ? * * *", NOW, "2026-11-25T14:45", id="steps of all"),
        pytest.param("10-30/10 14 ? * * *", NOW, "2026-11-26T14:10", id="steps of a range"),
        pytest.param("0 3 ? * MON-FRI *", "2026-11-27T03:00:00", "2026-11-30T03:00", id="over the weekend"),
        pytest.param("0 3 ? * sat,sun *", NOW, "2026-11-28T03:00", id="names in lower case"),
        pytest.param("0 3 ? * 1 *", NOW, "2026-11-29T03:00", id="Sunday is 1"),
        pytest.param("0 3 ? * L *", NOW, "2026-11-28T03:00", id="the week's last day is Saturday"),
        pytest.param("0 3 ? * 6#3 *", NOW, "2026-12-18T03:00", id="the third Friday"),
        pytest.param("0 3 ? * MON#5 *", NOW, "2026-11-30T03:00", id="the fifth Monday"),
        pytest.param("0 3 1 * ? *", NOW, "2026-12-01T03:00", id="a day of the month"),
        pytest.param("0 3 31 * ? *", "2027-02-01T00:00:00", "2027-03-31T03:00", id="a day that months lack"),
        pytest.param("0 3 29 2 ? *", NOW, "2028-02-29T03:00", id="a leap day"),
        pytest.param("0 3 L * ? *", "2027-02-01T00:00:00", "2027-02-28T03:00", id="the month's last day"),
        pytest.param("0 3 LW * ? *", "2027-02-01T00:00:00", "2027-02-26T03:00", id="its last weekday"),
        pytest.param("0 3 15W * ? *", "2026-08-01T00:00:00", "2026-08-14T03:00", id="before a Saturday"),
        pytest.param("0 3 15W * ? *", "2026-11-01T00:00:00", "2026-11-16T03:00", id="after a Sunday"),
        pytest.param("0 3 1W * ? *", "2026-08-01T00:00:00", "2026-08-03T03:00", id="not in another month"),
        pytest.param("0 3 1 JAN,jul ? *", NOW, "2027-01-01T03:00", id="months by name"),
        pytest.param("0 3 1 1 ? 2030-2032", NOW, "2030-01-01T03:00", id="years"),
        pytest.param("0 3 1 1 ? 2020", NOW, None, id="never again"),
        pytest.param("0 3 30 2 ? *", NOW, None, id="never"),
    ],
)
def test_a_schedule_fires_next(expression: str, after: str, expected: str | None) -> None:
    next_time = schedule_of(expression).after(datetime.fromisoformat(after).replace(tzinfo=UTC).timestamp())
    told = None if next_time is None else f"{datetime.fromtimestamp(next_time, UTC):%Y-%m-%dT%H:%M}"
    assert told == expected


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        pytest.param("0 3 * * *", "must be ?", id="crontab"),
        pytest.param("0 3 * * * *", "must be ?", id="no question mark"),
        pytest.param("0 3 ? * ? *", "must be ?", id="two of them"),
        pytest.param("0 3 ? *", "4 fields", id="too few"),
        pytest.param("0 0 3 ? * * *", "7 fields", id="with seconds"),
        pytest.param("? 3 ? * * *", "minutes", id="a question mark elsewhere"),
        pytest.param("60 3 ? * * *", "minutes", id="minute too high"),
        pytest.param("0 24 ? * * *", "hours", id="hour too high"),
        pytest.param("0 3 0 * ? *", "day-of-month", id="no day"),
        pytest.param("0 3 32W * ? *", "day-of-month", id="no such day"),
        pytest.param("0 3 ? 13 * *", "month", id="no such month"),
        pytest.param("0 3 ? * 0 *", "day-of-week", id="days begin with 1"),
        pytest.param("0 3 ? * 8 *", "day-of-week", id="and end with 7"),
        pytest.param("0 3 ? * MON#6 *", "day-of-week", id="no sixth Monday"),
        pytest.param("0 3 ? * * 1969", "year", id="too early"),
        pytest.param("0 5-3 ? * * *", "hours", id="backwards"),
        pytest.param("0/0 3 ? * * *", "minutes", id="steps of nothing"),
        pytest.param("@daily", "1 fields", id="a nickname"),
        pytest.param("-5 3 ? * * *", "minutes", id="negative"),
        pytest.param("", "0 fields", id="nothing"),
    ],
)
def test_a_schedule_that_the_cloud_refuses(expression: str, named: str) -> None:
    with pytest.raises(ValueError, match=named.replace("?", r"\?")):
        schedule_of(expression)


def fields(low: int, high: int, *special: str) -> st.SearchStrategy[str]:
    """A field of a schedule, now and then one that isn't right."""
    number = st.integers(low - 1 if low else 0, high + 1)
    span = st.tuples(number, number).map(lambda pair: f"{pair[0]}-{pair[1]}")
    stepped = st.tuples(st.one_of(st.just("*"), number, span), st.integers(0, 7)).map(
        lambda pair: f"{pair[0]}/{pair[1]}"
    )
    value = st.one_of(number.map(str), span, stepped)
    listed = st.lists(value, min_size=1, max_size=3).map(",".join)
    return st.one_of(st.just("*"), listed, *map(st.just, special))


DAYS = st.one_of(
    st.tuples(fields(1, 31, "L", "LW", "15W", "1w", "31W"), st.just("?")),
    st.tuples(st.just("?"), fields(1, 7, "L", "MON-FRI", "sun", "6#3", "TUE#5", "8#1")),
)
EXPRESSIONS = st.builds(
    lambda minutes, hours, days, month, year: f"{minutes} {hours} {days[0]} {month} {days[1]} {year}",
    fields(0, 59),
    fields(0, 23),
    DAYS,
    fields(1, 12, "JAN", "feb-APR", "DEC,JUN"),
    st.sampled_from(["*", "2027", "2026-2030", "2027/2", "1970", "2100"]),
)


@settings(max_examples=300)
@given(EXPRESSIONS)
def test_the_forecast_of_a_deployment_is_what_comes(expression: str) -> None:
    """Two readings of one documentation, which know nothing of each other."""
    start = datetime.fromisoformat(NOW).replace(tzinfo=UTC)
    try:
        schedule = schedule_of(expression)
    except ValueError:
        schedule = None
    try:
        forecast = list(itertools.islice(cron.parse(expression).runs(start), 3))
    except ValueError:
        assert schedule is None or len(expression) > cron.LONGEST, expression
        return
    assert schedule is not None, expression
    moment: float | None = start.timestamp()
    for expected in forecast:
        assert moment is not None
        moment = schedule.after(moment)
        assert moment == expected.timestamp(), expression
    if len(forecast) < 3 and moment is not None:
        assert schedule.after(moment) is None
