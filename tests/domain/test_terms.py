"""Which terms make sense, and which are better for everyone."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given as draw
from hypothesis import strategies as st

from appservice.domain import group_buy
from appservice.domain.clearing import Tier
from appservice.domain.group_buy import (
    MOST_UNITS,
    MOST_VARIANTS,
    Extend,
    Improve,
    Shorten,
    Status,
    Terms,
    TermsImproved,
    TierReached,
    Withdraw,
    check_terms,
    decide,
)
from appservice.domain.money import LARGEST_AMOUNT, Tax
from appservice.domain.refusal import Reason, Refusal
from tests.domain.given import ANA, DEADLINE, TIERS, a_buy, add, after, given, refused


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        (Terms("EUR", (), DEADLINE), "count"),
        (Terms("EUR", tuple(Tier(n, 99 - n) for n in range(1, 12)), DEADLINE), "count"),
        (Terms("EUR", (Tier(0, 5),), DEADLINE), "minimum"),
        (Terms("EUR", (Tier(MOST_UNITS + 1, 5),), DEADLINE), "minimum"),
        (Terms("EUR", (Tier(1, 0),), DEADLINE), "price"),
        (Terms("EUR", (Tier(1, 10**12),), DEADLINE), "price"),
        (Terms("EUR", (Tier(10, 5), Tier(10, 4)), DEADLINE), "minimums_rise"),
        (Terms("EUR", (Tier(10, 5), Tier(9, 4)), DEADLINE), "minimums_rise"),
        (Terms("EUR", (Tier(10, 5), Tier(20, 5)), DEADLINE), "prices_fall"),
        (Terms("EUR", (Tier(10, 5), Tier(20, 6)), DEADLINE), "prices_fall"),
        (Terms("EUR", (Tier(1, LARGEST_AMOUNT // MOST_UNITS + 1),), DEADLINE), "price"),
        (Terms("EUR", TIERS, DEADLINE, pack=0), "pack_or_cap"),
        (Terms("EUR", TIERS, DEADLINE, pack=MOST_UNITS + 1), "pack_or_cap"),
        (Terms("EUR", TIERS, DEADLINE, cap=10**6 + 1), "pack_or_cap"),
        (Terms("EUR", TIERS, DEADLINE, cap=0), "pack_or_cap"),
        (Terms("EUR", TIERS, DEADLINE, cap=24), "cap_below_tier"),
        (Terms("EUR", TIERS, DEADLINE, cap=27, pack=14), "cap_below_tier"),
        (Terms("EUR", TIERS, 10), "past"),
        (Terms("EUR", TIERS, DEADLINE, opens_at=DEADLINE), "before_opening"),
        (Terms("EUR", TIERS, DEADLINE, least=0), "range"),
        (Terms("EUR", TIERS, DEADLINE, step=0), "range"),
        (Terms("EUR", TIERS, DEADLINE, most=0), "range"),
        (Terms("EUR", TIERS, DEADLINE, most=MOST_UNITS + 1), "range"),
        (Terms("EUR", TIERS, DEADLINE, least=5, most=4), "no_number"),
        (Terms("EUR", TIERS, DEADLINE, least=5, most=7, step=4), "no_number"),
        (Terms("EUR", TIERS, DEADLINE, step=10, most=9), "no_number"),
        (Terms("EUR", TIERS, DEADLINE, variants=tuple(f"size {n}" for n in range(MOST_VARIANTS + 1))), "count"),
        (Terms("EUR", TIERS, DEADLINE, variants=("S", "")), "label"),
        (Terms("EUR", TIERS, DEADLINE, variants=("S\nM",)), "label"),
        (Terms("EUR", TIERS, DEADLINE, variants=("x" * 41,)), "label"),
        (Terms("EUR", TIERS, DEADLINE, variants=("Grün", "grun")), "twice"),
        (Terms("EUR", TIERS, DEADLINE, shared_cost=-1), "shared"),
        (Terms("EUR", TIERS, DEADLINE, shared_cost=LARGEST_AMOUNT + 1), "shared"),
        (Terms("EUR", TIERS, DEADLINE, tax=Tax(-1)), "tax"),
        (Terms("EUR", TIERS, DEADLINE, tax=Tax(10_001)), "tax"),
    ],
)
def test_impossible_terms_are_refused(terms: Terms, why: str) -> None:
    refusal = check_terms(terms, now=10)
    assert refusal is not None and refusal.details["why"] == why


@pytest.mark.parametrize(
    "terms",
    [
        Terms("EUR", TIERS, DEADLINE, pack=5, cap=100),
        Terms("EUR", TIERS, DEADLINE, cap=25),
        Terms("EUR", TIERS, DEADLINE, pack=MOST_UNITS, cap=10**6),
        Terms("EUR", (Tier(MOST_UNITS, 1),), DEADLINE),
        Terms("EUR", (Tier(1, LARGEST_AMOUNT // MOST_UNITS),), DEADLINE, cap=1),
        Terms("EUR", TIERS, DEADLINE, variants=("x" * 40,)),
        Terms("EUR", tuple(Tier(n, 99 - n) for n in range(1, 11)), DEADLINE),
        Terms("EUR", TIERS, DEADLINE, variants=tuple(f"size {n}" for n in range(MOST_VARIANTS))),
        Terms("EUR", TIERS, DEADLINE, opens_at=DEADLINE - 1, least=4, most=4, step=4),
        Terms("EUR", TIERS, DEADLINE, variants=("S", "M"), shared_cost=LARGEST_AMOUNT, tax=Tax(10_000)),
        Terms("EUR", TIERS, DEADLINE, tax=Tax(0, inclusive=False)),
    ],
)
def test_sensible_terms_are_fine(terms: Terms) -> None:
    assert check_terms(terms, now=10) is None


# Improving

TERMS = Terms(
    "EUR", TIERS, DEADLINE, pack=5, cap=100, least=4, most=12, step=4, variants=("S", "M"), shared_cost=900,
    tax=Tax(1900, inclusive=False),
)  # fmt: skip


def frozen_buy(**terms: Any) -> group_buy.GroupBuy:
    return after(a_buy(**terms), add(ANA, 4, 1, variant=(terms.get("variants") or (None,))[0]))


ALL = {name: getattr(TERMS, name) for name in Terms.__slots__}


@pytest.mark.parametrize(
    "better",
    [
        {"tiers": (Tier(10, 7800), Tier(25, 6900))},
        {"tiers": (Tier(9, 7900), Tier(25, 6900))},
        {"tiers": (Tier(10, 7900), Tier(20, 6900))},
        {"tiers": (*TIERS, Tier(50, 5000))},
        {"tiers": (Tier(10, 6900),)},
        {"cap": 120},
        {"cap": None},
        {"least": 1},
        {"most": 16},
        {"most": None},
        {"step": 2},
        {"step": 1},
        {"variants": ("L", "M", "S")},
        {"shared_cost": 0},
        {"tax": Tax(700, inclusive=False)},
        {"tax": Tax(1900, inclusive=True)},
        {"tax": None},
    ],
)
def test_terms_may_improve_for_everyone_after_the_first_pledge(better: dict) -> None:
    terms = replace(TERMS, **better)
    buy = frozen_buy(**ALL)
    assert given(buy, Improve(terms, 5)) == [TermsImproved(terms)]
    assert after(buy, Improve(terms, 5)).terms == terms


WORSE = [
    ({"tiers": (Tier(10, 8000), Tier(25, 6900))}, "price"),
    ({"tiers": (Tier(11, 7900), Tier(25, 6900))}, "price"),
    ({"tiers": (Tier(10, 7900), Tier(26, 6900))}, "price"),
    ({"tiers": (Tier(10, 7900),)}, "price"),
    ({"tiers": (Tier(5, 8000), Tier(12, 6000))}, "price"),
    ({"cap": 95}, "cap"),
    ({"least": 8}, "least"),
    ({"most": 8}, "most"),
    ({"step": 3}, "step"),
    ({"step": 8}, "step"),
    ({"variants": ("S", "L")}, "variants"),
    ({"variants": ()}, "variants"),
    ({"shared_cost": 901}, "shared"),
    ({"tax": Tax(2000, inclusive=False)}, "tax"),
    ({"pack": 1}, "frozen"),
    ({"deadline_at": DEADLINE + 1}, "frozen"),
    ({"currency": "JPY"}, "frozen"),
    ({"opens_at": 3}, "frozen"),
    ({}, "same"),
]


@pytest.mark.parametrize(("worse", "why"), WORSE)
def test_terms_never_get_worse_after_the_first_pledge(worse: dict, why: str) -> None:
    buy = frozen_buy(**ALL)
    request = Improve(replace(TERMS, **worse), 5)
    assert decide(buy, request) == Refusal(Reason.NOT_BETTER, {"why": why})
    withdrawn = after(buy, Withdraw(ANA, 5))
    assert not withdrawn.pledged
    assert refused(decide(withdrawn, request)) is Reason.NOT_BETTER, "frozen once is frozen"


@pytest.mark.parametrize(("worse", "why"), [row for row in WORSE if row[0] and row[0] != {"opens_at": 3}])
def test_before_the_first_pledge_any_terms_will_do(worse: dict, why: str) -> None:
    terms = replace(TERMS, **worse)
    for status in (Status.DRAFT, Status.OPEN):
        assert after(a_buy(status, **ALL), Improve(terms, 5)).terms == terms


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"tax": None}, {"tax": Tax(1900)}),
        ({"tax": Tax(1900)}, {"tax": Tax(100, inclusive=False)}),
        ({"cap": None}, {"cap": 10**6}),
        ({"most": None}, {"most": 9999}),
        ({"variants": ()}, {"variants": ("S",)}),
    ],
)
def test_what_was_free_of_a_limit_or_a_cost_does_not_get_one(old: dict, new: dict) -> None:
    buy = frozen_buy(**old)
    assert refused(decide(buy, Improve(replace(buy.terms, **new), 5))) is Reason.NOT_BETTER


def test_improved_terms_are_sound_terms() -> None:
    buy = frozen_buy(**ALL)
    assert refused(decide(buy, Improve(replace(TERMS, tiers=(*TIERS, Tier(200, 5000))), 5))) is Reason.BAD_TIERS
    assert refused(decide(buy, Improve(replace(TERMS, cap=None), DEADLINE))) is Reason.BAD_DEADLINE


def test_a_scheduled_buy_keeps_an_opening_and_an_open_one_its_own() -> None:
    planned, opened = a_buy(Status.SCHEDULED, opens_at=100), a_buy(opens_at=100)
    assert after(planned, Improve(replace(planned.terms, opens_at=200), 5)).terms.opens_at == 200
    for opens_at in (None, 5):
        assert refused(decide(planned, Improve(replace(planned.terms, opens_at=opens_at), 5))) is Reason.BAD_DEADLINE
    assert refused(decide(opened, Improve(replace(opened.terms, opens_at=200), 150))) is Reason.NOT_BETTER


@pytest.mark.parametrize("status", [status for status in Status if not status.is_planned and status != Status.OPEN])
def test_terms_of_a_buy_that_has_closed_stay(status: Status) -> None:
    buy = a_buy(status)
    for request in (Improve(replace(buy.terms, cap=50), 5), Extend(DEADLINE + 9, 5), Shorten(9, 5)):
        assert refused(decide(buy, request)) is Reason.NOT_OPEN


def test_an_improved_price_is_news_and_so_is_a_tier_that_comes_within_reach() -> None:
    buy = after(a_buy(), add(ANA, 12, 1))
    assert buy.announced == 10
    cheaper = replace(buy.terms, tiers=(Tier(10, 7000), Tier(25, 6000)))
    assert given(buy, Improve(cheaper, 5))[1:] == [TierReached(Tier(10, 7000))]
    nearer = replace(buy.terms, tiers=(Tier(10, 7900), Tier(12, 6900)))
    assert given(buy, Improve(nearer, 5))[1:] == [TierReached(Tier(12, 6900))]
    deeper = replace(buy.terms, tiers=(*TIERS, Tier(40, 6000)))
    assert given(buy, Improve(deeper, 5))[1:] == []


nudges = st.tuples(st.integers(-3, 1), st.integers(-3, 1))


@draw(st.lists(nudges, min_size=3, max_size=3), st.none() | st.integers(1, 60))
def test_what_passes_as_better_is_at_no_total_dearer(nudged: list[tuple[int, int]], deeper: int | None) -> None:
    buy = frozen_buy(tiers=(Tier(10, 60), Tier(25, 40), Tier(50, 20)))
    tiers = [Tier(t.minimum + m, t.unit_price + p) for t, (m, p) in zip(buy.terms.tiers, nudged, strict=True)]
    new = replace(buy.terms, tiers=(*tiers, *([Tier(60, 10)] if deeper else [])))
    dearer = any((new.price_at(n) or 999) > (buy.terms.price_at(n) or 999) for n in range(1, 70))
    outcome = decide(buy, Improve(new, 5))
    if dearer or new == buy.terms:
        assert refused(outcome) is Reason.NOT_BETTER
    else:
        assert isinstance(outcome, list) and outcome[0] == TermsImproved(new)
