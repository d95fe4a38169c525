"""Paying, reminding, dropping, refunding."""

import pytest

from appservice.domain.account import refunds_due
from appservice.domain.fulfilment import (
    Drop,
    Dropped,
    Fulfilment,
    OrderPaid,
    Pay,
    Payment,
    PaymentRecorded,
    PaymentReversed,
    Refund,
    Refunded,
    Remind,
    Reverse,
    decide,
)
from appservice.domain.group_buy import Advance, Cancel, Status
from appservice.domain.ids import OrderId
from appservice.domain.money import LARGEST_AMOUNT
from appservice.domain.order import OrderStatus
from appservice.domain.refusal import Reason, Refusal
from tests.domain.given import ANA, BEN, BOSS, OTTO, PAY_BY, a_buy, add, after, cleared, facts_of, refused, went_on

O0, O1, NONE = OrderId("o0"), OrderId("o1"), OrderId("none")
TOTAL = 6 * 7900


def collecting() -> Fulfilment:
    """Three orders, o0 to o2, of 6 units each; 79.00 a unit."""
    return cleared(after(a_buy(), *(add(who, 6, n) for n, who in enumerate((ANA, BEN, OTTO)))))


def paid(amount: int = TOTAL, reference: str = "r1", order_id: OrderId = O0) -> Pay:
    return Pay(order_id, amount, "EUR", reference)


def stands(state: Fulfilment) -> list[tuple[OrderStatus, int]]:
    return [(order.status, state.received(order.id)) for order in state.orders]


def test_the_exact_amount_pays_an_order_and_no_other() -> None:
    state = collecting()
    assert facts_of(state, paid()) == [PaymentRecorded(Payment("r1", O0, TOTAL), None, ""), OrderPaid(O0)]
    state = went_on(state, paid())
    assert stands(state) == [(OrderStatus.PAID, TOTAL), (OrderStatus.OWED, 0), (OrderStatus.OWED, 0)]


@pytest.mark.parametrize("amount", [1, TOTAL - 1, TOTAL + 1, 2 * TOTAL])
def test_a_wrong_amount_is_recorded_and_nothing_is_confirmed(amount: int) -> None:
    state = collecting()
    assert facts_of(state, paid(amount)) == [PaymentRecorded(Payment("r1", O0, amount), None, "")]
    state = went_on(state, paid(amount))
    order = state.order(O0)
    assert order is not None and order.status is OrderStatus.OWED
    assert state.received(O0) == amount and state.due(order) == TOTAL - amount


def test_what_was_missing_may_come_later_and_what_was_too_much_go_back() -> None:
    state = went_on(collecting(), paid(TOTAL - 5))
    assert facts_of(state, paid(5, "r2"))[1:] == [OrderPaid(O0)]
    state = went_on(collecting(), paid(TOTAL + 5))
    assert facts_of(state, Refund(O0, 5, "r2"))[1:] == [OrderPaid(O0)]


def test_the_smallest_and_the_largest_amount_are_recorded() -> None:
    for amount in (1, LARGEST_AMOUNT):
        assert went_on(collecting(), paid(amount)).received(O0) == amount


def test_a_webhook_that_comes_twice_counts_once() -> None:
    assert decide(went_on(collecting(), paid()), paid()) == Refusal(Reason.PAYMENT_KNOWN, {"reference": "r1"})


def test_paid_twice_an_order_stays_paid_and_the_second_payment_goes_back() -> None:
    state = went_on(collecting(), paid(), paid(TOTAL, "r2"))
    assert stands(state)[0] == (OrderStatus.PAID, 2 * TOTAL)
    assert decide(state, Refund(O0, TOTAL + 1, "r3")) == Refusal(Reason.TOO_MUCH, {"most": TOTAL, "currency": "EUR"})
    assert facts_of(state, Refund(O0, TOTAL, "r3")) == [Refunded(Payment("r3", O0, -TOTAL), None, "")]
    assert stands(went_on(state, Refund(O0, TOTAL, "r3")))[0] == (OrderStatus.PAID, TOTAL)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (paid(order_id=NONE), Reason.NO_ORDER),
        (paid(0), Reason.BAD_AMOUNT),
        (paid(LARGEST_AMOUNT + 1), Reason.BAD_AMOUNT),
        (paid(-TOTAL), Reason.BAD_AMOUNT),
        (Pay(O0, TOTAL, "JPY", "r1"), Reason.WRONG_CURRENCY),
        (Pay(O0, TOTAL, "EUR", "r1", BOSS, " "), Reason.NOTE_NEEDED),
        (Reverse("r1", "r2"), Reason.NO_PAYMENT),
        (Refund(O0, 1, "r2"), Reason.TOO_MUCH),
        (Refund(NONE, 1, "r2"), Reason.NO_ORDER),
        (Remind(NONE), Reason.NO_ORDER),
        (Drop(NONE, PAY_BY), Reason.NO_ORDER),
    ],
)
def test_what_is_no_payment_changes_nothing(request_: Pay, reason: Reason) -> None:
    assert refused(decide(collecting(), request_)) is reason


def test_a_concierge_records_a_payment_with_a_note() -> None:
    cash = Pay(O0, TOTAL, "EUR", "r1", BOSS, "cash at the door")
    assert facts_of(collecting(), cash)[0] == PaymentRecorded(Payment("r1", O0, TOTAL), BOSS, "cash at the door")


def test_a_payment_that_was_none_is_reversed_by_an_entry_of_its_own_once() -> None:
    state = went_on(collecting(), paid())
    facts = facts_of(state, Reverse("r1", "r2", BOSS, "other Ana"))
    assert facts == [PaymentReversed(Payment("r2", O0, -TOTAL, "r1"), BOSS, "other Ana")]
    state = went_on(state, Reverse("r1", "r2"))
    assert stands(state)[0] == (OrderStatus.OWED, 0) and len(state.payments) == 2
    for again in ("r1", "r2"):
        assert refused(decide(state, Reverse(again, "r3"))) is Reason.NO_PAYMENT


def test_a_refund_that_was_none_is_reversed_and_is_due_again() -> None:
    state = went_on(collecting(), paid(TOTAL + 5), Refund(O0, 5, "r2"))
    back = went_on(state, Reverse("r2", "r3"))
    assert refunds_due(state) == () and [amount for _, amount in refunds_due(back)] == [5]
    assert refused(decide(back, Reverse("r2", "r4"))) is Reason.NO_PAYMENT
    assert refused(decide(back, Reverse("r3", "r4"))) is Reason.NO_PAYMENT


def test_a_person_cannot_undo_a_payment_of_which_part_was_paid_back() -> None:
    state = went_on(collecting(), paid(TOTAL + 5), Refund(O0, 5, "r2"))
    [first] = [payment.reference for payment in state.payments if payment.amount > 0]
    assert refused(decide(state, Reverse(first, "r3", BOSS, "slip"))) is Reason.TOO_MUCH
    assert went_on(state, Reverse("r2", "r3", BOSS, "slip"), Reverse(first, "r4", BOSS, "slip")).received(O0) == 0


def test_reversing_one_of_two_payments_leaves_an_order_paid_that_the_other_pays() -> None:
    state = went_on(collecting(), paid(), paid(TOTAL, "r2"), Reverse("r2", "r3"))
    assert stands(state)[0] == (OrderStatus.PAID, TOTAL)


def test_who_owes_is_reminded_and_nobody_else() -> None:
    state = went_on(collecting(), paid(), Remind(O1), Remind(O1))
    assert [order.reminders for order in state.orders] == [0, 2, 0]
    assert refused(decide(state, Remind(O0))) is Reason.NOTHING_OWED


def test_an_order_is_dropped_when_it_was_not_paid_in_time() -> None:
    state = collecting()
    assert decide(state, Drop(O0, PAY_BY - 1)) == Refusal(Reason.NOT_DUE, {"pay_by": PAY_BY})
    assert facts_of(state, Drop(O0, PAY_BY))[0] == Dropped(O0, False, None)
    state = went_on(state, Drop(O0, PAY_BY))
    assert stands(state)[0] == (OrderStatus.DROPPED, 0) and state.free() == 6
    for request in (Drop(O0, PAY_BY), Remind(O0)):
        assert refused(decide(state, request)) is Reason.NOTHING_OWED


def test_a_paid_order_is_never_dropped() -> None:
    assert refused(decide(went_on(collecting(), paid()), Drop(O0, PAY_BY, BOSS))) is Reason.NOTHING_OWED


def test_where_some_money_came_only_a_concierge_drops() -> None:
    state = went_on(collecting(), paid(100))
    assert decide(state, Drop(O0, PAY_BY)) == Refusal(Reason.MONEY_CAME, {"amount": 100, "currency": "EUR"})
    state = went_on(state, Drop(O0, PAY_BY, BOSS))
    assert stands(state)[0] == (OrderStatus.DROPPED, 100)
    assert stands(went_on(state, Refund(O0, 60, "r2")))[0] == (OrderStatus.DROPPED, 40)
    assert stands(went_on(state, Refund(O0, 100, "r2")))[0] == (OrderStatus.REFUNDED, 0)


def test_money_for_a_dropped_order_is_recorded_and_goes_back() -> None:
    state = went_on(collecting(), Drop(O0, PAY_BY), paid())
    assert stands(state)[0] == (OrderStatus.DROPPED, TOTAL)
    assert stands(went_on(state, Refund(O0, TOTAL, "r2")))[0] == (OrderStatus.REFUNDED, 0)


def test_a_refund_needs_a_note_and_a_reference_of_its_own() -> None:
    state = went_on(collecting(), Drop(O0, PAY_BY), paid())
    assert refused(decide(state, Refund(O0, 1, "r1"))) is Reason.PAYMENT_KNOWN
    assert refused(decide(state, Refund(O0, 1, "r2", BOSS))) is Reason.NOTE_NEEDED
    assert facts_of(state, Refund(O0, 1, "r2", BOSS, "bank"))[0] == Refunded(Payment("r2", O0, -1), BOSS, "bank")


def test_calling_a_buy_off_cancels_every_order_and_what_was_paid_goes_back() -> None:
    state = went_on(collecting(), paid(), Advance(Status.ORDERED, BOSS), Cancel("supplier gone", BOSS))
    assert state.status is Status.CANCELLED
    assert [order.status for order in state.orders] == [OrderStatus.CANCELLED] * 3
    assert refused(decide(state, paid(TOTAL, "r2", NONE))) is Reason.NO_ORDER
    assert [state.due(order) for order in state.orders] == [-TOTAL, 0, 0]
    assert stands(went_on(state, Refund(O0, TOTAL, "r2")))[0] == (OrderStatus.REFUNDED, 0)


def test_dropped_after_the_supplier_has_the_order_the_units_stay_with_the_house() -> None:
    state = went_on(collecting(), Advance(Status.ORDERED, BOSS))
    assert facts_of(state, Drop(O0, PAY_BY)) == [Dropped(O0, True, None)]
    state = went_on(state, Drop(O0, PAY_BY))
    assert state.house == (("", 6),) and state.spoken_for() == 18 and state.free() == 0
