"""Service hours: when the concierges of a group answer, and how much of that lies between two moments.

Which days are public holidays comes from the holidays library, by codes of ISO 3166: a country, and a part of it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import chain, count
from zoneinfo import ZoneInfo

from holidays import country_holidays

from appservice.domain.refusal import Reason, Refusal, refuse

Span = tuple[int, int]
"""From and to in minutes of a day; 1440 is its end."""
Week = tuple[tuple[Span, ...], ...]
"""The spans of each day, Monday first: in order, apart from each other."""

ALL_WEEK: Week = ((),) * 7
_DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_END_OF_DAY = 24 * 60
_MOST_CHARACTERS = 300
_SEPARATED = re.compile(r"[\s,;&]+(?:and\b)?")
_JOINED = re.compile(r"\s*(?:[-–—]|\bto\b)\s*")
_TIME = r"(\d{1,2})(?:[:.](\d{2}))?(am|pm)?"
_SPAN = re.compile(f"{_TIME}-{_TIME}", re.ASCII)
_HOLIDAYS = re.compile(r"\bholidays\s+([a-z]{2}(?:-[a-z0-9]{1,5})?|none)\s*$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours of a group, in its time zone; on the public holidays of `holidays` (`DE-BE`) there are none.

    A week without any span stands for no hours set: then all time is service.
    """

    week: Week = ALL_WEEK
    time_zone: str = "UTC"
    holidays: str | None = None

    @property
    def are_set(self) -> bool:
        """Tell whether there is time that is no service."""
        return any(self.week)

    def after(self, start: int, service: int) -> int:
        """Give the first moment (ms) at which so much service (ms) has passed since another."""
        if not self.are_set or service <= 0:
            return start + max(service, 0)
        spans, left = self._spans(start), service
        while True:
            opens, closes = next(spans)
            begin = max(opens, start)
            if left <= closes - begin:
                return begin + left
            left -= max(closes - begin, 0)

    def between(self, start: int, end: int) -> int:
        """Give how much service (ms) lies between two moments (ms); none where the second is not later."""
        if end <= start:
            return 0
        if not self.are_set:
            return end - start
        total = 0
        for opens, closes in self._spans(start):
            if opens >= end:
                break
            total += max(min(closes, end) - max(opens, start), 0)
        return total

    def _spans(self, start: int) -> Iterator[Span]:
        """Give the spans of service as moments (ms), from the day of a moment on, without end."""
        first = datetime.fromtimestamp(start / 1000, UTC).astimezone(ZoneInfo(self.time_zone)).date()
        return chain.from_iterable(_day(self, first + timedelta(days)) for days in count())


@lru_cache(maxsize=4096)
def _day(hours: Hours, day: date) -> tuple[Span, ...]:
    """Give the spans of one day as moments (ms). What the clocks skip is no time at all."""
    if hours.holidays is not None and day in _holidays(hours.holidays, day.year):
        return ()
    zone = ZoneInfo(hours.time_zone)
    found = [(_at(day, begin, zone), _at(day, end, zone)) for begin, end in hours.week[day.weekday()]]
    return tuple((opens, closes) for opens, closes in found if opens < closes)


def _at(day: date, minute: int, zone: ZoneInfo) -> int:
    """Give the moment (ms) at which the clocks of a zone show a minute of a day: the first time, where they are set
    back; where they skip it, the moment at which they do."""
    shown = datetime.combine(day, time()) + timedelta(minutes=minute)
    while True:
        moment = shown.replace(tzinfo=zone).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) == shown:
            return int(moment.timestamp()) * 1000
        shown += timedelta(minutes=1)


@lru_cache(maxsize=256)
def _holidays(where: str, year: int) -> frozenset[date]:
    country, _, part = where.partition("-")
    return frozenset(country_holidays(country, subdiv=part or None, years=year))


def parse_hours(text: str, time_zone: str) -> Hours | Refusal:
    """Give the hours that somebody means by `mon-fri 9:00-18:00, sat 10:00-14:00 holidays DE-BE`; `always` means none.

    Days before times; times without days are more of the days before. What is not understood is `word` in the details
    of the refusal.
    """
    low = text.strip().lower()
    if low == "always":
        return Hours()
    if len(low) > _MOST_CHARACTERS:
        return refuse(Reason.BAD_HOURS, why="format")
    named = _HOLIDAYS.search(low)
    where = named[1].upper() if named and named[1] != "none" else None
    if where is not None and not _is_known(where):
        return refuse(Reason.BAD_HOURS, why="holidays", word=where)
    words = _SEPARATED.split(_JOINED.sub("-", low[: named.start()] if named else low))
    week = _parse_week([word for word in words if word])
    return week if isinstance(week, Refusal) else Hours(week, time_zone, where)


def _parse_week(words: Sequence[str]) -> Week | Refusal:
    week: list[list[Span]] = [[] for _ in _DAY_NAMES]
    days: set[int] = set()
    has_times = False
    for word in words:
        found = _parse_days(word)
        if found:
            days = found if has_times else days | found
            has_times = False
            continue
        span = _parse_span(word)
        if span is None or not days:
            return refuse(Reason.BAD_HOURS, why="format", word=word)
        if span[0] >= span[1]:
            return refuse(Reason.BAD_HOURS, why="order", word=word)
        has_times = True
        for day in days:
            week[day].append(span)
    return tuple(map(_merged, week)) if has_times else refuse(Reason.BAD_HOURS, why="format")


def _parse_days(word: str) -> set[int]:
    """Give the days that a word names, as 0 to 6: `mon`, `mon-fri`, `daily`; none where it names no day."""
    if word == "daily":
        return set(range(7))
    first, _, last = word.partition("-")
    begin, end = _weekday(first), _weekday(last or first)
    if begin is None or end is None:
        return set()
    return {(begin + step) % 7 for step in range((end - begin) % 7 + 1)}


def _weekday(word: str) -> int | None:
    return next((n for n, name in enumerate(_DAY_NAMES) if len(word) >= 3 and name.startswith(word)), None)


def _parse_span(word: str) -> Span | None:
    match = _SPAN.fullmatch(word)
    if match is None:
        return None
    begin, end = _minute(*match.groups()[:3]), _minute(*match.groups()[3:])
    return None if begin is None or end is None else (begin, end or _END_OF_DAY)


def _minute(hour: str, minute: str | None, half: str | None) -> int | None:
    hours, minutes = int(hour), int(minute or 0)
    if half is not None:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half == "pm" else 0)
    total = hours * 60 + minutes
    return total if minutes < 60 and total <= _END_OF_DAY else None


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Give spans in order, those that touch as one."""
    found: list[Span] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return tuple(found)


def _is_known(where: str) -> bool:
    country, _, part = where.partition("-")
    try:
        country_holidays(country, subdiv=part or None)
    except NotImplementedError:
        return False
    return True
