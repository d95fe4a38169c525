"""Periods as people write them."""

from datetime import UTC, date, datetime
from itertools import pairwise

import pytest

from appservice.commands.stats import parse_period
from appservice.domain.period import Period, full_days, full_week, next_report
from appservice.domain.refusal import Reason, Refusal

ZONE = "Europe/Vienna"


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


NOW = ms("2026-11-25T12:00")  # a Wednesday


def days(first: str, last: str) -> Period:
    return Period(date.fromisoformat(first), date.fromisoformat(last), ZONE)


@pytest.mark.parametrize(
    ("words", "first", "last"),
    [
        ("1 november to 15 november", "2026-11-01", "2026-11-15"),
        ("1 november 15 november", "2026-11-01", "2026-11-15"),
        ("from 1.11. until 15.11.", "2026-11-01", "2026-11-15"),
        ("1.11. 15.11.", "2026-11-01", "2026-11-15"),
        ("2026-11-01 - 2026-11-15", "2026-11-01", "2026-11-15"),
        ("2026-11-01 2026-11-15", "2026-11-01", "2026-11-15"),
        ("20 december 2025 to 3 january 2026", "2025-12-20", "2026-01-03"),
        ("20 november", "2026-11-20", "2026-11-25"),
        ("monday to tuesday", "2026-11-23", "2026-11-24"),
        ("yesterday", "2026-11-24", "2026-11-25"),
        ("yesterday to yesterday", "2026-11-24", "2026-11-24"),
        ("today", "2026-11-25", "2026-11-25"),
        ("1 november to 2026-12-31", "2026-11-01", "2026-11-25"),
        ("20 december", "2025-12-20", "2026-11-25"),
    ],
)
def test_a_period_is_read_as_people_mean_it(words: str, first: str, last: str) -> None:
    assert parse_period(words.split(), NOW, ZONE) == days(first, last)


@pytest.mark.parametrize(
    ("words", "reason", "why"),
    [
        ("soon", Reason.USAGE, None),
        ("to", Reason.USAGE, None),
        ("1 november to soon", Reason.USAGE, None),
        ("1 november to 5 november to 9 november", Reason.USAGE, None),
        ("1 november 18:00", Reason.USAGE, None),
        ("2027-01-01 2027-01-03", Reason.BAD_PERIOD, "future"),
        ("15 november to 1 november", Reason.BAD_PERIOD, "order"),
        ("2024-01-01 to 2026-11-01", Reason.BAD_PERIOD, "long"),
    ],
)
def test_what_is_no_period_is_refused(words: str, reason: Reason, why: str | None) -> None:
    found = parse_period(words.split(), NOW, ZONE)
    assert isinstance(found, Refusal)
    assert (found.reason, found.details.get("why")) == (reason, why)


def test_days_and_weeks_are_those_of_the_zone() -> None:
    assert full_days(NOW, ZONE) == days("2026-11-18", "2026-11-24")
    assert full_days(ms("2026-11-24T23:30"), ZONE).last == date(2026, 11, 24), "it is Wednesday in Vienna"
    assert full_week(NOW, ZONE) == days("2026-11-16", "2026-11-22")
    assert full_week(ms("2026-11-22T23:30"), ZONE) == days("2026-11-16", "2026-11-22")
    assert (days("2026-10-25", "2026-10-25").start, days("2026-10-25", "2026-10-25").end) == (
        ms("2026-10-24T22:00"), ms("2026-10-25T23:00"),
    ), "the day on which the clocks are set back has 25 hours"  # fmt: skip


def test_the_report_comes_on_monday_at_eight() -> None:
    assert next_report(NOW, ZONE) == ms("2026-11-30T07:00")
    assert next_report(ms("2026-11-23T06:59"), ZONE) == ms("2026-11-23T07:00")
    assert next_report(ms("2026-11-23T07:00"), ZONE) == ms("2026-11-30T07:00")


def test_long_periods_are_told_in_weeks_that_cover_them() -> None:
    assert len(list(days("2026-10-26", "2026-11-25").parts())) == 31
    weeks = list(days("2026-10-01", "2026-11-25").parts())
    assert (weeks[0], weeks[-1]) == (days("2026-10-01", "2026-10-07"), days("2026-11-19", "2026-11-25"))
    assert all(one.end == other.start for one, other in pairwise(weeks))
