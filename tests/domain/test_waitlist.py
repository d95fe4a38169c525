"""Units that nobody has: offered to those who wait, and what the concierge chooses where nobody takes them."""

from typing import Any

import pytest

from appservice.domain.fulfilment import (
    Absorb,
    Absorbed,
    Accept,
    AtRisk,
    Decline,
    Drop,
    Fulfilment,
    HouseTake,
    HouseTook,
    Lapse,
    Lapsed,
    Offer,
    Offered,
    Request,
    RiskEnded,
    Taken,
    Wait,
    Waiting,
    decide,
)
from appservice.domain.group_buy import MOST_UNITS, Advance, Cancel, Pledger, Status, StatusChanged
from appservice.domain.ids import OrderId
from appservice.domain.order import OrderStatus
from appservice.domain.refusal import Reason, Refusal
from tests.domain.given import (
    ANA,
    BEN,
    BOSS,
    MIA,
    OTTO,
    PAY_BY,
    a_buy,
    add,
    after,
    cleared,
    facts_of,
    put,
    refused,
    went_on,
)

O0, O1 = OrderId("o0"), OrderId("o1")
UNTIL = PAY_BY + 100


def collecting(**terms: Any) -> Fulfilment:
    """Ana has 6 (o0), Ben 4 of his 5 (o1); he waits for 1, Otto for 2, Mia for 3."""
    pledges = [(ANA, 6), (BEN, 5), (OTTO, 2), (MIA, 3)]
    return cleared(after(a_buy(cap=10, tiers=a_buy().terms.tiers[:1], **terms),
                         *(add(who, units, n) for n, (who, units) in enumerate(pledges))))  # fmt: skip


def alone(**terms: Any) -> Fulfilment:
    """Ana has 6 (o0), Ben 4 (o1), nobody waits: one dropped, and the minimum of 10 is missed."""
    return cleared(after(a_buy(**terms), add(ANA, 6, 1), add(BEN, 4, 2)))


def dropped(state: Fulfilment, *order_ids: OrderId) -> Fulfilment:
    return went_on(state, *(Drop(order_id, PAY_BY) for order_id in order_ids))


def offered(state: Fulfilment, again: bool = False) -> Fulfilment:
    return went_on(state, Offer(UNTIL, PAY_BY, again))


def accept(state: Fulfilment, place: int, who: Pledger, n: int, at: int = PAY_BY) -> list[Any]:
    return facts_of(state, accepted(state, place, who, n, at))


def accepted(state: Fulfilment, place: int, who: Pledger, n: int, at: int = PAY_BY) -> Accept:
    return Accept(state.waiting[place].id, who, OrderId(f"n{n}"), f"m{n}", PAY_BY + 500, at)


def queue(state: Fulfilment) -> list[tuple[Pledger, int, int, bool]]:
    return [(w.pledger, w.units, w.offered, w.passed) for w in state.waiting]


def test_what_was_cut_waits_in_pledge_order() -> None:
    assert queue(collecting()) == [(BEN, 1, 0, False), (OTTO, 2, 0, False), (MIA, 3, 0, False)]


def test_who_set_a_maximum_below_the_price_does_not_wait_for_units_at_that_price() -> None:
    state = cleared(after(a_buy(cap=30), put(OTTO, 3, 1, max_price=6000), add(ANA, 28, 2), add(BEN, 4, 3)))
    assert queue(state) == [(BEN, 2, 0, False)]


def test_tranches_of_one_member_wait_together_by_variant() -> None:
    sizes = a_buy(cap=10, tiers=a_buy().terms.tiers[:1], variants=("S", "M"))
    buy = after(sizes, add(ANA, 10, 1, variant="S"), add(BEN, 1, 2, variant="M"), add(OTTO, 1, 3, variant="S"))
    state = cleared(after(buy, add(BEN, 2, 4, variant="M"), add(BEN, 1, 5, variant="S")))
    waits = [(w.pledger, w.variant, w.units) for w in state.waiting]
    assert waits == [(BEN, "M", 3), (BEN, "S", 1), (OTTO, "S", 1)]
    assert len({w.id for w in state.waiting}) == 3


def test_dropped_units_are_offered_in_order_until_none_are_left() -> None:
    state = dropped(collecting(), O1)
    assert state.at_risk == 0, "those who wait have not been asked"
    waiting = [w.id for w in state.waiting]
    expected = [Offered(waiting[0], 1, UNTIL), Offered(waiting[1], 2, UNTIL), Offered(waiting[2], 1, UNTIL)]
    assert facts_of(state, Offer(UNTIL, PAY_BY)) == expected
    state = offered(state)
    assert queue(state) == [(BEN, 1, 1, False), (OTTO, 2, 2, False), (MIA, 3, 1, False)] and state.free() == 0
    assert refused(decide(state, Offer(UNTIL, PAY_BY))) is Reason.NOTHING_FREE


def test_accepting_makes_an_order_at_the_same_price() -> None:
    state = offered(dropped(collecting(), O1))
    [fact] = accept(state, 1, OTTO, 1)
    assert isinstance(fact, Taken)
    order = fact.order
    assert (order.pledger, order.ordered, order.unit_price, order.total) == (OTTO, (("", 2),), 7900, 15800)
    assert (order.status, order.pay_by, order.line_id) == (OrderStatus.OWED, PAY_BY + 500, "m1")
    state = went_on(state, accepted(state, 1, OTTO, 1))
    assert queue(state) == [(BEN, 1, 1, False), (MIA, 3, 1, False)] and state.orders[-1] == order
    state = went_on(state, accepted(state, 1, MIA, 2))
    assert queue(state) == [(BEN, 1, 1, False), (MIA, 2, 0, False)]


def test_an_offer_is_for_the_one_who_waits_and_until_its_time() -> None:
    state = offered(dropped(collecting(), O1))
    assert refused(decide(state, accepted(state, 1, BEN, 1))) is Reason.NO_OFFER
    assert refused(decide(state, Decline(state.waiting[1].id, BEN))) is Reason.NO_OFFER
    assert refused(decide(state, accepted(state, 1, OTTO, 1, at=UNTIL))) is Reason.NO_OFFER
    assert len(accept(state, 1, OTTO, 1, at=UNTIL - 1)) == 1
    assert refused(decide(collecting(), accepted(state, 1, OTTO, 1))) is Reason.NO_OFFER


def test_a_declined_offer_goes_to_the_next_and_not_to_the_same_again() -> None:
    state = offered(dropped(collecting(), O1))
    state = went_on(state, Decline(state.waiting[1].id, OTTO))
    assert queue(state)[1] == (OTTO, 2, 0, True) and state.free() == 2
    assert refused(decide(state, Offer(UNTIL, PAY_BY))) is Reason.NOBODY_WAITS, "Mia has an offer already"
    state = went_on(state, accepted(state, 2, MIA, 2))
    assert facts_of(state, Offer(UNTIL, PAY_BY)) == [Offered(state.waiting[2].id, 2, UNTIL)]


def test_offers_lapse_when_their_time_is_over_and_not_before() -> None:
    state = offered(dropped(collecting(), O1))
    assert facts_of(state, Lapse(UNTIL - 1)) == []
    facts = facts_of(state, Lapse(UNTIL))
    assert facts == [*(Lapsed(w.id) for w in state.waiting), AtRisk(4)]


@pytest.mark.parametrize("answer_by", [PAY_BY, PAY_BY - 1])
def test_an_offer_needs_time(answer_by: int) -> None:
    assert refused(decide(dropped(collecting(), O1), Offer(answer_by, PAY_BY))) is Reason.BAD_DEADLINE


def test_a_buy_is_at_risk_when_nobody_is_left_to_take_what_it_lacks() -> None:
    state = alone()
    assert facts_of(state, Drop(O1, PAY_BY))[1:] == [AtRisk(4)]
    state = dropped(state, O1)
    assert state.at_risk == 4
    assert refused(decide(state, Offer(UNTIL, PAY_BY))) is Reason.NOBODY_WAITS
    assert decide(state, Advance(Status.ORDERED, BOSS)) == Refusal(Reason.AT_RISK, {"units": 4})
    assert facts_of(state, Drop(O0, PAY_BY))[1:] == [AtRisk(10)]


def test_a_shortfall_that_takes_neither_minimum_nor_pack_is_no_risk() -> None:
    state = dropped(cleared(after(a_buy(), add(ANA, 10, 1), add(BEN, 4, 2))), O1)
    assert state.at_risk == 0 and state.free() == 4
    assert facts_of(state, Advance(Status.ORDERED, BOSS)) == [StatusChanged(Status.ORDERED, BOSS)]


def test_a_pack_that_is_not_full_is_a_risk() -> None:
    state = dropped(cleared(after(a_buy(pack=6), add(ANA, 15, 1), add(BEN, 3, 2))), O1)
    assert state.at_risk == 3


def test_the_supplier_gets_no_order_while_the_short_units_can_still_be_taken() -> None:
    state = dropped(collecting(), O1)
    assert refused(decide(state, Advance(Status.ORDERED, BOSS))) is Reason.AT_RISK
    full = dropped(cleared(after(a_buy(cap=14), add(ANA, 10, 1), add(BEN, 4, 2), add(OTTO, 4, 3))), O1)
    assert decide(offered(full), Advance(Status.ORDERED, BOSS)) == Refusal(Reason.OFFERS_STAND, {"count": 1})


def test_choice_one_the_concierge_goes_on_without_the_units() -> None:
    state = dropped(alone(), O1)
    assert facts_of(state, Absorb(BOSS, "they agreed")) == [Absorbed(4, BOSS, "they agreed"), RiskEnded()]
    state = went_on(state, Absorb(BOSS))
    assert (state.spoken_for(), state.free(), state.at_risk) == (6, 0, 0)
    assert [order.unit_price for order in state.live_orders()] == [7900]
    assert went_on(state, Advance(Status.ORDERED, BOSS)).status is Status.ORDERED


def test_choice_two_those_who_wait_are_asked_again_and_others_may_join_them() -> None:
    state = offered(dropped(collecting(), O1))
    state = went_on(state, Lapse(UNTIL))
    assert state.at_risk == 4
    assert refused(decide(state, Offer(UNTIL + 9, UNTIL))) is Reason.NOBODY_WAITS
    assert facts_of(state, Offer(UNTIL + 9, UNTIL, again=True))[-1] == RiskEnded()
    newcomer = Pledger(ANA.group_id, BOSS)
    state = went_on(state, Wait("new", newcomer, 4))
    assert state.at_risk == 0 and state.waiting[-1] == Waiting("new", newcomer, "", 4)
    assert facts_of(state, Offer(UNTIL + 9, UNTIL)) == [Offered("new", 4, UNTIL + 9)]


def test_choice_three_the_house_takes_units_for_all_to_see() -> None:
    state = dropped(alone(), O1)
    assert facts_of(state, HouseTake(4, BOSS)) == [HouseTook((("", 4),), BOSS), RiskEnded()]
    assert facts_of(state, HouseTake(3, BOSS)) == [HouseTook((("", 3),), BOSS), AtRisk(1)]
    state = went_on(state, HouseTake(3, BOSS), HouseTake(1, BOSS))
    assert state.house == (("", 4),) and state.spoken_for() == 10
    for units in (0, 5):
        assert decide(dropped(alone(), O1), HouseTake(units, BOSS)) == Refusal(Reason.BAD_QUANTITY, {"most": 4})


def test_choice_four_the_buy_is_called_off() -> None:
    state = went_on(dropped(alone(), O1), Cancel("too few", BOSS))
    assert (state.status, state.at_risk) == (Status.CANCELLED, 0)
    assert [order.status for order in state.orders] == [OrderStatus.CANCELLED, OrderStatus.DROPPED]


@pytest.mark.parametrize("request_", [Absorb(BOSS), HouseTake(1, BOSS)])
def test_there_is_nothing_to_choose_while_nothing_is_short(request_: Request) -> None:
    for state in (alone(), offered(dropped(collecting(), O1))):
        assert refused(decide(state, request_)) is Reason.NOT_SHORT


def test_who_joins_the_waiting_list_names_a_variant_and_keeps_to_the_most() -> None:
    state = cleared(after(a_buy(most=8, variants=("S", "M")), add(ANA, 6, 1, variant="S"), add(BEN, 4, 2, variant="M")))
    assert refused(decide(state, Wait("w", ANA, 1))) is Reason.WHICH_VARIANT
    assert refused(decide(state, Wait("w", ANA, 0, "S"))) is Reason.BAD_QUANTITY
    assert decide(state, Wait("w", ANA, 3, "S")) == Refusal(Reason.ABOVE_MOST, {"most": 8, "units": 9})
    assert went_on(state, Wait("w", ANA, 2, "s")).waiting == (Waiting("w", ANA, "S", 2),)
    assert len(went_on(state, Wait("v", BEN, 2, "S"), Wait("w", ANA, 2, "S")).waiting) == 2
    twice = went_on(state, Wait("w", ANA, 1, "S"))
    assert refused(decide(twice, Wait("v", ANA, 2, "S"))) is Reason.ABOVE_MOST


def test_nobody_waits_for_more_than_a_pledge_may_be() -> None:
    assert went_on(alone(), Wait("w", ANA, MOST_UNITS - 6)).waiting[0].units == MOST_UNITS - 6
    assert refused(decide(alone(), Wait("w", ANA, MOST_UNITS - 5))) is Reason.BAD_QUANTITY


def test_the_house_names_a_variant_too() -> None:
    state = cleared(after(a_buy(variants=("S", "M")), add(ANA, 6, 1, variant="S"), add(BEN, 4, 2, variant="M")))
    state = dropped(state, O1)
    assert refused(decide(state, HouseTake(4, BOSS))) is Reason.WHICH_VARIANT
    assert went_on(state, HouseTake(3, BOSS, "m"), HouseTake(1, BOSS, "S")).house == (("M", 3), ("S", 1))


@pytest.mark.parametrize("to", [Status.ORDERED, Status.ARRIVED, Status.HANDING_OUT, Status.DONE])
def test_the_waiting_list_ends_with_the_order_to_the_supplier(to: Status) -> None:
    steps = [Status.ORDERED, Status.ARRIVED, Status.HANDING_OUT, Status.DONE]
    state = went_on(collecting(), *(Advance(step, BOSS) for step in steps[: steps.index(to) + 1]))
    for request in (Wait("x", ANA, 1), Offer(UNTIL, PAY_BY), Lapse(UNTIL), Decline("w0", BEN)):
        assert decide(state, request) == Refusal(Reason.NOT_COLLECTING, {"status": to})


def test_a_share_of_the_shared_cost_goes_with_the_units_and_nobody_elses_changes() -> None:
    state = offered(dropped(collecting(shared_cost=1000), O1))
    assert [order.shared for order in state.orders] == [600, 400]
    state = went_on(state, accepted(state, 0, BEN, 1))
    state = went_on(state, accepted(state, 0, OTTO, 2))
    state = went_on(state, accepted(state, 0, MIA, 3))
    assert [(order.units, order.shared) for order in state.live_orders()] == [(6, 600), (1, 100), (2, 200), (1, 100)]


def test_whoever_takes_the_last_units_takes_the_rest_of_their_share() -> None:
    state = offered(dropped(collecting(shared_cost=7), O1))
    assert [order.shared for order in state.orders] == [4, 3]
    shares = []
    for place, who in ((2, MIA), (0, BEN), (0, OTTO)):
        state = went_on(state, accepted(state, place, who, len(shares)))
        shares.append(state.orders[-1].shared)
    assert shares == [0, 1, 2] and state.house_shared() == 0
