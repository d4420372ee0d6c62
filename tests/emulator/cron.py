"""A timer's schedule: `Minutes Hours Day-of-month Month Day-of-week [Year]`, in UTC.

A field is `*`, a value, a range `1-5`, a list `1,5`, or steps `0/15`, `10-30/5`. Months and days of the week
have names (JAN, MON) too; days of the week go from 1 (SUN) to 7 (SAT). One of the two day fields is `?`, and
the other is not. A day of the month may be `L` (the last), `LW` (the last weekday) or `15W` (the weekday
nearest to the 15th, of the same month); a day of the week `L` (7) or `6#3` (the third Friday). (Yandex Cloud:
functions/concepts/trigger/timer.)
"""

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

FIRST_YEAR, LAST_YEAR = 1970, 2099

_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
_STEPPED = re.compile(r"(\*|\w+(?:-\w+)?)(?:/(\d+))?")


@dataclass(frozen=True)
class Schedule:
    minutes: frozenset[int]
    hours: frozenset[int]
    months: frozenset[int]
    years: frozenset[int]
    is_day: Callable[[date], bool]

    def after(self, moment: float) -> float | None:
        """The first time after the moment, both in Unix time; None when there is no more."""
        start = datetime.fromtimestamp(moment // 60 * 60 + 60, UTC)
        day = start.date()
        while day.year <= LAST_YEAR:
            if day.year not in self.years:
                day = date(day.year + 1, 1, 1)
                continue
            if day.month in self.months and self.is_day(day):
                for hour in sorted(self.hours):
                    for minute in sorted(self.minutes):
                        time = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
                        if time >= start:
                            return time.timestamp()
            day += timedelta(days=1)
        return None


def schedule_of(expression: str) -> Schedule:
    """Raises ValueError, with what is wrong in words."""
    fields = expression.split()
    if len(fields) not in (5, 6):
        raise ValueError(f"{len(fields)} fields instead of 6")
    minutes, hours, days, months, weekdays, years = [*fields, "*"][:6]
    if (days == "?") == (weekdays == "?"):
        raise ValueError("exactly one of day-of-month and day-of-week must be ?")
    return Schedule(
        minutes=_values(minutes, 0, 59, "minutes"),
        hours=_values(hours, 0, 23, "hours"),
        months=_values(months, 1, 12, "month", _MONTHS),
        years=_values(years, FIRST_YEAR, LAST_YEAR, "year"),
        is_day=_is_weekday(weekdays.upper()) if days == "?" else _is_day_of_month(days.upper()),
    )


def _values(
    field: str, low: int, high: int, what: str, names: dict[str, int] | None = None
) -> frozenset[int]:
    found: set[int] = set()
    for part in field.upper().split(","):
        match = _STEPPED.fullmatch(part)
        if match is None:
            raise ValueError(f"{what}: cannot read {part!r}")
        if match[1] == "*":
            first, last = low, high
        else:
            begins, _, ends = match[1].partition("-")
            first = _number(begins, what, names)
            last = _number(ends, what, names) if ends else high if match[2] else first
        step = int(match[2] or 1)
        if not (low <= first <= last <= high and step > 0):
            raise ValueError(f"{what}: {part} is not within {low}-{high}")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(text: str, what: str, names: dict[str, int] | None) -> int:
    if names and text in names:
        return names[text]
    if not text.isdigit():
        raise ValueError(f"{what}: cannot read {text!r}")
    return int(text)


def _is_day_of_month(field: str) -> Callable[[date], bool]:
    if field == "L":
        return lambda day: day.day == _last(day).day
    if field == "LW":
        return lambda day: day == _nearest_weekday(_last(day))
    if match := re.fullmatch(r"(\d+)W", field):
        wanted = min(_values(match[1], 1, 31, "day-of-month"))
        return lambda day: wanted <= _last(day).day and day == _nearest_weekday(day.replace(day=wanted))
    days = _values(field, 1, 31, "day-of-month")
    return lambda day: day.day in days


def _is_weekday(field: str) -> Callable[[date], bool]:
    if match := re.fullmatch(r"(\w+)#([1-5])", field):
        wanted = min(_values(match[1], 1, 7, "day-of-week", _WEEKDAYS))
        return lambda day: _weekday(day) == wanted and (day.day + 6) // 7 == int(match[2])
    days = _values(field.replace("L", "7") if field == "L" else field, 1, 7, "day-of-week", _WEEKDAYS)
    return lambda day: _weekday(day) in days


def _weekday(day: date) -> int:
    return day.isoweekday() % 7 + 1


def _last(day: date) -> date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def _nearest_weekday(day: date) -> date:
    """The weekday nearest to the day in the same month."""
    if day.isoweekday() == 6:
        return day - timedelta(days=1) if day.day > 1 else day + timedelta(days=2)
    if day.isoweekday() == 7:
        return day + timedelta(days=1) if day != _last(day) else day - timedelta(days=2)
    return day
