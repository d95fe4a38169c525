"""Deadlines as people write them, by the dateparser library: `friday 18:00`, `tomorrow 12:00`, `2026-11-27`."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from dateparser.date import DateDataParser

from appservice.domain.refusal import Reason, Refusal, refuse

LONGEST_MS = 366 * 24 * 3_600_000


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
    try:
        found = parser.get_date_data(text)
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
