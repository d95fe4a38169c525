"""What members ask of a group buy, and that the stored state is what its facts say."""

import pytest

from appservice.domain.group_buy import (
    MOST_UNITS,
    Close,
    ClosingBegun,
    Failed,
    GroupBuy,
    Pledger,
    Status,
    StatusChanged,
    Succeeded,
    TierReached,
    Withdraw,
    decide,
    is_waiting,
)
from appservice.domain.refusal import Reason, Refusal
from tests.domain.given import (
    ANA,
    BEN,
    DEADLINE,
    MIA,
    OTTO,
    TIERS,
    a_buy,
    add,
    after,
    given,
    put,
    replay,
    settle,
)


def shape(buy: GroupBuy) -> list[tuple[Pledger, int, int, int | None]]:
    return [(t.pledger, t.quantity, t.flex, t.max_price) for t in buy.pledged]


def test_plus_adds_a_dated_tranche_under_the_options_that_the_pledge_has() -> None:
    buy = after(a_buy(), put(ANA, 2, 1, flex=2, max_price=7000), add(BEN, 1, 2), add(ANA, 3, 3))
    assert shape(buy) == [(ANA, 2, 2, 7000), (BEN, 1, 0, None), (ANA, 3, 0, 7000)]


def test_setting_more_keeps_the_date_of_the_units_that_were_there() -> None:
    buy = after(a_buy(), put(ANA, 2, 1), put(BEN, 2, 2), put(ANA, 5, 3))
    assert [(t.pledger, t.quantity, t.position) for t in buy.pledged] == [(ANA, 2, 1), (BEN, 2, 2), (ANA, 3, 3)]


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
    facts = given(buy, settle(buy))
    assert facts[0] == ClosingBegun(DEADLINE) and facts[2] == StatusChanged(Status.COLLECTING)
    assert isinstance(facts[1], Succeeded)
    orders = {order.pledger: (order.units, order.unit_price, order.total) for order in facts[1].orders}
    assert orders == {ANA: (6, 7900, 47400), BEN: (6, 7900, 47400)}
    ids = [order.id for order in facts[1].orders] + [order.line_id for order in facts[1].orders]
    assert len(set(ids)) == 4
    assert replay(buy, facts).status is Status.COLLECTING


def test_a_buy_below_its_minimum_fails_and_nobody_owes_anything() -> None:
    buy = after(a_buy(), add(ANA, 9, 1))
    assert given(buy, settle(buy)) == [ClosingBegun(DEADLINE), Failed()]
    buy = after(buy, settle(buy))
    assert buy.status is Status.FAILED
    assert decide(buy, settle(buy)) == Refusal(Reason.NOT_OPEN)
    assert decide(buy, add(BEN, 9, 2)) == Refusal(Reason.TOO_LATE)


def test_a_buy_that_was_closed_by_hand_begins_to_close_once_only() -> None:
    buy = after(a_buy(), add(ANA, 9, 1), Close(500))
    assert given(buy, settle(buy)) == [Failed()]


def test_members_of_two_groups_with_the_same_number_are_two_people() -> None:
    buy = after(a_buy(), add(ANA, 6, 1), add(MIA, 5, 2), Withdraw(ANA, 5))
    assert shape(buy) == [(MIA, 5, 0, None)]
    buy = after(buy, add(ANA, 5, 3))
    [succeeded] = [fact for fact in given(buy, settle(buy)) if isinstance(fact, Succeeded)]
    assert [(order.pledger, order.units) for order in succeeded.orders] == [(MIA, 5), (ANA, 5)]


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
