"""The figures of a desk as a table and as a picture."""

from collections.abc import Mapping, Sequence
from typing import Any

from appservice.domain.duration import DAY_MS, HOUR_MS, MINUTE_MS
from appservice.domain.figures import Figures, Times
from appservice.domain.money import to_decimal
from appservice.domain.period import Period
from appservice.present.table import Cell, Column, Row, Table
from appservice.present.words import stats as say

_SECOND_MS = 1000
_TICKS = (
    (MINUTE_MS, "1 min"), (5 * MINUTE_MS, "5 min"), (15 * MINUTE_MS, "15 min"), (HOUR_MS, "1 h"), (4 * HOUR_MS, "4 h"),
    (DAY_MS, "1 day"), (3 * DAY_MS, "3 days"), (14 * DAY_MS, "2 weeks"),
)  # fmt: skip
_PLAIN = "en"
"""In other languages the font may lack letters."""
_AGES = (
    (HOUR_MS, "under 1 h"), (4 * HOUR_MS, "1–4 h"), (DAY_MS, "4–24 h"), (3 * DAY_MS, "1–3 days"), (None, "longer"),
)  # fmt: skip


def chart(period: Period, parts: Sequence[tuple[Period, Figures]], ages: Sequence[int] | None) -> dict[str, Any]:
    """Give what a picture of a period shows, in days or weeks, as `matrix/chart.py` draws it."""
    each = "day" if period.days == len(parts) else "week"
    return {
        "title": f"Questions, {say.span(period, _PLAIN)}",
        "labels": [say.day(part.first, _PLAIN) for part, _ in parts],
        "counts": [figures.questions for _, figures in parts],
        "medians": [figures.wall.median if figures.wall else None for _, figures in parts],
        "p90s": [figures.wall.p90 if figures.wall else None for _, figures in parts],
        "ticks": _TICKS,
        "ages": _in_bins(ages) if ages else None,
        "counted": f"Questions by {each}",
        "timed": "First answer within",
        "aged": "Waiting now, by age",
        "median": "half",
        "p90": "nine of ten",
        "hidden": say.FEW,
        "hidden_why": say.FEW_ASKED,
        "untimed": say.FEW_ANSWERED,
        "no_ages": say.FEW_WAIT if ages is None else say.NOBODY_WAITS,
    }


def _in_bins(ages: Sequence[int]) -> list[tuple[str, int]]:
    found, below = [], 0
    for most, words in _AGES:
        count = sum(most is None or age < most for age in ages)
        found.append((words, count - below))
        below = count
    return found


def table(parts: Sequence[tuple[Period, Figures]], whole: tuple[Period, Figures]) -> Table:
    """Give a row for each day or week, and the whole period in the last. Times are in seconds; a cell is empty where
    there is no figure."""
    currencies = sorted({one.currency for _, found in (*parts, whole) for one in found.turnover or ()})
    columns = [Column("from"), Column("to")]
    columns += [Column(name, Cell.COUNT) for name in _counts(whole[1])]
    columns += [Column(f"{name}_{currency}") for currency in currencies for name in ("turnover", "per_duty_hour")]
    rows = [_row(period, found, currencies) for period, found in (*parts, whole)]
    return Table({}, "", tuple(columns), tuple(rows[:-1]), rows[-1])


def _counts(found: Figures) -> Mapping[str, int | None]:
    return {
        "questions": found.questions,
        "askers": found.askers,
        "withdrawn": found.withdrawn,
        "reopened": found.reopened,
        "answered_by_concierge": found.by_concierge,
        "answered_by_peer": found.by_peer,
        "answered_by_nobody": found.by_nobody,
        **_seconds("answer", found.wall),
        **_seconds("answer_in_service_hours", found.service),
        "pledged_within_72_h": found.pledged,
        "recommendations": found.recommended,
        "orders_after_them": found.ordered,
    }


def _seconds(name: str, times: Times | None) -> Mapping[str, int | None]:
    return {
        f"{name}_median_s": times.median // _SECOND_MS if times else None,
        f"{name}_p90_s": times.p90 // _SECOND_MS if times else None,
    }


def _row(period: Period, found: Figures, currencies: Sequence[str]) -> Row:
    by_currency = {one.currency: one for one in found.turnover or ()}
    amounts: list[str | None] = []
    for currency in currencies:
        one = by_currency.get(currency)
        for minor in (one.amount, one.per_hour) if one else (None, None):
            amounts.append(None if minor is None else f"{to_decimal(minor, currency):f}")
    return (period.first.isoformat(), period.last.isoformat(), *_counts(found).values(), *amounts)
