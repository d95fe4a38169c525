"""What a group buy decides, and that the stored state is what its facts say."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.domain import group_buy
from appservice.domain.clearing import Tier
from appservice.domain.group_buy import (
    MOST_UNITS,
    Add,
    Close,
    ClosingBegun,
    Failed,
    GroupBuy,
    Set,
    Settle,
    Status,
    Succeeded,
    Terms,
    TierReached,
    TrancheAdded,
    Withdraw,
    check_terms,
    decide,
    evolve,
    is_waiting,
)
from appservice.domain.ids import BuyId, GroupId, Number, ProductId
from appservice.domain.refusal import Reason, Refusal

DEADLINE = 1_000_000
TIERS = (Tier(10, 7900), Tier(25, 6900))
ANA, BEN, OTTO = Number(1), Number(2), Number(3)


def a_buy(**terms: object) -> GroupBuy:
    return GroupBuy(BuyId("b"), GroupId("g"), ProductId("p"), replace(Terms("EUR", TIERS, DEADLINE), **terms), ANA, 0)


def after(buy: GroupBuy, *requests: group_buy.Request) -> GroupBuy:
    for request in requests:
        facts = decide(buy, request)
        assert not isinstance(facts, Refusal), facts
        for fact in facts:
            buy = evolve(buy, fact)
    return buy


def add(number: Number, units: int, position: int, received_at: int = 5) -> Add:
    return Add(number, units, f"$e{position}", position, received_at)


def put(number: Number, quantity: int, position: int, flex: int = 0, max_price: int | None = None) -> Set:
    return Set(number, quantity, flex, max_price, f"$e{position}", position, 5)


def shape(buy: GroupBuy) -> list[tuple[int, int, int, int | None]]:
    return [(t.number, t.quantity, t.flex, t.max_price) for t in buy.pledged]


def test_plus_adds_a_dated_tranche_under_the_options_that_the_pledge_has() -> None:
    buy = after(a_buy(), put(ANA, 2, 1, flex=2, max_price=7000), add(BEN, 1, 2), add(ANA, 3, 3))
    assert shape(buy) == [(ANA, 2, 2, 7000), (BEN, 1, 0, None), (ANA, 3, 0, 7000)]


def test_setting_more_keeps_the_date_of_the_units_that_were_there() -> None:
    buy = after(a_buy(), put(ANA, 2, 1), put(BEN, 2, 2), put(ANA, 5, 3))
    assert [(t.number, t.quantity, t.position) for t in buy.pledged] == [(ANA, 2, 1), (BEN, 2, 2), (ANA, 3, 3)]


def test_setting_less_eats_the_newest_tranche_first() -> None:
    buy = after(a_buy(), add(ANA, 2, 1), add(ANA, 3, 2), put(ANA, 3, 3))
    assert [(t.position, t.quantity) for t in buy.pledged] == [(1, 2), (2, 1)]
    buy = after(buy, put(ANA, 1, 4))
    assert [(t.position, t.quantity) for t in buy.pledged] == [(1, 1)]


def test_setting_changes_the_maximum_and_the_range_of_the_whole_pledge() -> None:
    buy = after(a_buy(), add(ANA, 2, 1), add(ANA, 2, 2), put(ANA, 4, 3, flex=3, max_price=7500))
    assert shape(buy) == [(ANA, 2, 3, 7500), (ANA, 2, 0, 7500)]
    assert shape(after(buy, put(ANA, 4, 4))) == [(ANA, 2, 0, None), (ANA, 2, 0, None)]


def test_tranches_stand_in_the_order_of_the_journal_however_they_are_handled() -> None:
    buy = after(a_buy(), add(ANA, 1, 7), add(BEN, 1, 3))
    assert [t.position for t in buy.pledged] == [3, 7]


def test_withdrawing_takes_everything_of_one_member_only() -> None:
    buy = after(a_buy(), add(ANA, 2, 1), add(BEN, 2, 2), add(ANA, 3, 3), Withdraw(ANA, 5))
    assert shape(buy) == [(BEN, 2, 0, None)]


def test_taking_an_event_back_withdraws_at_most_the_units_that_it_added() -> None:
    buy = after(a_buy(), add(ANA, 2, 1), add(ANA, 3, 2), put(ANA, 4, 3))
    buy = after(buy, Withdraw(ANA, 5, id="$e2"))
    assert [(t.id, t.quantity) for t in buy.pledged] == [("$e1", 2)]


@pytest.mark.parametrize("request_", [Withdraw(BEN, 5), Withdraw(ANA, 5, id="$nothing"), Withdraw(BEN, 5, id="$e1")])
def test_there_is_nothing_to_withdraw_where_nothing_was_pledged(request_: Withdraw) -> None:
    buy = after(a_buy(), add(ANA, 2, 1))
    assert decide(buy, request_) == Refusal(Reason.NOTHING_PLEDGED)


@pytest.mark.parametrize("units", [0, -3, MOST_UNITS + 1, 10**20])
def test_a_senseless_number_of_units_is_refused(units: int) -> None:
    for request in (add(ANA, units, 1), put(ANA, units, 1)):
        refusal = decide(a_buy(), request)
        assert isinstance(refusal, Refusal) and refusal.reason is Reason.BAD_QUANTITY


def test_a_pledge_may_not_grow_beyond_the_most_by_small_steps() -> None:
    buy = after(a_buy(), add(ANA, MOST_UNITS - 1, 1), add(ANA, 1, 2))
    refusal = decide(buy, add(ANA, 1, 3))
    assert isinstance(refusal, Refusal) and refusal.reason is Reason.BAD_QUANTITY


def test_in_time_means_journaled_before_the_deadline() -> None:
    in_time, late = add(ANA, 1, 1, received_at=DEADLINE - 1), add(ANA, 1, 1, received_at=DEADLINE)
    assert not isinstance(decide(a_buy(), in_time), Refusal)
    assert decide(a_buy(), late) == Refusal(Reason.TOO_LATE)


def test_closing_now_makes_its_own_receipt_the_deadline_and_what_came_before_still_counts() -> None:
    buy = after(a_buy(), Close(500))
    assert buy.status is Status.CLOSING and buy.terms.deadline_at == 500
    assert not isinstance(decide(buy, add(ANA, 1, 1, received_at=499)), Refusal)
    assert decide(buy, add(ANA, 1, 1, received_at=500)) == Refusal(Reason.TOO_LATE)
    assert decide(buy, Close(600)) == Refusal(Reason.NOT_OPEN)


def test_closing_never_moves_the_deadline_later() -> None:
    assert decide(a_buy(), Close(DEADLINE + 7)) == [ClosingBegun(DEADLINE)]


def test_a_tier_is_reached_once_and_the_deepest_only_is_told() -> None:
    facts = decide(a_buy(), add(ANA, 30, 1))
    assert isinstance(facts, list) and facts[-1] == TierReached(TIERS[1]) and len(facts) == 2
    buy = after(a_buy(), add(ANA, 30, 1), put(ANA, 5, 2))
    facts = decide(buy, put(ANA, 30, 3))
    assert isinstance(facts, list) and not any(isinstance(fact, TierReached) for fact in facts)


def test_settling_gives_everyone_one_price_and_an_order_for_what_is_in() -> None:
    buy = after(a_buy(cap=12), add(ANA, 6, 1), add(BEN, 6, 2), add(OTTO, 2, 3))
    facts = decide(buy, Settle([f"id{n}" for n in range(6)]))
    assert isinstance(facts, list) and isinstance(facts[0], Succeeded)
    orders = {order.number: (order.units, order.unit_price, order.total) for order in facts[0].orders}
    assert orders == {ANA: (6, 7900, 47400), BEN: (6, 7900, 47400)}
    ids = [order.id for order in facts[0].orders] + [order.line_id for order in facts[0].orders]
    assert len(set(ids)) == 4


def test_a_buy_below_its_minimum_fails_and_nobody_owes_anything() -> None:
    buy = after(a_buy(), add(ANA, 9, 1))
    assert decide(buy, Settle([])) == [Failed()]
    buy = after(buy, Settle([]))
    assert buy.status is Status.FAILED
    assert decide(buy, Settle([])) == Refusal(Reason.NOT_OPEN)
    assert decide(buy, add(BEN, 9, 2)) == Refusal(Reason.TOO_LATE)


def test_beyond_the_cap_a_pledge_is_recorded_and_waits() -> None:
    buy = after(a_buy(cap=10, tiers=TIERS[:1]), add(ANA, 10, 1), add(BEN, 2, 2))
    assert not is_waiting(buy, ANA) and is_waiting(buy, BEN)
    assert not is_waiting(after(buy, put(ANA, 8, 3)), BEN)


def test_a_pledge_with_a_maximum_waits_until_the_price_gets_there() -> None:
    buy = after(a_buy(), put(ANA, 3, 1, max_price=7000))
    assert is_waiting(buy, ANA)
    assert not is_waiting(after(buy, add(BEN, 22, 2)), ANA)


def test_below_the_minimum_an_unconditional_pledge_does_not_wait() -> None:
    assert not is_waiting(after(a_buy(), add(ANA, 1, 1)), ANA)


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        (Terms("EUR", (), DEADLINE), "count"),
        (Terms("EUR", (Tier(0, 5),), DEADLINE), "minimum"),
        (Terms("EUR", (Tier(MOST_UNITS + 1, 5),), DEADLINE), "minimum"),
        (Terms("EUR", (Tier(1, 0),), DEADLINE), "price"),
        (Terms("EUR", (Tier(1, 10**12),), DEADLINE), "price"),
        (Terms("EUR", (Tier(10, 5), Tier(10, 4)), DEADLINE), "minimums_rise"),
        (Terms("EUR", (Tier(10, 5), Tier(9, 4)), DEADLINE), "minimums_rise"),
        (Terms("EUR", (Tier(10, 5), Tier(20, 5)), DEADLINE), "prices_fall"),
        (Terms("EUR", (Tier(10, 5), Tier(20, 6)), DEADLINE), "prices_fall"),
        (Terms("EUR", TIERS, DEADLINE, pack=0), "pack_or_cap"),
        (Terms("EUR", TIERS, DEADLINE, cap=0), "pack_or_cap"),
        (Terms("EUR", TIERS, DEADLINE, cap=24), "cap_below_tier"),
        (Terms("EUR", TIERS, DEADLINE, cap=27, pack=14), "cap_below_tier"),
        (Terms("EUR", TIERS, 10), "past"),
    ],
)
def test_impossible_terms_are_refused(terms: Terms, why: str) -> None:
    refusal = check_terms(terms, now=10)
    assert refusal is not None and refusal.details["why"] == why


def test_sensible_terms_are_fine() -> None:
    assert check_terms(Terms("EUR", TIERS, DEADLINE, pack=5, cap=100), now=10) is None


numbers = st.sampled_from([ANA, BEN, OTTO])
requests = st.lists(
    st.one_of(
        st.tuples(st.just("add"), numbers, st.integers(1, 12)),
        st.tuples(
            st.just("set"), numbers, st.integers(1, 12), st.integers(0, 4), st.none() | st.sampled_from([6900, 7900])
        ),
        st.tuples(st.just("withdraw"), numbers),
        st.tuples(st.just("redact"), numbers, st.integers(0, 20)),
    ),
    max_size=20,
)


@given(requests, st.sampled_from([1, 4]), st.none() | st.integers(25, 40))
def test_whatever_people_do_the_pledges_stay_sound(steps: list[tuple], pack: int, cap: int | None) -> None:
    buy = a_buy(pack=pack, cap=None if cap is None else cap // pack * pack + pack)
    expected: dict[int, int] = {}
    for position, step in enumerate(steps):
        match step:
            case ("add", number, units):
                request: group_buy.Request = add(number, units, position)
            case ("set", number, quantity, flex, max_price):
                request = put(number, quantity, position, flex, max_price)
            case ("withdraw", number):
                request = Withdraw(number, 5)
            case (_, number, back):
                request = Withdraw(number, 5, id=f"$e{back}")
        before, facts = buy, decide(buy, request)
        if isinstance(facts, Refusal):
            assert isinstance(request, Withdraw)
            continue
        for fact in facts:
            buy = evolve(buy, fact)
        match step:
            case ("add", number, units):
                expected[number] = expected.get(number, 0) + units
            case ("set", number, quantity, *_):
                expected[number] = quantity
            case ("withdraw", number):
                expected[number] = 0
            case _:
                expected[step[1]] = buy.units_of(step[1])
                assert before.units_of(step[1]) > buy.units_of(step[1])
        added = {fact.tranche.id for fact in facts if isinstance(fact, TrancheAdded)}
        assert added <= {f"$e{position}"}
        assert all(buy.units_of(n) == expected.get(n, 0) for n in (ANA, BEN, OTTO))
        assert all(t.quantity > 0 for t in buy.pledged)
        assert len({t.max_price for t in buy.tranches_of(step[1])}) <= 1
        assert sum(t.flex > 0 for t in buy.tranches_of(step[1])) <= 1
    ids = [f"x{n}" for n in range(6)]
    facts = decide(buy, Settle(ids))
    assert isinstance(facts, list)
    clearing = buy.clearing()
    if clearing is None:
        assert facts == [Failed()]
    else:
        [succeeded] = facts
        assert isinstance(succeeded, Succeeded)
        assert sum(order.units for order in succeeded.orders) == clearing.total
        assert all(order.total == order.units * clearing.unit_price for order in succeeded.orders)
