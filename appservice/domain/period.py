"""A period of whole days in a group's time zone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

WEEK = 7
MOST_DAYS = 31
"""A longer period is shown in weeks."""
REPORT_HOUR = 8
"""Local time on Mondays at which a week is reported."""


@dataclass(frozen=True, slots=True)
class Period:
    """From the beginning of a day to the end of another, or of the same."""

    first: date
    last: date
    time_zone: str

    @property
    def start(self) -> int:
        """When it begins (ms)."""
        return moment_of(self.first, self.time_zone)

    @property
    def end(self) -> int:
        """When it is over (ms)."""
        return moment_of(self.last + timedelta(1), self.time_zone)

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1

    def parts(self) -> Iterator["Period"]:
        """Give its days, or where they are too many to be shown its weeks, the last of which may be shorter."""
        step = 1 if self.days <= MOST_DAYS else WEEK
        for first in (self.first + timedelta(n) for n in range(0, self.days, step)):
            yield Period(first, min(first + timedelta(step - 1), self.last), self.time_zone)


def full_days(now: int, time_zone: str, days: int = WEEK) -> Period:
    """Give the last days that are over."""
    today = day_of(now, time_zone)
    return Period(today - timedelta(days), today - timedelta(1), time_zone)


def full_week(now: int, time_zone: str) -> Period:
    """Give the last week from Monday to Sunday that is over."""
    today = day_of(now, time_zone)
    monday = today - timedelta(today.weekday())
    return Period(monday - timedelta(WEEK), monday - timedelta(1), time_zone)


def next_report(now: int, time_zone: str) -> int:
    """Give the next Monday morning (ms)."""
    today = day_of(now, time_zone)
    mondays = (today - timedelta(today.weekday()) + timedelta(WEEK * n) for n in range(2))
    return next(at for at in (moment_of(day, time_zone, REPORT_HOUR) for day in mondays) if at > now)


def day_of(at: int, time_zone: str) -> date:
    """Give the day that it is at a moment (ms)."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(time_zone)).date()


def moment_of(day: date, time_zone: str, hour: int = 0) -> int:
    """Give the moment (ms) of a full hour of a day."""
    return int(datetime.combine(day, time(hour), ZoneInfo(time_zone)).timestamp()) * 1000
