"""!orders and !order: what is owed, and what a concierge confirms, pays back or ends."""

from appservice.actions import orders as action
from appservice.actions.receipts import names
from appservice.actions.work import Work
from appservice.commands.choosing import CLEARED, own_buy
from appservice.commands.command import PRIVATE, Call, Command, one_group, usage
from appservice.domain.fulfilment import Drop, Pay, Refund, Request, Reverse
from appservice.domain.group import Group
from appservice.domain.group_buy import GroupBuy, Order, Status
from appservice.domain.ids import BuyId, OrderId
from appservice.domain.member import Member, Role
from appservice.domain.money import parse_amount
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.domain.text import without_ids
from appservice.present.acknowledge import acknowledge, answer
from appservice.present.words import orders as say
from appservice.store.unit import fresh_id

_ORDERS = "!orders, or !orders k3x9qf"
_ORDER = (
    "!order hs6rvr29 paid 138.00 by bank transfer (to look at it: !order hs6rvr29; to pay money back: "
    "!order hs6rvr29 refund 10.00 why; to take a payment out of the books: !order hs6rvr29 undo by-hand-k3x9qf why; "
    "to end it: !order hs6rvr29 drop)"
)
_LONGEST_NOTE = 300


async def _orders(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.CONCIERGE, call.words(), "!orders")
    if isinstance(found, Refusal):
        return found
    group, _, words = found
    chosen = await own_buy(work, call, group, words, (*CLEARED, Status.DONE, Status.CANCELLED), "!orders")
    if isinstance(chosen, Refusal):
        return chosen
    buy, rest = chosen
    if rest:
        return refuse(Reason.NO_BUY)
    state = await work.unit.orders.get(buy)
    if state is None:
        return refuse(Reason.NOT_COLLECTING, status=buy.status)
    product = await work.unit.products.get(buy.product_id)
    await work.owe(answer(work.cause, say.orders(product, buy, group, state, await names(work, buy))))
    return None


async def _order(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.CONCIERGE, call.words(), "!order", free_text=True)
    if isinstance(found, Refusal):
        return found
    group, member, words = found
    if not words:
        return usage(_ORDER)
    buy_id = await work.unit.orders.buy_of(words[0].lower())
    buy = await work.unit.buys.get(buy_id) if buy_id else None
    if buy is None or buy.group_id != group.id:
        return refuse(Reason.NO_ORDER)
    return await _about(work, group, member, buy.id, OrderId(words[0].lower()), words[1:])


async def _about(
    work: Work, group: Group, member: Member, buy_id: BuyId, order_id: OrderId, words: list[str]
) -> Refusal | None:
    buy = await work.unit.buys.lock(buy_id)
    state = await work.unit.orders.get(buy)
    order = state.order(order_id) if state else None
    if state is None or order is None:
        return refuse(Reason.NO_ORDER)
    if not words:
        called = (await names(work, buy))[order.pledger]
        await work.owe(answer(work.cause, say.one_order(order, called, buy, group, state)))
        return None
    request = _request(work, member, buy, order, words)
    if isinstance(request, Refusal):
        return request
    refusal = await action.carry_out(work, buy_id, request, member.number)
    if refusal is not None:
        return refusal
    await work.owe(*acknowledge(work.cause))
    after = await work.unit.orders.get(buy)
    if isinstance(request, Pay) and after is not None:
        changed = after.order(order_id)
        if changed is not None and after.due(changed) < 0:
            await work.owe(
                answer(work.cause, say.too_much_came(changed, -after.due(changed), request.reference, buy, group))
            )
    return None


def _request(work: Work, member: Member, buy: GroupBuy, order: Order, words: list[str]) -> Request | Refusal:
    by, currency = member.number, buy.terms.currency
    match words:
        case ["paid" | "refund" as what, amount, *note]:
            minor = parse_amount(amount, currency)
            if minor is None:
                return refuse(Reason.BAD_AMOUNT, amount=amount, currency=currency)
            reference, why = f"by-hand-{fresh_id()}", _note(note)
            if what == "paid":
                return Pay(order.id, minor, currency, reference, by, why)
            return Refund(order.id, minor, reference, by, why)
        case ["undo", payment, *note]:
            return Reverse(payment, f"by-hand-{fresh_id()}", by, _note(note))
        case ["drop"]:
            return Drop(order.id, work.cause.received_at, by)
        case _:
            return usage(_ORDER)


def _note(words: list[str]) -> str:
    return without_ids(" ".join(" ".join(words).split()))[:_LONGEST_NOTE]


COMMANDS = (
    Command("orders", _ORDERS, "list the orders of a group buy that has closed", Role.CONCIERGE, _orders, PRIVATE),
    Command("order", _ORDER, "confirm a payment, pay back, or end an order", Role.CONCIERGE, _order, PRIVATE),
)
