"""What is said of orders: payments, reminders, offers, what is short, what arrived."""

from collections.abc import Callable, Mapping

from appservice.domain.fulfilment import Fulfilment
from appservice.domain.group import Group
from appservice.domain.group_buy import GroupBuy, Order, OrderStatus, Pledger
from appservice.domain.order import count
from appservice.domain.product import Product
from appservice.present.amounts import by_variant, moment, money
from appservice.present.text import Text, esc

Sentence = Callable[..., str]
"""Takes the buy, its product, the group of whom it is said to, and details by name."""


def paid(buy: GroupBuy, product: Product, group: Group, *, order: Order) -> str:
    return f"{product.name}: your order {order.id} is paid, {_money(order.total, buy, group)}."


def money_back(buy: GroupBuy, product: Product, group: Group, *, order: Order, amount: int, note: str) -> str:
    return (
        f"{product.name}: {_money(amount, buy, group)} of your order {order.id} was paid back to you{_because(note)}."
    )


def money_undone(buy: GroupBuy, product: Product, group: Group, *, order: Order, amount: int, note: str) -> str:
    came = f"a payment of {_money(amount, buy, group)} for your order {order.id}"
    sentence = f"{product.name}: {came} was taken back{_because(note)}."
    return f"{sentence} If you have paid, tell your concierge."


def too_much_came(order: Order, surplus: int, reference: str, buy: GroupBuy, group: Group) -> str:
    return (
        f"That is {_money(surplus, buy, group)} more than order {order.id} comes to, and to be paid back. If it was "
        f"entered twice: !order {order.id} undo {reference} entered twice"
    )


def came_too_late(buy: GroupBuy, product: Product, group: Group, *, order: Order, amount: int) -> str:
    return (
        f"{product.name}: {_money(amount, buy, group)} came for your order {order.id}, which had ended. You owe "
        "nothing, and it will be paid back to you."
    )


def dropped(buy: GroupBuy, product: Product, group: Group, *, order: Order, received: int, to_house: bool) -> str:
    back = f" The {_money(received, buy, group)} that came for it will be paid back." if received else ""
    return f"{product.name}: your order {order.id} was not paid in time and has ended, so you owe nothing.{back}" + (
        "" if to_house else " Your units are offered to those who wait."
    )


def order_cancelled(buy: GroupBuy, product: Product, group: Group, *, order: Order, received: int, reason: str) -> str:
    back = f" The {_money(received, buy, group)} that you paid will be paid back." if received else ""
    head = f"{product.name}: the group buy was cancelled. {reason.rstrip('.')}."
    return f"{head} Your order {order.id} has ended and you owe nothing.{back}"


def arrived(buy: GroupBuy, product: Product, group: Group, *, order: Order, due: int) -> str:
    ordered = count(order.ordered)
    head = f"{product.name}: of your order {order.id}, {by_variant(order.by_variant)} of {ordered} arrived."
    if not order.units:
        head = f"{product.name}: nothing of your order {order.id} arrived."
    head += f" It comes to {_money(order.total if order.units else 0, buy, group)} now"
    if due < 0:
        return f"{head}, and {_money(-due, buy, group)} will be paid back to you."
    return f"{head}." if due == 0 else f"{head}; {_money(due, buy, group)} is still to be paid."


def handing_out(buy: GroupBuy, product: Product, group: Group, *, order: Order, due: int, note: str) -> str:
    rest = f" {_money(due, buy, group)} is still to be paid." if due > 0 else ""
    return f"{product.name}: your order {order.id} can be collected, {by_variant(order.by_variant)}.{_note(note)}{rest}"


def offer(
    buy: GroupBuy, product: Product, group: Group, *, units: int, variant: str, answer_by: int, price: int
) -> str:
    what = f"{units} {variant}".strip()
    return (
        f"{product.name}: {what} became free for you at {_money(price, buy, group)} each. Until "
        f"{moment(answer_by, group)}: !take {buy.id}. If you do not want them: !decline {buy.id}"
    )


def offer_lapsed(buy: GroupBuy, product: Product, group: Group) -> str:
    return f"{product.name}: the time to take what was offered to you is over, so it goes to the next in line."


def part_came(order: Order, name: str, received: int, due: int, buy: GroupBuy, group: Group) -> str:
    return (
        f"{name} has paid {_money(received, buy, group)} of order {order.id} and {_money(due, buy, group)} is missing; "
        f"the time to pay is over. Ask them, or end the order: !order {order.id} drop"
    )


def at_risk(product: Product, buy: GroupBuy, state: Fulfilment, units: int) -> str:
    variant = f" {buy.terms.variants[0]}" if buy.terms.variants else ""
    return (
        f"{product.name} ({buy.id}) is {_units(units)} short of what has to be ordered, and nobody waits. Choose: "
        f"!buy absorb {buy.id} goes on without them; !buy offer {buy.id} asks those again who declined; "
        f"!buy house {buy.id} {units}{variant} takes them for the house; "
        f"!buy cancel {buy.id} <why> ends it with refunds."
    )


def cancelled(product: Product, buy: GroupBuy, state: Fulfilment) -> str:
    refunds = sum(state.due(order) < 0 for order in state.orders)
    who = (
        "One member has paid and gets the money back"
        if refunds == 1
        else f"{refunds} have paid and get their money back"
    )
    back = f" {who}: !export refunds {buy.id}" if refunds else ""
    return f"{product.name} ({buy.id}) is cancelled and nobody owes anything.{back}"


def delivered(product: Product, buy: GroupBuy, state: Fulfilment, names: Mapping[Pledger, str]) -> Text:
    """List what each member gets of what arrived."""
    short = [order for order in state.live_orders() if order.units < count(order.ordered)]
    head = f"{product.name} ({buy.id}): entered what arrived."
    head += " Everyone gets what they ordered." if not short else " These get less than they ordered and know it:"
    rows = [f"{names[o.pledger]}: {by_variant(o.by_variant)} of {count(o.ordered)}, order {o.id}" for o in short]
    items = f"<ul>{''.join(f'<li>{esc(row)}</li>' for row in rows)}</ul>" if rows else ""
    return Text("\n".join([head, *rows]), esc(head) + items)


def orders(product: Product, buy: GroupBuy, group: Group, state: Fulfilment, names: Mapping[Pledger, str]) -> Text:
    """List the orders of a buy for its concierges."""
    owed = sum(max(0, state.due(order)) for order in state.orders)
    head = f"{product.name} ({buy.id}), {buy.status.value.replace('_', ' ')}: {_orders(len(state.live_orders()))}"
    if state.live_orders():
        head += f", {_money(owed, buy, group)} to come" if owed else ", all paid"
    rows = [_row(order, names[order.pledger], buy, group, state) for order in state.orders]
    rows += [f"the house: {by_variant(state.house_units())}"] if state.house else []
    rows += [
        f"{names[w.pledger]}: waits for {w.units} {w.variant}".strip() + (" (asked)" if w.offered else "")
        for w in state.waiting
    ]
    items = "".join(f"<li>{esc(row)}</li>" for row in rows)
    return Text("\n".join([head, *rows]), f"{esc(head)}<ul>{items}</ul>")


def one_order(order: Order, name: str, buy: GroupBuy, group: Group, state: Fulfilment) -> Text:
    """Show one order with its payments."""
    head = _row(order, name, buy, group, state)
    payments = [payment for payment in state.payments if payment.order_id == order.id]
    rows = [f"{_money(payment.amount, buy, group)}, reference {payment.reference}" for payment in payments]
    items = f"<ul>{''.join(f'<li>{esc(row)}</li>' for row in rows)}</ul>" if rows else ""
    return Text("\n".join([head, *rows]), esc(head) + items)


def _row(order: Order, name: str, buy: GroupBuy, group: Group, state: Fulfilment) -> str:
    due = state.due(order)
    stands = {
        OrderStatus.OWED: f"owes {_money(due, buy, group)} until {moment(order.pay_by, group)}"
        if due > 0
        else "overpaid",
        OrderStatus.PAID: "paid",
        OrderStatus.DROPPED: "ended, not paid in time",
        OrderStatus.CANCELLED: "cancelled",
        OrderStatus.REFUNDED: "ended, paid back",
    }[order.status]
    back = f", {_money(-due, buy, group)} to be paid back" if due < 0 else ""
    total = _money(order.total, buy, group)
    return f"{name}: {by_variant(order.by_variant)}, {total}, order {order.id}, {stands}{back}"


def _units(n: int) -> str:
    return "1 unit" if n == 1 else f"{n} units"


def _orders(n: int) -> str:
    return "1 order" if n == 1 else f"{n} orders" if n else "no orders"


def _because(note: str) -> str:
    return f" ({note.strip().rstrip('.')})" if note.strip() else ""


def _note(note: str) -> str:
    return f" {note.rstrip('.')}." if note.strip() else ""


def _money(minor: int, buy: GroupBuy, group: Group) -> str:
    return money(minor, buy.terms.currency, group.locale)
