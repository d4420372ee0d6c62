"""The timer's cron expression, checked and foretold without asking the cloud.

Six fields in UTC: minutes, hours, day of month, month, day of week, year; exactly one of the two day fields
is ``?``. ``*`` every value, ``a-b`` a range, ``a/n`` and ``a-b/n`` every n-th from a on, ``,`` several of
these. Months are 1-12 or JAN-DEC, days of the week 1-7 or SUN-SAT, years 1970-2099. In the day of month ``L``
is the last day, ``15W`` the weekday nearest to the 15th within its month, ``LW`` the last weekday; in the day
of week ``L`` is Saturday and ``6#3`` the third Friday. (Yandex Cloud's documentation:
functions/concepts/trigger/timer.)
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

LONGEST = 100
EXAMPLE = "0 3 ? * * *"
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
SATURDAY = 7
LAST_YEAR = 2099

IsDay = Callable[[date], bool]


class _Field(NamedTuple):
    """What a field is called, its least and greatest value, and the names that stand for values, the least
    first.
    """

    name: str
    least: int
    most: int
    names: Sequence[str] = ()


MINUTES, HOURS = _Field("minutes", 0, 59), _Field("hours", 0, 23)
DAY_OF_MONTH, MONTH = _Field("day of month", 1, 31), _Field("month", 1, 12, MONTHS)
DAY_OF_WEEK, YEAR = _Field("day of week", 1, 7, WEEKDAYS), _Field("year", 1970, LAST_YEAR)


class Schedule(NamedTuple):
    """A cron expression understood."""

    minutes: frozenset[int]
    hours: frozenset[int]
    is_day: IsDay

    def runs(self, after: datetime) -> Iterator[datetime]:
        """The times of its runs that come after that one, in UTC."""
        times = [
            time(hour, minute, tzinfo=UTC) for hour in sorted(self.hours) for minute in sorted(self.minutes)
        ]
        day = after.astimezone(UTC).date()
        while day.year <= LAST_YEAR:
            if self.is_day(day):
                moments = (datetime.combine(day, moment) for moment in times)
                yield from (moment for moment in moments if moment > after)
            day += timedelta(days=1)


def parse(expression: str) -> Schedule:
    """The schedule of a cron expression.

    Raises ValueError, whose text goes on after the expression's name and value.
    """
    fields = expression.upper().split()
    if len(expression) > LONGEST:
        raise ValueError(f"has {len(expression)} characters; {LONGEST} are the most")
    if len(fields) != 6:
        raise ValueError(
            f"has {len(fields)} fields; give six: minutes, hours, day of month, month, day of week and year,"
            f' in UTC, as in "{EXAMPLE}"'
        )
    minutes, hours, day_of_month, month, day_of_week, year = fields
    if (day_of_month == "?") == (day_of_week == "?"):
        raise ValueError(f'must have ? as exactly one of day of month and day of week, as in "{EXAMPLE}"')
    months, years = _values(month, MONTH), _values(year, YEAR)
    fits = _weekday(day_of_week) if day_of_month == "?" else _month_day(day_of_month)
    return Schedule(
        _values(minutes, MINUTES),
        _values(hours, HOURS),
        lambda day: day.year in years and day.month in months and fits(day),
    )


def _values(text: str, field: _Field) -> frozenset[int]:
    return frozenset[int]().union(*(_part(part, field) for part in text.split(",")))


def _part(text: str, field: _Field) -> range:
    span, slash, step = text.partition("/")
    first, dash, last = span.partition("-")
    least = field.least if span == "*" else _value(first, field)
    most = _value(last, field) if dash else field.most if slash or span == "*" else least
    if least > most:
        raise ValueError(f"has {text} as {field.name}; a range goes from the lower value to the higher")
    if slash and not re.fullmatch(r"[1-9][0-9]{0,3}", step):
        raise ValueError(f"has {text} as {field.name}; what follows / must be a whole number above 0")
    return range(least, most + 1, int(step) if slash else 1)


def _value(text: str, field: _Field) -> int:
    if text in field.names:
        return field.least + field.names.index(text)
    if re.fullmatch(r"[0-9]{1,4}", text) and field.least <= int(text) <= field.most:
        return int(text)
    names = f" or {field.names[0]}-{field.names[-1]}" if field.names else ""
    shown = text or "nothing"
    raise ValueError(f"has {shown} as {field.name}; give {field.least}-{field.most}{names}")


def _month_day(text: str) -> IsDay:
    if text == "L":
        return lambda day: day.day == _days(day)
    if text == "LW":
        return lambda day: day.day == _nearest_weekday(day, _days(day))
    if text.endswith("W"):
        number = _value(text[:-1], DAY_OF_MONTH)
        return lambda day: number <= _days(day) and day.day == _nearest_weekday(day, number)
    values = _values(text, DAY_OF_MONTH)
    return lambda day: day.day in values


def _weekday(text: str) -> IsDay:
    if text == "L":
        return lambda day: _number(day) == SATURDAY
    name, sharp, nth = text.partition("#")
    if not sharp:
        values = _values(text, DAY_OF_WEEK)
        return lambda day: _number(day) in values
    weekday = _value(name, DAY_OF_WEEK)
    if not re.fullmatch("[1-5]", nth):
        raise ValueError(f"has {text} as day of week; what follows # must be 1-5")
    return lambda day: _number(day) == weekday and (day.day + 6) // 7 == int(nth)


def _number(day: date) -> int:
    """The day of the week, Sunday being 1."""
    return day.isoweekday() % 7 + 1


def _days(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _nearest_weekday(day: date, number: int) -> int:
    """The day of the month of the weekday nearest to the ``number``-th, within the month."""
    weekday = date(day.year, day.month, number).isoweekday()
    if weekday == 6:
        return number - 1 if number > 1 else number + 2
    if weekday == 7:
        return number + 1 if number < _days(day) else number - 2
    return number
