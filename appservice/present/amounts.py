"""Money and times as people write them (CLDR, by Babel)."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.numbers import format_currency

from appservice.domain.duration import DAY_MS, HOUR_MS
from appservice.domain.group import Group
from appservice.domain.money import to_decimal
from appservice.domain.order import Units, count


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


def when(at: int, now: int, group: Group) -> str:
    """Give a time (ms) in the group's zone for those who know the day: `18:00`, on another day `27 Nov, 18:00`."""
    zone = ZoneInfo(group.time_zone)
    time, today = (datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone) for ms in (at, now))
    pattern = "HH:mm" if time.date() == today.date() else "d MMM, HH:mm"
    return format_datetime(time, pattern, tzinfo=zone, locale=group.locale)


def day(at: int, group: Group) -> str:
    """Give the day of a time (ms) in the group's zone as `27 Nov`."""
    time = datetime.fromtimestamp(at / 1000, UTC)
    return format_datetime(time, "d MMM", tzinfo=ZoneInfo(group.time_zone), locale=group.locale)


def percent(basis_points: int) -> str:
    """Give a rate as `19 %` or `7.5 %`."""
    return f"{Decimal(basis_points).scaleb(-2).normalize():f} %"


def time_left(until: int, now: int) -> str:
    """Give the time left in the largest unit that is still honest: `5 days`, `7 hours`, `less than an hour`."""
    left = until - now
    if left >= 2 * DAY_MS:
        return f"{left // DAY_MS} days"
    if left >= 2 * HOUR_MS:
        return f"{left // HOUR_MS} hours"
    return "1 hour" if left >= HOUR_MS else "less than an hour"


def time_left_changes_at(until: int, now: int) -> int | None:
    """Give when `time_left` reads differently next (ms), or None where it does not any more."""
    left = until - now
    if left < HOUR_MS:
        return None
    step = DAY_MS if left >= 2 * DAY_MS else HOUR_MS
    return until - left // step * step + 1


def bar(done: int, goal: int, width: int = 12) -> str:
    """Give a progress bar of block characters."""
    filled = width if goal <= 0 else max(0, min(width, done * width // goal))
    return "▓" * filled + "░" * (width - filled)


def by_variant(units: Units) -> str:
    """Give units as `3`, or where there are variants as `3 M` or `3 (2 S, 1 M)`."""
    named = [f"{n} {variant}" for variant, n in units if variant]
    if len(named) == 1:
        return named[0]
    return f"{count(units)} ({', '.join(named)})" if named else str(count(units))
