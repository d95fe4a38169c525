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
LONGEST_MS = 366 * DAY_MS


def parse_deadline(text: str, now: int, time_zone: str) -> int | Refusal:
    """Give the moment (ms) that a person means in their group's zone, or why it is none.

    A day without a time means its end, 23:59. A week or a month alone is refused: nobody could say when it ends.
    """
    local_now = datetime.fromtimestamp(now / 1000, ZoneInfo(time_zone)).replace(tzinfo=None)
    parser = DateDataParser(
        languages=["en"],
        settings={
            "RELATIVE_BASE": local_now,
            "PREFER_DATES_FROM": "future",
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
    try:
        found = parser.get_date_data(_HOUR_ALONE.sub(r"\1 \2:00", _DOTTED.sub(_with_month, text)))
    except (ValueError, OverflowError, RecursionError):
        return refuse(Reason.BAD_DEADLINE, why="format")
    if found.date_obj is None or found.period not in ("time", "day"):
        return refuse(Reason.BAD_DEADLINE, why="format")
    moment = found.date_obj
    if found.period == "day" and not text.lower().startswith("in "):
        moment = moment.replace(hour=23, minute=59, second=0, microsecond=0)
    try:
        at = int(moment.astimezone(UTC).timestamp()) * 1000
    except OverflowError:  # the first and the last day that there is, in some zones
        return refuse(Reason.BAD_DEADLINE, why="far" if moment.year > 1 else "past")
    if at <= now:
        return refuse(Reason.BAD_DEADLINE, why="past")
    return at if at - now <= LONGEST_MS else refuse(Reason.BAD_DEADLINE, why="far")


def _with_month(found: re.Match[str]) -> str:
    """Write 1.12. as 1 december: the library takes it for the time 1:12."""
    return f"{found[1]} {_MONTHS[int(found[2]) - 1]}"
