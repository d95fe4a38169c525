"""The few new messages that a group buy posts in its room, and what each person is told at its end."""

from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import quote

from yarl import URL

from appservice.domain.clearing import Clearing, Tier
from appservice.domain.effect import SendEvent, Tell
from appservice.domain.group import Group
from appservice.domain.group_buy import GroupBuy, Order, Succeeded, units_by_number
from appservice.domain.ids import Number, RoomId, UserId
from appservice.domain.member import Member
from appservice.domain.money import to_decimal
from appservice.domain.product import Product
from appservice.present.amounts import moment, money
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


def succeeded(room_id: RoomId, buy: GroupBuy, product: Product, group: Group, fact: Succeeded) -> SendEvent:
    """Give the result message; its key lets anyone find their own line and add up the rest."""
    price = money(fact.clearing.unit_price, buy.terms.currency, group.locale)
    lines = sorted((order.line_id, order.units) for order in fact.orders)
    key = {wire_buy.TYPE: wire_buy.format_result(buy, lines, fact.clearing.unit_price)}
    text = (
        f"{product.name}: closed with {_units(fact.clearing.total)} at {price} each. "
        "Everyone who is in gets a receipt with the purchase link by direct message."
    )
    return SendEvent(room_id, message.TYPE, notice(text, key))


def failed(room_id: RoomId, buy: GroupBuy, product: Product) -> SendEvent:
    """Give the message that a buy came to nothing."""
    key = {wire_buy.TYPE: wire_buy.format_result(buy, [], None)}
    first = buy.terms.tiers[0].minimum
    text = f"{product.name}: closed. The minimum order of {first} was not reached, so nobody owes anything."
    return SendEvent(room_id, message.TYPE, notice(text, key))


def receipt(
    member: Member, buy: GroupBuy, product: Product, group: Group, order: Order, pledged: int, link: str
) -> Tell:
    """Give the direct message that says what one member owes and where to pay it."""
    user_id, alias = member.user_id, member.alias
    each = money(order.unit_price, buy.terms.currency, group.locale)
    total = money(order.total, buy.terms.currency, group.locale)
    fewer = f" ({order.units} of your {pledged}: the rest found no place)" if order.units < pledged else ""
    sums = f"{order.units} × {each} = {total}{fewer}"
    small = f"Order {order.id} of {alias} in “{group.name}”; line {order.line_id} of the published result."
    text = Text(
        f"Receipt: {product.name}\n{sums}\nPay here: {link}\n{small}",
        f"<strong>Receipt: {esc(product.name)}</strong><br>{esc(sums)}<br>"
        f'Pay here: <a href="{esc(link)}">{esc(link)}</a><br>{esc(small)}',
    )
    return Tell(user_id, ringing(text, user_id, {wire_order.TYPE: wire_order.format_order(buy, order, link)}))


def not_included(user_id: UserId, buy: GroupBuy, product: Product, clearing: Clearing | None, number: Number) -> Tell:
    """Give the direct message to someone whose pledge found no place, or whose buy failed."""
    if clearing is None:
        why = "the minimum order was not reached"
    elif all(tranche.id in clearing.left_out for tranche in buy.tranches_of(number)):
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
    aliases: Mapping[Number, str],
) -> SendEvent:
    """Give the list of orders for the concierges, by alias."""
    total = money(sum(order.total for order in fact.orders), buy.terms.currency, group.locale)
    orders = "1 order" if len(fact.orders) == 1 else f"{len(fact.orders)} orders"
    head = f"{product.name} ({buy.id}) closed: {_units(fact.clearing.total)}, {orders}, {total}."
    rows = [
        f"{aliases[order.number]}: {order.units}, {money(order.total, buy.terms.currency, group.locale)}"
        for order in fact.orders
    ]
    rows += [
        f"{aliases[number]}: not in" for number, units in units_by_number(buy, fact.clearing).items() if units == 0
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
