"""A short delivery: what arrived is shared out, the difference is credited, and a slip can be corrected."""

from typing import Any

import pytest

from appservice.domain.fulfilment import (
    Deliver,
    Delivered,
    Drop,
    Fulfilment,
    OrderArrived,
    OrderPaid,
    Pay,
    Refund,
    Remind,
    Rule,
    decide,
)
from appservice.domain.group_buy import Advance, Status
from appservice.domain.ids import OrderId
from appservice.domain.money import Tax
from appservice.domain.order import OrderStatus
from appservice.domain.refusal import Reason, Refusal
from tests.domain.given import ANA, BEN, BOSS, OTTO, PAY_BY, a_buy, add, after, cleared, facts_of, refused, went_on

O0, O1, O2 = OrderId("o0"), OrderId("o1"), OrderId("o2")
STEPS = [Status.ORDERED, Status.ARRIVED, Status.HANDING_OUT, Status.DONE]


def at(status: Status, state: Fulfilment) -> Fulfilment:
    return went_on(state, *(Advance(step, BOSS) for step in STEPS[: STEPS.index(status) + 1]))


def collecting(**terms: Any) -> Fulfilment:
    """Orders o0 to o2 of 6, 4 and 2 units at 79.00, with 12.00 of shared cost."""
    pledges = (add(who, units, units) for who, units in ((ANA, 6), (BEN, 4), (OTTO, 2)))
    state = cleared(after(a_buy(shared_cost=1200, **terms), *sorted(pledges, key=lambda each: -each.units)))
    return state


def arrived(units: int, rule: Rule = Rule.FIRST_COME, **more: Any) -> Deliver:
    return Deliver({"": units}, rule, BOSS, **more)


def shares(state: Fulfilment) -> list[tuple[int, int]]:
    return [(order.units, order.total) for order in state.orders]


def test_the_orders_stand_in_pledge_order_whatever_their_size() -> None:
    assert [order.pledger for order in collecting().orders] == [OTTO, BEN, ANA]


def test_a_full_delivery_changes_nothing() -> None:
    state = at(Status.ARRIVED, collecting())
    assert facts_of(state, arrived(12)) == [Delivered((("", 12),), Rule.FIRST_COME, (), BOSS)]
    assert went_on(state, arrived(12)).orders == state.orders


def test_who_gets_less_owes_less_at_the_same_unit_price() -> None:
    state = went_on(at(Status.ARRIVED, collecting()), arrived(9))
    assert shares(state) == [(2, 15800 + 200), (4, 31600 + 400), (3, 3 * 7900 + 600)]
    assert {order.unit_price for order in state.orders} == {7900}


def test_who_gets_nothing_owes_nothing_no_shared_cost_either() -> None:
    facts = facts_of(at(Status.ARRIVED, collecting()), arrived(6))
    assert facts[1:] == [OrderArrived(O2, (), 0, 0)]
    state = went_on(at(Status.ARRIVED, collecting()), arrived(6))
    assert [units for units, _ in shares(went_on(state, arrived(0)))] == [0, 0, 0]
    assert shares(state) == [(2, 16000), (4, 32000), (0, 0)]
    assert state.house_shared() == 600
    for request in (Remind(O2), Drop(O2, PAY_BY)):
        assert refused(decide(state, request)) is Reason.NOTHING_OWED


def test_a_tax_is_worked_out_anew_for_the_smaller_line() -> None:
    state = at(Status.ARRIVED, collecting(tax=Tax(1900, inclusive=False)))
    assert state.orders[2].tax == 9006
    [_, fact] = facts_of(state, arrived(9))
    assert fact == OrderArrived(O2, (("", 3),), 4503, 23700 + 600 + 4503)


def test_the_difference_is_a_credit_that_can_be_refunded() -> None:
    state = went_on(collecting(), Pay(O2, 48000, "EUR", "r1"))
    state = went_on(at(Status.ARRIVED, state), arrived(9))
    order = state.orders[2]
    assert order.status is OrderStatus.PAID and state.due(order) == -23700
    assert refused(decide(state, Refund(O2, 23701, "r2"))) is Reason.TOO_MUCH
    assert state.due(went_on(state, Refund(O2, 23700, "r2")).orders[2]) == -23700
    assert went_on(state, Refund(O2, 23700, "r2")).due(order) == 0


def test_a_part_payment_that_covers_what_arrived_pays_the_order() -> None:
    state = went_on(collecting(), Pay(O2, 24300, "EUR", "r1"))
    assert state.orders[2].status is OrderStatus.OWED
    assert facts_of(at(Status.ARRIVED, state), arrived(9))[-1] == OrderPaid(O2)


def test_entering_again_corrects_up_to_what_was_ordered() -> None:
    state = went_on(collecting(), Pay(O2, 48000, "EUR", "r1"))
    state = went_on(at(Status.ARRIVED, state), arrived(9), Refund(O2, 23700, "r2"), arrived(12))
    assert shares(state) == [(2, 16000), (4, 32000), (6, 48000)]
    assert state.orders[2].status is OrderStatus.OWED and state.due(state.orders[2]) == 23700
    assert [units for units, _ in shares(went_on(state, arrived(4, Rule.PRO_RATA)))] == [1, 1, 2]
    assert facts_of(went_on(state, arrived(9)), arrived(9)) == [Delivered((("", 9),), Rule.FIRST_COME, (), BOSS)]


@pytest.mark.parametrize("status", [Status.COLLECTING, Status.ORDERED, Status.HANDING_OUT, Status.DONE])
def test_what_arrived_is_entered_when_the_concierge_has_said_that_it_arrived(status: Status) -> None:
    state = collecting() if status is Status.COLLECTING else at(status, collecting())
    assert decide(state, arrived(9)) == Refusal(Reason.NOT_ARRIVED, {"status": status})


def test_the_house_comes_last() -> None:
    state = went_on(at(Status.ORDERED, collecting()), Drop(O1, PAY_BY), Advance(Status.ARRIVED, BOSS))
    assert state.house == (("", 4),)
    assert went_on(state, arrived(12)).house_units() == (("", 4),)
    assert went_on(state, arrived(10)).house_units() == (("", 2),)
    short = went_on(state, arrived(7))
    assert short.house_units() == () and [order.units for order in short.live_orders()] == [2, 5]
    assert went_on(short, arrived(11)).house_units() == (("", 3),)


def test_an_order_dropped_after_a_short_delivery_leaves_the_house_what_it_had_got() -> None:
    state = went_on(at(Status.ARRIVED, collecting()), arrived(9), Drop(O2, PAY_BY))
    assert state.house_units() == (("", 3),) and state.house == (("", 6),)
    assert state.spoken_for() == 9


def test_variants_are_entered_by_name_and_shared_out_one_by_one() -> None:
    buy = after(a_buy(variants=("S", "M")), add(ANA, 6, 1, variant="S"), add(BEN, 4, 2, variant="M"))
    state = at(Status.ARRIVED, cleared(buy))
    assert refused(decide(state, Deliver({"L": 1}, Rule.PRO_RATA, BOSS))) is Reason.WHICH_VARIANT
    assert refused(decide(state, Deliver({"S": -1}, Rule.PRO_RATA, BOSS))) is Reason.BAD_SHARES
    state = went_on(state, Deliver({"s": 9, "M": 1}, Rule.PRO_RATA, BOSS))
    assert [order.by_variant for order in state.orders] == [(("S", 6),), (("M", 1),)]


def test_by_hand_the_concierge_says_who_gets_what() -> None:
    state = at(Status.ARRIVED, collecting())
    by_hand = {O2: (("", 6),), O0: (("", 1),)}
    assert [n for n, _ in shares(went_on(state, arrived(7, Rule.BY_HAND, by_hand=by_hand)))] == [1, 0, 6]
    outcome = decide(state, arrived(8, Rule.BY_HAND, by_hand=by_hand))
    assert outcome == Refusal(Reason.BAD_SHARES, {"why": "sum", "variant": "", "expected": 8, "given": 7})
