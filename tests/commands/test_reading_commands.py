"""Words and deadlines as people type them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.commands.command import Call
from appservice.commands.deadline import parse_deadline
from appservice.domain.cause import Place
from appservice.domain.refusal import Reason, Refusal

VIENNA = "Europe/Vienna"
NOW = int(datetime(2026, 11, 20, 9, 0, tzinfo=ZoneInfo(VIENNA)).timestamp() * 1000)  # a Friday


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ('add "Merino throw" 89.00 https://x/y', ["add", "Merino throw", "89.00", "https://x/y"]),
        ("add “Merino throw” 89", ["add", "Merino throw", "89"]),
        ("add „Merino Decke“ 89", ["add", "Merino Decke", "89"]),
        ('add "" 89', ["add", "", "89"]),
        ("Anna's throw", ["Anna's", "throw"]),
        ('say "unclosed quote', ["say", '"unclosed', "quote"]),
        ("  ", []),
    ],
)
def test_quoted_text_is_one_word(rest: str, words: list[str]) -> None:
    assert Call(Place.GROUP, rest).words() == words


@given(st.text(max_size=200))
def test_any_text_can_be_split(rest: str) -> None:
    Call(Place.GROUP, rest).words()


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("friday 18:00", "2026-11-27 18:00"),  # on a Friday: the next one, which is echoed
        ("tomorrow 12:00", "2026-11-21 12:00"),
        ("saturday", "2026-11-21 23:59"),
        ("2026-12-24 16:30", "2026-12-24 16:30"),
        ("24.12.2026 16:30", "2026-12-24 16:30"),
        ("1.12.", "2026-12-01 23:59"),  # a day, not twelve minutes past one
        ("12.12.", "2026-12-12 23:59"),
        ("2.12. 18:00", "2026-12-02 18:00"),
        ("27.11", "2026-11-27 23:59"),
        ("friday 18", "2026-11-27 18:00"),
        ("friday at 18", "2026-11-27 18:00"),
        ("today 20:00", "2026-11-20 20:00"),
        ("in 3 hours", "2026-11-20 12:00"),
        ("in 2 days", "2026-11-22 09:00"),
        ("18:00", "2026-11-20 18:00"),
        ("2027-06-01 12:00", "2027-06-01 12:00"),  # over the change to summer time
    ],
)
def test_a_deadline_is_read_in_the_groups_time_zone(text: str, local: str) -> None:
    at = parse_deadline(text, NOW, VIENNA)
    assert isinstance(at, int)
    assert datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(VIENNA)).strftime("%Y-%m-%d %H:%M") == local


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "format"),
        ("soon", "format"),
        ("friday 25:00", "format"),
        ("next week", "format"),
        ("december", "format"),
        ("11/12", "format"),
        ("11/27 18:00", "format"),
        ("x" * 61, "format"),
        ("yesterday", "past"),
        ("2020-01-01 10:00", "past"),
        ("2030-01-01 10:00", "far"),
    ],
)
def test_what_is_no_deadline_is_refused_with_the_reason(text: str, why: str) -> None:
    refusal = parse_deadline(text, NOW, VIENNA)
    assert isinstance(refusal, Refusal) and refusal.reason is Reason.BAD_DEADLINE and refusal.details["why"] == why


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("friday 18:00 cp 100", "cp"),
        ("friday 18:00 100", "100"),
        ("friday 18:00 25", "25"),
        ("friday 18:00 20%", "20%"),
        ("friday 18:00 10:59", "10:59"),
        ("friday 18:00 M", "M"),
        ("friday 18:00 2027", "2027"),
        ("the cows come home", "cows"),
    ],
)
def test_a_word_that_is_not_part_of_a_time_is_refused_by_name(text: str, word: str) -> None:
    assert parse_deadline(text, NOW, VIENNA) == Refusal(Reason.BAD_DEADLINE, {"why": "format", "word": word})


@pytest.mark.parametrize(
    ("text", "local"),
    [("november 27, 2026 18:00", "2026-11-27 18:00"), ("the 27th of november at 6pm", "2026-11-27 18:00"),
     ("in two days", "2026-11-22 09:00"), ("in 90 seconds", "2026-11-20 09:01"), ("friday noon", "2026-11-27 12:00")],
)  # fmt: skip
def test_words_of_time_are_all_read(text: str, local: str) -> None:
    at = parse_deadline(text, NOW, VIENNA)
    assert isinstance(at, int)
    assert datetime.fromtimestamp(at / 1000, ZoneInfo(VIENNA)).strftime("%Y-%m-%d %H:%M") == local


def test_what_opens_on_a_day_opens_at_its_beginning() -> None:
    at = parse_deadline("saturday", NOW, VIENNA, opening=True)
    assert at == int(datetime(2026, 11, 21, tzinfo=ZoneInfo(VIENNA)).timestamp() * 1000)


@given(st.text(max_size=60))
def test_no_text_makes_reading_a_deadline_fail(text: str) -> None:
    at = parse_deadline(text, NOW, VIENNA)
    assert isinstance(at, Refusal) or at > NOW
