"""The figures of a group's desk: how many asked, who answered, how long it took, and what came of it.

All of them are computed from lines of the ledger. Those about questions are of the questions that were asked in a
period, whenever they were answered. Whatever is about some members, but fewer than five, is None.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from appservice.domain import episode, sale
from appservice.domain.duration import DAY_MS, HOUR_MS
from appservice.domain.entry import Entry
from appservice.domain.episode import Asked, Episode
from appservice.domain.sale import Sale

LEAST = 5
"""Members of whom there is a figure."""
SOON_MS = 72 * HOUR_MS
"""A pledge so soon after a question counts as following it."""
USUAL_MS = 30 * DAY_MS
"""The usual answer time is that of the questions of so long."""
ON, OFF = ("duty_on",), ("duty_off", "concierge_removed", "left", "banned")
"""What begins and what ends a concierge's duty."""
FACTS = (*episode.FACTS, *sale.FACTS, "pledged", "recommended")
"""The facts that are read of a period, besides those of duty and `drafted` of each buy in which somebody ordered."""

T = TypeVar("T")

Between = Callable[[int, int], int]
"""Gives how much service time (ms) lies between two moments."""


@dataclass(frozen=True, slots=True)
class Times:
    """Nearest-rank percentiles (ms): half, and nine of ten, are not above it."""

    median: int
    p90: int


@dataclass(frozen=True, slots=True)
class Turnover:
    """What the orders of a period come to, and that by each hour in which a concierge was on duty (None: nobody was),
    in minor units."""

    currency: str
    amount: int
    per_hour: int | None


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a period from `start` up to, not including, `end` (ms); None where they are about fewer than five
    members. `by_concierge`, `by_peer` and `by_nobody` sum to `questions` and `reopened`. `authors` says which concierge
    (by number) answered how many first. `ordered` are orders by others of what somebody had recommended before."""

    start: int
    end: int
    questions: int | None
    askers: int | None
    withdrawn: int | None
    reopened: int | None
    by_concierge: int | None
    by_peer: int | None
    by_nobody: int | None
    authors: tuple[tuple[int, int], ...]
    wall: Times | None
    service: Times | None
    pledged: int | None
    recommended: int | None
    ordered: int | None
    turnover: tuple[Turnover, ...] | None


@dataclass(frozen=True, slots=True)
class Reading:
    """What lines of a ledger say, ready to be counted: when (ms) each number pledged, recommendations as (number,
    product, ms), duty as spans (ms; None: it goes on), and the product of each buy."""

    questions: Sequence[Asked]
    pledges: Mapping[int, Sequence[int]]
    recommendations: Sequence[tuple[int, str, int]]
    orders: Sequence[Sale]
    products: dict[str, str]
    duty: Sequence[tuple[int, int | None]]


def read(entries: Sequence[Entry]) -> Reading:
    """Read a group's lines, in the order of the ledger."""
    return Reading(
        episode.read(entries),
        _pledges(entries),
        [(one.number, one.detail["product"], one.at) for one in entries
         if one.fact == "recommended" and one.number is not None],
        sale.read(entries),
        {one.buy_id: one.detail["product"] for one in entries if one.fact == "drafted" and one.buy_id},
        list(_duty(entries)),
    )  # fmt: skip


def figures(reading: Reading, start: int, end: int, now: int, between: Between) -> Figures:
    """Give the figures of a period, as far as is known now (ms)."""
    all_asked = [one for one in reading.questions if start <= one.at < end]
    questions = [one for one in all_asked if not one.is_withdrawn]
    askers = {one.asker for one in questions}
    episodes = [(asked.asker, one) for asked in questions for one in asked.episodes]
    by_peer = sum(one.peer is not None for _, one in episodes)
    by_concierge = sum(one.peer is None and one.author is not None for _, one in episodes)
    said = [one for one in reading.recommendations if start <= one[2] < end]
    recommenders = {number for number, _, _ in said}
    return Figures(
        start=start,
        end=end,
        questions=_of(askers, len(questions)),
        askers=_of(askers, len(askers)),
        withdrawn=_of({one.asker for one in all_asked}, len(all_asked) - len(questions)),
        reopened=_of(askers, len(episodes) - len(questions)),
        by_concierge=_of(askers, by_concierge),
        by_peer=_of(askers, by_peer),
        by_nobody=_of(askers, len(episodes) - by_concierge - by_peer),
        authors=_authors(episodes),
        wall=_times(episodes, lambda began, answered: answered - began),
        service=_times(episodes, between),
        pledged=_of(askers, sum(_led_to_pledge(one, reading.pledges) for one in questions)),
        recommended=_of(recommenders, len(said)),
        ordered=_of(recommenders, sum(_followed(one, said, reading.products) for one in reading.orders)),
        turnover=_turnover(reading, start, end, now),
    )


def ages(reading: Reading, now: int) -> list[int] | None:
    """Give how long (ms) each question has waited for a concierge that still does, longest first; None where fewer than
    five members wait."""
    waiting = [(one.asker, now - one.waits_since) for one in reading.questions if one.waits_since is not None]
    return _of({asker for asker, _ in waiting}, sorted((age for _, age in waiting), reverse=True))


def usual_answer(reading: Reading, now: int, between: Between, concierge: int | None = None) -> int | None:
    """Give the median service time (ms) in which questions of the last 30 days were answered, on demand only those
    that one concierge answered first; None where that is about fewer than five members."""
    questions = [one for one in reading.questions if one.at >= now - USUAL_MS]
    episodes = [(asked.asker, one) for asked in questions for one in asked.episodes]
    theirs = [(asker, one) for asker, one in episodes if concierge is None or one.author == concierge]
    times = _times(theirs, between)
    return times.median if times else None


def nearest_rank(values: Collection[int], percent: int) -> int:
    """Give the least of some values that is not below so many per cent of them."""
    return sorted(values)[-(-len(values) * percent // 100) - 1]


def _of(members: Collection[int], figure: T) -> T | None:
    """Give a figure about some members: of fewer than five, none. Of nobody it tells nothing about anybody."""
    return None if 0 < len(members) < LEAST else figure


def _times(episodes: Iterable[tuple[int, Episode]], between: Between) -> Times | None:
    timed = [
        (asker, max(between(one.began_at, one.answered_at), 0))
        for asker, one in episodes
        if one.answered_at is not None
    ]
    if len({asker for asker, _ in timed}) < LEAST:
        return None
    took = [time for _, time in timed]
    return Times(nearest_rank(took, 50), nearest_rank(took, 90))


def _authors(episodes: Iterable[tuple[int, Episode]]) -> tuple[tuple[int, int], ...]:
    helped: dict[int, list[int]] = {}
    for asker, one in episodes:
        if one.author is not None and one.peer is None:
            helped.setdefault(one.author, []).append(asker)
    counted = [(author, len(askers)) for author, askers in helped.items() if len(set(askers)) >= LEAST]
    return tuple(sorted(counted, key=lambda one: (-one[1], one[0])))


def _pledges(entries: Iterable[Entry]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for entry in entries:
        if entry.fact == "pledged" and entry.number is not None:
            found.setdefault(entry.number, []).append(entry.at)
    return found


def _led_to_pledge(one: Asked, pledges: Mapping[int, Sequence[int]]) -> bool:
    return any(one.at <= at <= one.at + SOON_MS for at in pledges.get(one.asker, ()))


def _followed(order: Sale, said: Iterable[tuple[int, str, int]], products: dict[str, str]) -> bool:
    """Tell whether an order that stands came after another member's word for its product."""
    product = products.get(order.buy_id)
    return order.is_live and any(
        what == product and at < order.at and number != order.number for number, what, at in said
    )


def _turnover(reading: Reading, start: int, end: int, now: int) -> tuple[Turnover, ...] | None:
    orders = [one for one in reading.orders if start <= one.at < end and one.is_live]
    until = min(end, now)
    on_duty = sum(max(min(to or until, until) - max(since, start), 0) for since, to in reading.duty)
    amounts: Counter[str] = Counter()
    for one in orders:
        amounts[one.currency] += one.charged
    rows = tuple(
        Turnover(currency, amount, (2 * amount * HOUR_MS + on_duty) // (2 * on_duty) if on_duty else None)
        for currency, amount in sorted(amounts.items())
    )
    return _of({one.number for one in orders}, rows)


def _duty(entries: Iterable[Entry]) -> Iterator[tuple[int, int | None]]:
    """Give from when to when somebody was on duty."""
    since: dict[int, int] = {}
    for entry in entries:
        if entry.number is None:
            continue
        if entry.fact in ON:
            since.setdefault(entry.number, entry.at)
        elif entry.fact in OFF and entry.number in since:
            yield since.pop(entry.number), entry.at
    yield from ((at, None) for at in since.values())
