"""What is booked to whom, and that all accounts together come to the supplier's invoice and the shared cost."""

from fractions import Fraction
from math import floor
from typing import Any

import pytest
from hypothesis import assume, settings
from hypothesis import given as draw
from hypothesis import strategies as st

from appservice.domain import fulfilment
from appservice.domain.account import Booking, Kind, balance, book, charge, refunds_due, statements, supplier_invoice
from appservice.domain.clearing import Tier
from appservice.domain.fulfilment import (
    Absorb,
    Accept,
    Decline,
    Deliver,
    Drop,
    Fulfilment,
    HouseTake,
    Lapse,
    Offer,
    Pay,
    Payment,
    Refund,
    Remind,
    Reverse,
    Rule,
    Wait,
    Waiting,
    decide,
    evolve,
)
from appservice.domain.group_buy import TRANSITIONS, Advance, Cancel, Pledger, Status
from appservice.domain.ids import GroupId, Number, OrderId
from appservice.domain.money import Tax
from appservice.domain.order import OrderStatus
from appservice.domain.refusal import Refusal
from tests.domain.given import ANA, BEN, BOSS, MIA, OTTO, PAY_BY, a_buy, add, after, cleared, facts_of, went_on

O0, O1 = OrderId("o0"), OrderId("o1")
TIER = (Tier(1, 7900),)


def booked(state: Fulfilment, *requests: fulfilment.Request) -> list[Booking]:
    """What the last of the requests books."""
    state = went_on(state, *requests[:-1])
    bookings: list[Booking] = []
    for fact in facts_of(state, requests[-1]):
        bookings += book(state, fact)
        state = evolve(state, fact)
    return bookings


def two_orders(**terms: Any) -> Fulfilment:
    """Ana (o0) 2 units and Ben (o1) 1, with 10.00 of shared cost: 667 and 333."""
    return cleared(after(a_buy(tiers=TIER, shared_cost=1000, **terms), add(ANA, 2, 1), add(BEN, 1, 2)))


def test_success_charges_each_order() -> None:
    assert charge(two_orders().orders) == (
        Booking(ANA, Kind.CHARGE, 16467, O0),
        Booking(BEN, Kind.CHARGE, 8233, O1),
    )


PAID = Pay(O1, 8233, "EUR", "r1")


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ([PAID], [Booking(BEN, Kind.PAYMENT, -8233, O1)]),
        ([PAID, Reverse("r1", "r2")], [Booking(BEN, Kind.REVERSAL, 8233, O1, "r1")]),
        (
            [Drop(O1, PAY_BY)],
            [Booking(BEN, Kind.REVERSAL, -8233, O1, "o1"), Booking(None, Kind.CHARGE, 333)],
        ),
        ([Drop(O1, PAY_BY), PAID, Refund(O1, 8233, "r2")], [Booking(BEN, Kind.REFUND, 8233, O1)]),
        (
            [Advance(Status.ORDERED, BOSS), Drop(O1, PAY_BY)],
            [Booking(BEN, Kind.REVERSAL, -8233, O1, "o1"), Booking(None, Kind.CHARGE, 8233)],
        ),
        (
            [Wait("w", MIA, 1), Drop(O1, PAY_BY), Offer(PAY_BY + 9, PAY_BY),
             Accept("w", MIA, OrderId("n"), "m", PAY_BY + 50, PAY_BY)],
            [Booking(MIA, Kind.CHARGE, 8233, OrderId("n")), Booking(None, Kind.CREDIT, -333)],
        ),
        (
            [Advance(Status.ORDERED, BOSS), Advance(Status.ARRIVED, BOSS), Deliver({"": 1}, Rule.FIRST_COME, BOSS)],
            [Booking(ANA, Kind.CREDIT, -7900, O0), Booking(BEN, Kind.CREDIT, -8233, O1),
             Booking(None, Kind.CHARGE, 333)],
        ),
        (
            [PAID, Cancel("gone", BOSS)],
            [Booking(ANA, Kind.REVERSAL, -16467, O0, "o0"), Booking(BEN, Kind.REVERSAL, -8233, O1, "o1")],
        ),
        ([Remind(O1)], []),
    ],
)  # fmt: skip
def test_what_each_step_books(requests: list[fulfilment.Request], expected: list[Booking]) -> None:
    assert booked(two_orders(), *requests) == expected


def test_a_statement_says_what_the_goods_cost_and_what_the_rest() -> None:
    state = went_on(two_orders(tax=Tax(1900, inclusive=False)), Pay(O1, 100, "EUR", "r1"))
    ana, ben, house = statements(state)
    assert (ana.pledger, ana.units, ana.goods, ana.shared, ana.tax, ana.charged) == (ANA, 2, 15800, 667, 3002, 19469)
    assert (ben.charged, ben.received, ben.balance) == (7900 + 333 + 1501, 100, 9634)
    assert (house.pledger, house.units, house.charged, house.balance) == (None, 0, 0, 0)
    assert supplier_invoice(state) == 3 * 7900 + 3002 + 1501


def test_the_house_has_a_statement_for_what_it_took() -> None:
    state = went_on(two_orders(tax=Tax(1900, inclusive=False)), Advance(Status.ORDERED, BOSS), Drop(O0, PAY_BY))
    *_, house = statements(state)
    assert (house.units, house.goods, house.shared, house.tax, house.charged) == (2, 15800, 667, 3002, 19469)


def test_refunds_are_due_where_more_came_than_is_owed() -> None:
    state = went_on(two_orders(), PAID, Pay(O0, 5, "EUR", "r2"))
    assert refunds_due(state) == ()
    state = went_on(state, Cancel("gone", BOSS))
    assert [(order.id, amount) for order, amount in refunds_due(state)] == [(O0, 5), (O1, 8233)]
    assert refunds_due(went_on(state, Refund(O0, 5, "r3"), Refund(O1, 8233, "r4"))) == ()


# Whatever happens after closing

people = st.sampled_from([ANA, BEN, OTTO, MIA, Pledger(GroupId("h"), Number(7))])
taxes = st.none() | st.builds(Tax, st.sampled_from([0, 500, 700, 1900, 2100]), st.booleans())
small = st.integers(0, 6)
STEPS = [Status.ORDERED, Status.ARRIVED, Status.HANDING_OUT, Status.DONE]
happenings = st.one_of(
    st.tuples(st.just("pay"), small, st.sampled_from([0, 0, 0, -1, 1, 500])),
    st.tuples(st.sampled_from(["refund", "reverse", "remind", "drop", "drop"]), small),
    st.tuples(st.just("wait"), people, st.integers(1, 5)),
    st.tuples(st.just("drop and offer"), small, st.booleans()),
    st.tuples(st.sampled_from(["accept", "accept", "decline", "lapse", "absorb", "step"]), small),
    st.tuples(st.just("step"), small),
    st.tuples(st.just("house"), st.integers(1, 4)),
    st.tuples(st.just("deliver"), st.integers(0, 60), st.sampled_from(list(Rule)[:2])),
)
fates = st.lists(happenings, min_size=6, max_size=25)


@st.composite
def cleared_buys(draw: st.DrawFn) -> Fulfilment:
    currency, unit_price = draw(st.sampled_from([("EUR", 7999), ("JPY", 1285), ("KWD", 3), ("EUR", 1)]))
    pack, cap = draw(st.sampled_from([1, 4])), draw(st.none() | st.integers(12, 24))
    buy = a_buy(currency=currency, tiers=(Tier(draw(st.integers(1, 12)), unit_price),), pack=pack, cap=cap,
                shared_cost=draw(st.integers(0, 2000)), tax=draw(taxes))  # fmt: skip
    pledges = draw(st.lists(st.tuples(people, st.integers(1, 8)), min_size=2, max_size=8))
    buy = after(buy, *(add(who, units, n) for n, (who, units) in enumerate(pledges)))
    assume(buy.clearing() is not None)
    return cleared(buy)


def requests_for(state: Fulfilment, happening: tuple, n: int, now: int) -> list[fulfilment.Request]:
    """What somebody may well ask in this state."""
    place = happening[1] if isinstance(happening[1], int) else 0
    order = state.orders[place % len(state.orders)]
    asked = [w for w in state.waiting if w.offered] or [Waiting("none", ANA, "", 1)]
    chosen = asked[place % len(asked)]
    match happening:
        case ("pay", _, off):
            return [Pay(order.id, max(1, state.due(order) + off), state.terms.currency, f"r{n}")]
        case ("refund", _):
            order = ([each for each, _ in refunds_due(state)] or [order])[0]
            return [Refund(order.id, max(1, -state.due(order)), f"r{n}")]
        case ("reverse", _):
            known = [payment.reference for payment in state.payments] or ["none"]
            return [Reverse(known[place % len(known)], f"r{n}")]
        case ("remind", _):
            return [Remind(order.id)]
        case ("drop", _):
            return [Drop(order.id, now, BOSS)]
        case ("drop and offer", _, again):
            return [Drop(order.id, now, BOSS), Offer(now + 3, now, again)]
        case ("wait", who, units):
            return [Wait(f"x{n}", who, units)]
        case ("accept", _):
            return [Accept(chosen.id, chosen.pledger, OrderId(f"n{n}"), f"m{n}", now, now)]
        case ("decline", _):
            return [Decline(chosen.id, chosen.pledger)]
        case ("lapse", _):
            return [Lapse(now)]
        case ("absorb", _):
            return [Absorb(BOSS)]
        case ("house", units):
            return [HouseTake(units, BOSS)]
        case ("deliver", units, rule):
            return [Deliver({"": units}, rule, BOSS)]
        case ("cancel", _):
            return [Cancel("so", BOSS)]
        case _:
            following = [to for to in TRANSITIONS[state.status] if to is not Status.CANCELLED] or [Status.DONE]
            return [Advance(following[0], BOSS)]


@settings(max_examples=200, deadline=None)
@draw(cleared_buys(), fates, st.booleans())
def test_whatever_happens_the_accounts_add_up(first: Fulfilment, fate: list[tuple], called_off: bool) -> None:
    state, ledger, history = first, list(charge(first.orders)), []
    limits = {order.id: order.total for order in first.orders}
    wanted: dict[Pledger, int] = {}
    for pledger, units in [
        *((o.pledger, o.units) for o in first.orders),
        *((w.pledger, w.units) for w in first.waiting),
    ]:
        wanted[pledger] = wanted.get(pledger, 0) + units
    for n, happening in enumerate([*fate, ("cancel", 0)] if called_off else fate):
        for request in requests_for(state, happening, n, PAY_BY + n):
            facts = decide(state, request)
            if isinstance(facts, Refusal):
                continue
            for fact in facts:
                ledger += book(state, fact)
                then = evolve(state, fact)
                assert then.status is state.status or then.status in TRANSITIONS[state.status]
                assert then.payments[: len(state.payments)] == state.payments, "nothing is taken out of the books"
                state = then
                history.append(fact)
            if isinstance(request, Wait):
                wanted[request.pledger] = wanted.get(request.pledger, 0) + request.units
        for order in state.orders:
            assert order.total <= limits.setdefault(order.id, order.total), "nobody ever owes more than at first"
        check_books(state, ledger)
        check_units(state, wanted)
    again = first
    for fact in history:
        again = evolve(again, fact)
    assert again == state


def check_books(state: Fulfilment, ledger: list[Booking]) -> None:
    accounts = statements(state)
    for account in accounts:
        assert account.balance == balance(ledger, account.pledger)
    units = [order.units for order in state.live_orders()] + [
        n for _, n in [("", sum(n for _, n in state.house_units()))]
    ]
    invoice = sum(n * state.unit_price + half_up_on_top(n * state.unit_price, state.terms.tax) for n in units)
    shared = 0 if state.status is Status.CANCELLED else state.terms.shared_cost
    assert supplier_invoice(state) == invoice
    assert sum(account.charged for account in accounts) == invoice + shared
    assert all(account.shared >= 0 for account in accounts)
    for order in state.orders:
        if order.status is OrderStatus.PAID:
            assert state.due(order) <= 0
        if order.status is OrderStatus.REFUNDED:
            assert any(payment.amount < 0 for payment in state.payments if payment.order_id == order.id)


def half_up_on_top(goods: int, tax: Tax | None) -> int:
    exact = Fraction(goods * tax.rate, 10_000) if tax and not tax.inclusive else Fraction(0)
    return floor(exact + Fraction(1, 2))


def check_units(state: Fulfilment, wanted: dict[Pledger, int]) -> None:
    assert {order.unit_price for order in state.orders} == {state.unit_price}
    for pledger in {order.pledger for order in state.orders}:
        assert sum(o.units for o in state.live_orders() if o.pledger == pledger) <= wanted[pledger]
    for order in state.orders:
        assert order.arrived is None or all(n <= dict(order.ordered)[variant] for variant, n in order.arrived)
    offered = sum(waiting.offered for waiting in state.waiting)
    assert all(waiting.offered <= waiting.units for waiting in state.waiting)
    assert state.spoken_for() + offered <= state.total
    if state.status is Status.COLLECTING:
        assert state.spoken_for() + offered + state.free() + state.absorbed >= state.total
        assert state.at_risk == (0 if state.can_fill() else state.short())
        assert state.at_risk <= state.free()


def test_the_ledger_keeps_what_was_reversed() -> None:
    state = went_on(two_orders(), PAID, Reverse("r1", "r2"))
    assert state.payments == (Payment("r1", O1, 8233), Payment("r2", O1, -8233, "r1"))
