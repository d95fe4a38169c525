"""What Stripe reports of payments, put into the books; what does not fit is told in the desk, and confirms nothing."""

from dataclasses import replace

from appservice.actions.desk import note, tell_desk
from appservice.actions.orders import carry_out
from appservice.actions.receipts import names
from appservice.actions.work import Work
from appservice.domain.effect import Tell
from appservice.domain.fulfilment import Fulfilment, Pay, Refund, Reverse
from appservice.domain.group_buy import GroupBuy, Order
from appservice.domain.ids import BuyId, OrderId
from appservice.domain.refusal import Reason, Refusal
from appservice.payment.links import pay_link
from appservice.payment.report import Kind, Report
from appservice.payment.units import from_stripe
from appservice.present.amounts import money
from appservice.present.text import notice
from appservice.present.words import payment as say
from appservice.present.words.refusals import refusal as sentence
from appservice.store.checkouts import Checkout, CheckoutStatus

_STATUS = {
    Kind.PAID: CheckoutStatus.PAID,
    Kind.UNDER_WAY: CheckoutStatus.UNDER_WAY,
    Kind.FAILED: CheckoutStatus.ENDED,
}


class UnknownOrder(Exception):
    """Money came of which nobody here knows whose it is; the report is parked for the operator."""


async def heard(work: Work, report: Report) -> None:
    """Act on one report. One that was handled before is known by its event, or by what it says of the payment."""
    checkout = await _checkout(work, report)
    order_id = checkout.order_id if checkout else OrderId(report.order_id)
    buy_id = await work.unit.orders.buy_of(order_id) if order_id else None
    if buy_id is None:
        await _unknown(work, report)
        return
    buy = await work.unit.buys.lock(buy_id)
    checkout = await _checkout(work, report)
    match report.kind:
        case Kind.PAID:
            await _settle_session(work, checkout, report)
            await _paid(work, buy, order_id, report)
        case Kind.UNDER_WAY:
            if checkout is None or checkout.status is not CheckoutStatus.PAID:  # reports may overtake each other
                await _settle_session(work, checkout, report)
        case Kind.FAILED:
            await _settle_session(work, checkout, report)
            await _failed(work, buy, order_id)
        case Kind.REFUNDED:
            await _refunded(work, buy, order_id, report)
        case Kind.DISPUTED:
            await _disputed(work, buy, order_id, report)


async def _checkout(work: Work, report: Report) -> Checkout | None:
    """Give the session of which a report speaks."""
    known = await work.unit.checkouts.get(report.checkout_id) if report.checkout_id else None
    return known or await work.unit.checkouts.by_payment(report.payment)


async def _settle_session(work: Work, checkout: Checkout | None, report: Report) -> None:
    if checkout is not None:
        done = replace(checkout, status=_STATUS[report.kind], url=None, payment=report.payment)
        await work.unit.checkouts.save(done)


async def _paid(work: Work, buy: GroupBuy, order_id: OrderId, report: Report) -> None:
    amount = from_stripe(report.amount, report.currency)
    if amount is None:
        await _odd(work, buy, order_id, report, say.NO_AMOUNT)
        return
    refusal = await carry_out(work, buy.id, Pay(order_id, amount, report.currency, report.payment), None)
    if refusal is not None:
        await _refused(work, buy, order_id, report, refusal)
        return
    state, order = await _stand(work, buy, order_id)
    due = state.due(order)
    if due:
        group = await work.unit.groups.get(buy.group_id)
        called = (await names(work, buy)).get(order.pledger, "")
        currency = state.terms.currency
        came, rest = (money(each, currency, group.locale) for each in (amount, abs(due)))
        words = say.too_little if due > 0 else say.too_much
        await tell_desk(work, group, words(order_id, called, came, rest))


async def _failed(work: Work, buy: GroupBuy, order_id: OrderId) -> None:
    """Tell whoever chose a way of paying that came to nothing; their order is owed as before."""
    _, order = await _stand(work, buy, order_id)
    link = pay_link(work.config, order_id)
    if order.status.is_live and link is not None:
        product = await work.unit.products.get(buy.product_id)
        member = await work.unit.groups.member_by_number(order.pledger.group_id, order.pledger.number)
        await work.owe(Tell(member.user_id, notice(say.payment_failed(product, link))))


async def _refunded(work: Work, buy: GroupBuy, order_id: OrderId, report: Report) -> None:
    """Book what went back and is not in the books yet: each report says the sum of all refunds of its payment."""
    all_of_it = from_stripe(report.amount, report.currency)
    if all_of_it is None:
        await _odd(work, buy, order_id, report, say.NO_AMOUNT)
        return
    state, _ = await _stand(work, buy, order_id)
    mark = f"{report.payment} refunded "
    amount = all_of_it + sum(payment.amount for payment in state.payments if payment.reference.startswith(mark))
    if amount <= 0:  # an earlier report, overtaken by a later one
        return
    refusal = await carry_out(work, buy.id, Refund(order_id, amount, f"{mark}{all_of_it}"), None)
    if refusal is not None:
        await _refused(work, buy, order_id, report, refusal)


async def _disputed(work: Work, buy: GroupBuy, order_id: OrderId, report: Report) -> None:
    """Take a payment out of the books that its payer's bank took back; a part of one is for people to judge."""
    state, _ = await _stand(work, buy, order_id)
    amount = from_stripe(report.amount, report.currency)
    whole = any((p.reference, p.amount) == (report.payment, amount) for p in state.payments)
    if not whole:
        await _odd(work, buy, order_id, report, say.PART_DISPUTED)
        return
    refusal = await carry_out(work, buy.id, Reverse(report.payment, report.dispute_id), None)
    if refusal is not None:
        await _refused(work, buy, order_id, report, refusal)
        return
    group = await work.unit.groups.get(buy.group_id)
    await tell_desk(work, group, say.disputed(order_id, money(amount or 0, state.terms.currency, group.locale)))


# What does not fit


async def _refused(work: Work, buy: GroupBuy, order_id: OrderId, report: Report, refusal: Refusal) -> None:
    if refusal.reason is not Reason.PAYMENT_KNOWN:  # a repeat needs no words
        await _odd(work, buy, order_id, report, sentence(refusal))


async def _odd(work: Work, buy: GroupBuy, order_id: OrderId, report: Report, why: str) -> None:
    """Write down and say in the desk what Stripe reports and the books cannot take."""
    amount = from_stripe(report.amount, report.currency)
    group = await work.unit.groups.get(buy.group_id)
    await note(
        work, group.id, "stripe_odd", buy=buy.id, order=order_id, kind=report.kind.value, payment=report.payment,
        amount=report.amount, currency=report.currency,
    )  # fmt: skip
    shown = f"{report.amount} {report.currency}" if amount is None else money(amount, report.currency, group.locale)
    await tell_desk(work, group, say.odd(order_id, report.kind, shown, report.payment, why))


async def _unknown(work: Work, report: Report) -> None:
    """Deal with what is of no order that we know: of another shop on the same account, unless it bears our mark."""
    if not report.order_id:
        return
    buy = await work.unit.buys.find(BuyId(report.buy_id)) if report.buy_id else None
    if buy is None:
        raise UnknownOrder(f"payment {report.payment} is for an order that is not known")
    await _odd(work, buy, OrderId(report.order_id), report, say.NO_SUCH_ORDER)


async def _stand(work: Work, buy: GroupBuy, order_id: OrderId) -> tuple[Fulfilment, Order]:
    state = await work.unit.orders.get(buy)
    order = state.order(order_id) if state else None
    if state is None or order is None:
        raise LookupError(f"there is no order {order_id}")
    return state, order
