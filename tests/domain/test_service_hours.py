"""Service hours: what is typed, how much service lies between two moments, and when so much has passed."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.domain.duration import DAY_MS, HOUR_MS, MINUTE_MS
from appservice.domain.refusal import Reason, Refusal
from appservice.domain.service_hours import Hours, Week, parse_hours

VIENNA = "Europe/Vienna"
OFFICE: Week = (((540, 1080),),) * 5 + (((600, 840),), ())
SPLIT = ((540, 720), (780, 1080))


def at(text: str, zone: str = VIENNA, *, fold: int = 0) -> int:
    """The moment (ms) at which the clocks of a zone show this."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()) * 1000


def daily(*spans: tuple[int, int], zone: str = VIENNA, holidays: str | None = None) -> Hours:
    return Hours((spans,) * 7, zone, holidays)


# ---- what is typed --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "week", "holidays"),
    [
        ("mon-fri 9:00-18:00, sat 10:00-14:00 holidays DE-BE", OFFICE, "DE-BE"),
        ("Monday to Friday 9 to 18; Saturday 10am – 2pm", OFFICE, None),
        ("sat 10.00—14.00 and mon,tue,wed,thu,fri 9-18 holidays none", OFFICE, None),
        ("mon 9-12 13-18", (SPLIT, (), (), (), (), (), ()), None),
        ("mon 13-18, 9-12, 11-12", (SPLIT, (), (), (), (), (), ()), None),
        ("mon 9-12 12-18", (((540, 1080),), (), (), (), (), (), ()), None),
        ("sat-mon 20-24", (((1200, 1440),), (), (), (), (), ((1200, 1440),), ((1200, 1440),)), None),
        ("daily 0:00-0:00 holidays at", (((0, 1440),),) * 7, "AT"),
        ("wed 12am-12pm", ((), (), ((0, 720),), (), (), (), ()), None),
    ],
)
def test_hours_are_read_as_people_write_them(typed: str, week: Week, holidays: str | None) -> None:
    assert parse_hours(typed, VIENNA) == Hours(week, VIENNA, holidays)


def test_always_means_no_hours() -> None:
    assert parse_hours(" Always ", VIENNA) == Hours()


@pytest.mark.parametrize(
    ("typed", "why", "word"),
    [
        ("", "format", None),
        ("mon", "format", None),
        ("9-18", "format", "9-18"),
        ("mon-fri 9-18 lunch", "format", "lunch"),
        ("mo 9-18", "format", "mo"),
        ("mon 9:60-18", "format", "9:60-18"),
        ("mon 9-25", "format", "9-25"),
        ("mon 0pm-3pm", "format", "0pm-3pm"),
        ("mon ٩-18", "format", "٩-18"),
        ("mon 18-9", "order", "18-9"),
        ("mon 9-9", "order", "9-9"),
        ("mon 9-18 holidays XX", "holidays", "XX"),
        ("mon 9-18 holidays DE-XX", "holidays", "DE-XX"),
        ("mon 9-18 holidays", "format", "holidays"),
        ("mon 9-18 " * 60, "format", None),
    ],
)
def test_what_says_no_hours_is_refused_with_the_word(typed: str, why: str, word: str | None) -> None:
    refusal = parse_hours(typed, VIENNA)
    assert isinstance(refusal, Refusal) and refusal.reason is Reason.BAD_HOURS
    assert refusal.details["why"] == why and refusal.details.get("word") == word


# ---- examples -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "minutes", "end"),
    [
        ("2026-11-23T10:00", 15, "2026-11-23T10:15"),  # a Monday, within
        ("2026-11-23T17:50", 15, "2026-11-24T09:05"),  # over a night
        ("2026-11-23T17:45", 15, "2026-11-23T18:00"),  # to the minute
        ("2026-11-23T18:00", 15, "2026-11-24T09:15"),  # just closed
        ("2026-11-23T03:00", 15, "2026-11-23T09:15"),
        ("2026-11-28T13:50", 15, "2026-11-30T09:05"),  # over a Sunday
        ("2026-11-29T12:00", 4 * 60, "2026-11-30T13:00"),
        ("2026-12-24T17:50", 15, "2026-12-28T09:05"),  # a Friday and a Saturday that are holidays
        ("2026-11-23T20:00", 0, "2026-11-23T20:00"),
    ],
)
def test_time_passes_in_service_only(start: str, minutes: int, end: str) -> None:
    hours = Hours(OFFICE, VIENNA, "AT")
    assert hours.after(at(start), minutes * MINUTE_MS) == at(end)
    assert hours.between(at(start), at(end)) == minutes * MINUTE_MS


def test_without_hours_all_time_is_service() -> None:
    hours = Hours(time_zone=VIENNA, holidays="AT")
    assert not hours.are_set
    assert hours.after(5, HOUR_MS) == 5 + HOUR_MS and hours.between(5, 8) == 3


def test_nothing_lies_between_a_moment_and_one_before_it() -> None:
    for hours in (Hours(), Hours(OFFICE)):
        assert hours.between(at("2026-11-24T12:00"), at("2026-11-23T12:00")) == 0


def test_a_holiday_of_one_part_of_a_country_counts_there_only() -> None:
    whole_day = (at("2026-03-08T00:00", "Europe/Berlin"), at("2026-03-09T00:00", "Europe/Berlin"))
    for where, hours in (("DE-BE", 0), ("DE-BY", 9), ("DE", 9)):  # Women's Day is one in Berlin
        assert daily((540, 1080), zone="Europe/Berlin", holidays=where).between(*whole_day) == hours * HOUR_MS


# ---- when the clocks are changed ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spans", "hours"),
    [
        ([(0, 1440)], 23),  # 29 March 2026: 2:00 is 3:00
        ([(60, 240)], 2),
        ([(60, 150)], 1),  # ends in the hour that is skipped
        ([(150, 240)], 1),  # begins in it
        ([(130, 170)], 0),  # lies in it
        ([(60, 150), (180, 240)], 2),
    ],
)
def test_the_hour_that_is_skipped_in_spring_is_no_service(spans: list[tuple[int, int]], hours: int) -> None:
    assert daily(*spans).between(at("2026-03-29T00:00"), at("2026-03-30T00:00")) == hours * HOUR_MS


@pytest.mark.parametrize(
    ("spans", "hours"),
    [
        ([(0, 1440)], 25),  # 25 October 2026: 3:00 is 2:00 once more
        ([(60, 240)], 4),
        ([(120, 150)], 0.5),  # the first time that the clocks show it
        ([(60, 150), (150, 240)], 4),
    ],
)
def test_the_hour_that_comes_twice_in_autumn_is_service_within_a_span(
    spans: list[tuple[int, int]], hours: float
) -> None:
    assert daily(*spans).between(at("2026-10-25T00:00"), at("2026-10-26T00:00")) == hours * HOUR_MS


def test_after_counts_through_a_change_of_the_clocks() -> None:
    assert daily((60, 240)).after(at("2026-03-29T01:30"), HOUR_MS) == at("2026-03-29T03:30")
    assert daily((60, 240)).after(at("2026-10-25T01:30"), HOUR_MS) == at("2026-10-25T02:30")
    assert daily((60, 240)).after(at("2026-10-25T01:30"), 2 * HOUR_MS) == at("2026-10-25T02:30", fold=1)


def test_a_day_that_a_zone_skips_has_no_service() -> None:
    hours = daily((540, 1080), zone="Pacific/Apia")  # it had no 30 December 2011
    start = at("2011-12-29T17:00", "Pacific/Apia")
    assert hours.after(start, 2 * HOUR_MS) == at("2011-12-31T10:00", "Pacific/Apia")


# ---- what always holds ----------------------------------------------------------------------------

ZONES = st.sampled_from(["UTC", VIENNA, "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"])
SPANS = st.lists(st.integers(0, 96), max_size=4, unique=True).map(
    lambda quarters: tuple((15 * a, 15 * b) for a, b in zip(*[iter(sorted(quarters))] * 2, strict=False))
)
HOURS = st.builds(Hours, st.tuples(*[SPANS] * 7), ZONES, st.sampled_from([None, "AT", "DE-BE", "JP"]))
MOMENTS = st.integers(at("2025-01-01T00:00"), at("2027-12-31T00:00"))
LENGTHS = st.integers(1, 20 * HOUR_MS)


@given(HOURS, MOMENTS, LENGTHS)
def test_after_gives_the_first_moment_with_so_much_service(hours: Hours, start: int, service: int) -> None:
    end = hours.after(start, service)
    assert hours.between(start, end) == service
    assert hours.between(start, end - 1) == service - 1


@given(HOURS, MOMENTS, st.integers(0, 30 * DAY_MS))
def test_after_what_lies_between_is_not_after_the_end(hours: Hours, start: int, length: int) -> None:
    end = start + length
    reached = hours.after(start, hours.between(start, end))
    assert start <= reached <= end
    assert hours.between(reached, end) == 0


@given(HOURS, MOMENTS, st.integers(0, 10 * DAY_MS), st.integers(0, 10 * DAY_MS))
def test_service_adds_up(hours: Hours, start: int, first: int, second: int) -> None:
    middle, end = start + first, start + first + second
    assert hours.between(start, middle) + hours.between(middle, end) == hours.between(start, end)
    assert hours.after(hours.after(start, 1 + first), 1 + second) == hours.after(start, 2 + first + second)


@given(HOURS, MOMENTS, st.integers(1, 4 * 24 * 60))
def test_service_is_every_minute_at_which_the_clocks_show_it(hours: Hours, start: int, minutes: int) -> None:
    """Counted minute by minute, but for days on which the clocks are changed."""
    start -= start % MINUTE_MS
    zone = ZoneInfo(hours.time_zone)
    shown = [datetime.fromtimestamp((start + n * MINUTE_MS) / 1000, zone) for n in range(minutes)]
    if len({moment.utcoffset() for moment in shown}) > 1 or hours.holidays is not None or not hours.are_set:
        return
    inside = sum(
        any(begin <= moment.hour * 60 + moment.minute < end for begin, end in hours.week[moment.weekday()])
        for moment in shown
    )
    assert hours.between(start, start + minutes * MINUTE_MS) == inside * MINUTE_MS
