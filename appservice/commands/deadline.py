"""Deadlines as people write them, by the dateparser library: `friday 18:00`, `tomorrow 12:00`, `2026-11-27`."""

import calendar
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from dateparser.date import DateDataParser

from appservice.domain.duration import DAY_MS
from appservice.domain.refusal import Reason, Refusal, refuse

_DOTTED = re.compile(r"\b(\d{1,2})\.\s?(0?[1-9]|1[0-2])\.?(?=\s|$)", re.ASCII)
_SLASHED = re.compile(r"\b\d{1,2}/\d{1,2}\b(?!/)", re.ASCII)
_HOUR_ALONE = re.compile(r"\b(\w+day|tomorrow)(?: at)? (\d{1,2})$", re.ASCII | re.IGNORECASE)
_MONTHS = tuple(month.lower() for month in calendar.month_name[1:])
_CLOCK = re.compile(r"([01]?\d|2[0-4]):[0-5]\d(:[0-5]\d)?([ap]m)?", re.ASCII)
_DATE = re.compile(
    r"\d{1,2}([ap]m|st|nd|rd|th|\.)|\d{1,2}\.\d{2}([ap]m)?"  # 6pm, 27th, 27., 18.30
    r"|\d{1,2}\.\d{1,2}\.?(\d{4}|\d{2})?|\d{1,2}/\d{1,2}(/\d{2,4})?"  # 27.11., 27.11.2026, 27/11/2026
    r"|\d{4}-\d{1,2}-\d{1,2}(t\d{1,2}:\d{2}(:\d{2})?z?)?|[-–]",
    re.ASCII,
)
_COUNT = re.compile(r"\d{1,7}(s|m|min|h|hr|d|w)?", re.ASCII)
_BESIDE_COUNTS = frozenset(
    [
        *_MONTHS, *(month[:3] for month in _MONTHS), "sept",
        *(name.lower() for name in (*calendar.day_name, *calendar.day_abbr)), "today", "tomorrow",
        "at", "in", "on", "the", "am", "pm", "sec", "secs", "second", "seconds", "min", "mins", "minute", "minutes",
        "h", "hr", "hrs", "hour", "hours", "day", "days", "week", "weeks", "month", "months",
    ]
)  # fmt: skip
_WORDS = _BESIDE_COUNTS | frozenset(
    [
        "noon", "midnight", "next", "this", "of", "and", "a", "an", "half", "now", "ago", "yesterday",
        "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
        "utc", "gmt", "cet", "cest", "eet", "eest", "wet", "west", "bst", "est", "edt", "cst", "cdt", "mst", "mdt",
        "pst", "pdt",
    ]
)  # fmt: skip
LONGEST_MS = 366 * DAY_MS


def parse_deadline(text: str, now: int, time_zone: str, *, opening: bool = False) -> int | Refusal:
    """Give the moment (ms) that a person means in their group's zone, or why it is none.

    A day without a time means its end, 23:59, or its beginning where something opens. A week or a month alone is
    refused: nobody could say when it ends. So is a word that is not part of a time (`word` in the details): the
    library leaves some out.
    """
    found = read_moment(text, now, time_zone)
    if isinstance(found, Refusal):
        return found
    moment, is_day = found
    if is_day and not text.lower().startswith("in "):
        hour, minute = (0, 0) if opening else (23, 59)
        moment = moment.replace(hour=hour, minute=minute, second=0, microsecond=0)
    try:
        at = int(moment.astimezone(UTC).timestamp()) * 1000
    except OverflowError:  # the first and the last day that there is, in some zones
        return refuse(Reason.BAD_DEADLINE, why="far" if moment.year > 1 else "past")
    if at <= now:
        return refuse(Reason.BAD_DEADLINE, why="past")
    return at if at - now <= LONGEST_MS else refuse(Reason.BAD_DEADLINE, why="far")


def read_moment(text: str, now: int, time_zone: str, *, past: bool = False) -> tuple[datetime, bool] | Refusal:
    """Give the moment that a person means in a zone, and whether they only named a day; with `past`, a weekday or a
    date without a year is the last one. Refuses with BAD_DEADLINE."""
    local_now = datetime.fromtimestamp(now / 1000, ZoneInfo(time_zone)).replace(tzinfo=None)
    parser = DateDataParser(
        languages=["en"],
        settings={
            "RELATIVE_BASE": local_now,
            "PREFER_DATES_FROM": "past" if past else "future",
            "RETURN_TIME_AS_PERIOD": True,
            "TIMEZONE": time_zone,
            "RETURN_AS_TIMEZONE_AWARE": True,
            "DATE_ORDER": "DMY",
        },
    )
    if not 0 < len(text) <= 60:
        return refuse(Reason.BAD_DEADLINE, why="format")
    if _SLASHED.search(text):  # 11/12 is November here and December there
        return refuse(Reason.BAD_DEADLINE, why="format")
    stray = stray_word(text)
    if stray is not None:
        return refuse(Reason.BAD_DEADLINE, why="format", word=stray)
    try:
        found = parser.get_date_data(_HOUR_ALONE.sub(r"\1 \2:00", _DOTTED.sub(_with_month, text)))
    except (ValueError, OverflowError, RecursionError):
        return refuse(Reason.BAD_DEADLINE, why="format")
    if found.date_obj is None or found.period not in ("time", "day"):
        return refuse(Reason.BAD_DEADLINE, why="format")
    return found.date_obj, found.period == "day"


def stray_word(text: str) -> str | None:
    """Give the first word that is not part of a time, None where there is none.

    There is one time of day; a number alone has a month, a day, a unit or the like beside it.
    """
    words = text.replace(",", " ").split()
    low = ["", *(word.lower() for word in words), ""]
    for place, word in enumerate(low[1:-1], 1):
        is_clock = _CLOCK.fullmatch(word) is not None and not any(map(_CLOCK.fullmatch, low[:place]))
        if is_clock or word in _WORDS or _DATE.fullmatch(word):
            continue
        beside = {low[place - 1], low[place + 1]}
        is_year = len(word) == 4 and _COUNT.fullmatch(low[place - 1]) is not None
        if not _COUNT.fullmatch(word) or not (beside & _BESIDE_COUNTS or is_year):
            return words[place - 1]
    return None


def _with_month(found: re.Match[str]) -> str:
    """Write 1.12. as 1 december: the library takes it for the time 1:12."""
    return f"{found[1]} {_MONTHS[int(found[2]) - 1]}"
