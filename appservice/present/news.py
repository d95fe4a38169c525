"""The few new messages that a group buy posts in its room, and what each person is told at its end."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from yarl import URL

from appservice.domain.clearing import Clearing, Tier
from appservice.domain.effect import SendEvent, Tell
from appservice.domain.fulfilment import Fulfilment
from appservice.domain.group import Group
from appservice.domain.group_buy import GroupBuy, Order, Pledger, Succeeded, units_by_pledger
from appservice.domain.ids import RoomId, UserId
from appservice.domain.member import Member
from appservice.domain.money import to_decimal
from appservice.domain.product import Product
from appservice.present.amounts import by_variant, moment, money, percent
from appservice.present.card import missing, next_tier
from appservice.present.text import Text, esc, notice, ringing
from appservice.wire import group_buy as wire_buy
from appservice.wire import message
from appservice.wire import order as wire_order


def tier_reached(room_id: RoomId, buy: GroupBuy, product: Product, group: Group, tier: Tier) -> SendEvent:
    """Give the message that a tier has been reached."""
    price = money(tier.unit_price, buy.terms.currency, group.locale)
    following = next_tier(buy, buy.clearing())
    more = f" {_capital(missing(buy, group, following))}." if following else " That is the best price."
    lead = "the minimum order is reached" if tier == buy.terms.tiers[0] else f"{tier.minimum} are reached"
    return _line(room_id, f"{product.name}: {lead}, everyone pays {price} now.{more}")


def last_hour(room_id: RoomId, buy: GroupBuy, product: Product, group: Group) -> SendEvent:
    """Give the message an hour before the deadline."""
    following = next_tier(buy, buy.clearing())
    more = f" {_capital(missing(buy, group, following))}." if following else ""
    when = moment(buy.terms.deadline_at, group)
    return _line(room_id, f"{product.name}: the group buy closes in an hour, {when}.{more}")


def deadline_moved(room_id: RoomId, buy: GroupBuy, product: Product, group: Group, *, is_grace: bool) -> SendEvent:
    """Give the message that a buy closes at another time than was said."""
    when = moment(buy.terms.deadline_at, group)
    why = (
        "I was not here when it was to close, so pledges are taken longer" if is_grace else "the closing time has moved"
    )
    return _line(room_id, f"{product.name}: {why}. The group buy closes {when}.")


def cancelled(room_id: RoomId, buy: GroupBuy, product: Product, reason: str) -> SendEvent:
    """Give the message that a buy has been called off."""
    key = {wire_buy.TYPE: wire_buy.format_result(buy, [], None)}
    text = f"{product.name}: the group buy was cancelled. {reason.rstrip('.')}."
    return SendEvent(room_id, message.TYPE, notice(text, key))


def succeeded(room_id: RoomId, buy: GroupBuy, product: Product, group: Group, state: Fulfilment) -> SendEvent:
    """Give the result message."""
    return SendEvent(room_id, message.TYPE, result(buy, product, group, state), answer="result", subject=buy.id)


def result(buy: GroupBuy, product: Product, group: Group, state: Fulfilment) -> dict[str, Any]:
    """Give the content of the result message as of now; its key lets anyone find their own line and add up the rest,
    unless pledges are private in that group."""
    price = money(state.unit_price, buy.terms.currency, group.locale)
    lines = None if group.private_pledges else published_lines(state)
    key = {wire_buy.TYPE: wire_buy.format_result(buy, lines, state.unit_price)}
    text = (
        f"{product.name}: closed with {_units(state.total)} at {price} each. "
        "Everyone who is in gets a receipt with the purchase link by direct message."
    )
    return notice(text, key)


def published_lines(state: Fulfilment) -> list[tuple[str, int]]:
    """Give each line of the result with its units."""
    return sorted((order.line_id, order.units) for order in state.live_orders())


def failed(room_id: RoomId, buy: GroupBuy, product: Product) -> SendEvent:
    """Give the message that a buy came to nothing."""
    key = {wire_buy.TYPE: wire_buy.format_result(buy, [], None)}
    first = buy.terms.tiers[0].minimum
    text = f"{product.name}: closed. The minimum order of {first} was not reached, so nobody owes anything."
    return SendEvent(room_id, message.TYPE, notice(text, key))


def receipt(
    member: Member, buy: GroupBuy, product: Product, group: Group, order: Order, pledged: int, link: str,
    *, reminder: bool = False,
) -> Tell:  # fmt: skip
    """Give the direct message that says what one member owes, until when and where to pay it."""
    user_id, alias = member.user_id, member.alias
    title = f"{'Not paid yet' if reminder else 'Receipt'}: {product.name}"
    sums = bill(buy, group, order)
    fewer = f" ({order.units} of your {pledged}: the rest found no place)" if order.units < pledged else ""
    until = f"Pay by {moment(order.pay_by, group)}"
    line = "" if group.private_pledges else f"; line {order.line_id} of the published result"
    small = f"Order {order.id} of {alias} in “{group.name}”{line}."
    lines = [*sums[:-1], sums[-1] + fewer]
    text = Text(
        "\n".join([title, *lines, f"{until}: {link}", small]),
        f"<strong>{esc(title)}</strong><br>{'<br>'.join(esc(line) for line in lines)}<br>"
        f'{esc(until)}: <a href="{esc(link)}">{esc(link)}</a><br>{esc(small)}',
    )
    return Tell(user_id, ringing(text, user_id, {wire_order.TYPE: wire_order.format_order(buy, order, link)}))


def bill(buy: GroupBuy, group: Group, order: Order) -> list[str]:
    """Give the lines that add up to what an order costs: `2 × €69.00 = €138.00`."""

    def amount(minor: int) -> str:
        return money(minor, buy.terms.currency, group.locale)

    tax = buy.terms.tax
    goods = f"{by_variant(order.by_variant)} × {amount(order.unit_price)} = {amount(order.goods)}"
    rate = percent(tax.rate) if tax else ""
    lines = [goods]
    if order.shared_due:
        lines.append(f"your part of the shared cost: {amount(order.shared_due)}")
    if order.tax and tax and not tax.inclusive:
        lines.append(f"tax, {rate}: {amount(order.tax)}")
    if len(lines) > 1:
        lines.append(f"together {amount(order.total)}")
    if order.tax and tax and tax.inclusive:
        lines[-1] += f", of which {amount(order.tax)} is {rate} tax"
    return lines


def not_included(user_id: UserId, buy: GroupBuy, product: Product, clearing: Clearing | None, pledger: Pledger) -> Tell:
    """Give the direct message to someone whose pledge found no place, or whose buy failed."""
    tranches = buy.tranches_of(pledger)
    if clearing is None:
        why = "the minimum order was not reached"
    elif all(tranche.suspended for tranche in tranches):
        why = "you had not agreed to its new closing time"
    elif all(tranche.suspended or tranche.id in clearing.left_out for tranche in tranches):
        why = "the price did not come down to your maximum"
    else:
        why = "there was no place left for your pledge"
    return Tell(user_id, notice(f"{product.name}: the group buy has closed and {why}. You owe nothing."))


def desk_summary(
    desk_id: RoomId,
    buy: GroupBuy,
    product: Product,
    group: Group,
    fact: Succeeded,
    names: Mapping[Pledger, str],
) -> SendEvent:
    """Give the list of orders for the concierges, by what each is called towards them; of those only who is."""
    known = [order for order in fact.orders if order.pledger in names]
    total = money(sum(order.total for order in known), buy.terms.currency, group.locale)
    orders = "1 order" if len(known) == 1 else f"{len(known)} orders"
    head = f"{product.name} ({buy.id}) closed: {_units(sum(order.units for order in known))}, {orders}, {total}."
    rows = []
    for order in known:
        owed = money(order.total, buy.terms.currency, group.locale)
        rows.append(f"{names[order.pledger]}: {by_variant(order.by_variant)}, {owed}")
    rows += [
        f"{names[pledger]}: not in"
        for pledger, units in units_by_pledger(buy, fact.clearing).items()
        if not units and pledger in names
    ]
    text = Text(
        "\n".join([head, *rows]),
        f"{esc(head)}<ul>{''.join(f'<li>{esc(row)}</li>' for row in rows)}</ul>",
    )
    return SendEvent(desk_id, message.TYPE, notice(text))


def purchase_link(template: str | None, buy: GroupBuy, product: Product, order: Order) -> str:
    """Give the link by which an order is paid, with the exact amount and the order's reference.

    Without a template these are added to the product's own link as `amount` and `reference`.
    """
    amount: Decimal = to_decimal(order.total, buy.terms.currency)
    values = {
        "reference": str(order.id),
        "amount": f"{amount:f}",
        "amount_minor": str(order.total),
        "currency": buy.terms.currency,
        "units": str(order.units),
        "sku": product.sku,
    }
    if template is None:
        extra = {"reference": values["reference"], "amount": values["amount"], "currency": values["currency"]}
        return str(URL(product.link).update_query(extra))
    quoted = {name: quote(value, safe="") for name, value in values.items()}
    return template.format(product_url=product.link, **quoted)


def _line(room_id: RoomId, text: str) -> SendEvent:
    return SendEvent(room_id, message.TYPE, notice(text))


def _units(count: int) -> str:
    return "1 unit" if count == 1 else f"{count} units"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
