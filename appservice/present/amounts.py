"""Money and times as people write them (CLDR, by Babel)."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.numbers import format_currency

from appservice.domain.group import Group
from appservice.domain.money import to_decimal

_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000


def money(minor: int, currency: str, locale: str) -> str:
    """Give an amount of minor units as `€69.00`."""
    return format_currency(to_decimal(minor, currency), currency, locale=locale)


def moment(at: int, group: Group) -> str:
    """Give a time (ms) in the group's zone as `Friday 27 November, 18:00 (Vienna time)`."""
    zone = ZoneInfo(group.time_zone)
    time = datetime.fromtimestamp(at / 1000, UTC)
    day = format_datetime(time, "EEEE d MMMM, HH:mm", tzinfo=zone, locale=group.locale)
    city = format_datetime(time, "VVV", tzinfo=zone, locale=group.locale)
    return f"{day} ({city})" if city == "UTC" else f"{day} ({city} time)"


def time_left(until: int, now: int) -> str:
    """Give the time left in the largest unit that is still honest: `5 days`, `7 hours`, `less than an hour`."""
    left = until - now
    if left >= 2 * _DAY:
        return f"{left // _DAY} days"
    if left >= 2 * _HOUR:
        return f"{left // _HOUR} hours"
    return "1 hour" if left >= _HOUR else "less than an hour"


def time_left_changes_at(until: int, now: int) -> int | None:
    """Give when `time_left` reads differently next (ms), or None where it does not any more."""
    left = until - now
    if left < _HOUR:
        return None
    step = _DAY if left >= 2 * _DAY else _HOUR
    return until - left // step * step + 1


def bar(done: int, goal: int, width: int = 12) -> str:
    """Give a progress bar of block characters."""
    filled = width if goal <= 0 else max(0, min(width, done * width // goal))
    return "▓" * filled + "░" * (width - filled)
