"""The card of a group buy and of a product, as every client shows them."""

from typing import Any

from appservice.domain.clearing import Clearing, Tier, units_short_of
from appservice.domain.effect import SendEvent, SendPicture
from appservice.domain.group import Group
from appservice.domain.group_buy import GroupBuy, Status
from appservice.domain.ids import RoomId
from appservice.domain.order import Units
from appservice.domain.product import Picture, Product
from appservice.domain.recommendation import NO_PRAISE, Praise
from appservice.present.amounts import bar, by_variant, moment, money, percent, time_left
from appservice.present.text import Text, esc, notice
from appservice.present.words.hours import commission_line
from appservice.present.words.recommendations import praise_line
from appservice.wire import group_buy as wire_buy
from appservice.wire import message
from appservice.wire import product as wire_product

_HOW = "react +1, +2 or +5, or reply with a number like +2"
_STEPS = {
    Status.ORDERED: "Ordered from the supplier",
    Status.ARRIVED: "Arrived",
    Status.HANDING_OUT: "Being handed out",
    Status.DONE: "Handed out",
}


def product_events(room_id: RoomId, product: Product, group: Group) -> list[SendPicture | SendEvent]:
    """Give the events that show a product: its picture, then its card."""
    key = {wire_product.TYPE: wire_product.format_product(product)}
    price = money(product.price, product.currency, group.locale)
    lines = [price, *commission_line(group)]
    text = Text(
        "\n".join([product.name, *lines, product.link]),
        f"<strong>{esc(product.name)}</strong><br>{'<br>'.join(map(esc, lines))}<br>"
        f'<a href="{esc(product.link)}">{esc(product.link)}</a>',
    )
    card = SendEvent(room_id, message.TYPE, notice(text, key), answer="product_card", subject=product.id)
    if product.picture is None:
        return [card]
    return [picture_event(room_id, product, product.picture), card]


def picture_event(room_id: RoomId, product: Product, picture: Picture) -> SendPicture:
    """Give what shows a product's picture; all that matters is in the text message after it."""
    return SendPicture(room_id, message.format_picture(picture, product.name), answer="pictured", subject=product.id)


def card_content(
    buy: GroupBuy, product: Product, group: Group, now: int, praise: Praise = NO_PRAISE, house: Units = ()
) -> dict[str, Any]:
    """Give the content of the buy's card as of now, with what the house has taken. No member's name is on it."""
    clearing = buy.clearing()
    key = {wire_buy.TYPE: wire_buy.format_card(buy, product, clearing)}
    return notice(_card_text(buy, product, group, clearing, now, praise, house), key)


def _card_text(
    buy: GroupBuy, product: Product, group: Group, clearing: Clearing | None, now: int, praise: Praise, house: Units
) -> Text:
    title = f"Group buy: {product.name}"
    price = _price_line(buy, group, clearing)
    progress = _progress(buy, group, clearing)
    terms = [_tiers_line(buy, group), *_conditions(buy), *_costs(buy, group), *commission_line(group)]
    terms += praise_line(praise)
    ending = _ending(buy, group, now) + (f". The house takes {by_variant(house)}" if house else "")
    how = [_how_to_join(buy, group)] if buy.status is Status.OPEN else []
    lines = [title, price, *progress, *terms, ending, *how, product.link]
    html = [f"<strong>{esc(title)}</strong>", f"<strong>{esc(price)}</strong>"]
    html += [f"<code>{esc(progress[0])}</code> {esc(progress[1])}"] if progress else []
    html += [*map(esc, terms), esc(ending)]
    html += [f"<em>{esc(line)}</em>" for line in how]
    html += [f'<a href="{esc(product.link)}">{esc(product.link)}</a> · id <code>{esc(buy.id)}</code>']
    return Text("\n".join(lines), "<br>".join(html))


def _price_line(buy: GroupBuy, group: Group, clearing: Clearing | None) -> str:
    currency = buy.terms.currency
    if buy.status is Status.FAILED:
        return "The minimum order was not reached: nobody owes anything."
    if buy.status is Status.CANCELLED:
        return "Cancelled"
    if clearing is None:
        first = buy.terms.tiers[0]
        return f"{money(first.unit_price, currency, group.locale)} each once {first.minimum} are pledged"
    price = money(clearing.unit_price, currency, group.locale)
    return f"Closed at {price} each" if buy.status.is_cleared else f"Now {price} each"


def _progress(buy: GroupBuy, group: Group, clearing: Clearing | None) -> list[str]:
    """Give a bar and what it means, or nothing once the buy is over."""
    if not buy.status.is_live:
        return []
    firm = sum(tranche.quantity for tranche in buy.pledged)
    total = clearing.total if clearing else firm
    waiting = f", {firm - total} waiting" if firm > total else ""
    following = next_tier(buy, clearing)
    if buy.status is Status.CLOSING:  # nobody can add to it any more
        return [bar(total, following.minimum if following else total), f"{total} pledged{waiting}"]
    if following is None:
        cap = buy.terms.cap
        most = f"{total} of at most {cap}" if cap else f"{total} pledged"
        return [bar(total, cap or total), f"{most}{waiting}; the best price is reached"]
    return [bar(total, following.minimum), f"{total} pledged{waiting}; {missing(buy, group, following)}"]


def next_tier(buy: GroupBuy, clearing: Clearing | None) -> Tier | None:
    """Give the next tier to reach, or None where the deepest is reached."""
    reached = clearing.minimum if clearing else 0
    return next((tier for tier in buy.terms.tiers if tier.minimum > reached), None)


def missing(buy: GroupBuy, group: Group, tier: Tier) -> str:
    """Say what is missing for a tier: `7 more and everyone pays €69.00`."""
    tranches = [tranche.as_tranche() for tranche in buy.active()]
    short = units_short_of(tier, tranches, pack=buy.terms.pack)
    price = money(tier.unit_price, buy.terms.currency, group.locale)
    return f"{short} more and everyone pays {price}"


def _tiers_line(buy: GroupBuy, group: Group) -> str:
    tiers = (f"{tier.minimum}+ {money(tier.unit_price, buy.terms.currency, group.locale)}" for tier in buy.terms.tiers)
    parts = [" · ".join(tiers)]
    parts += [f"in packs of {buy.terms.pack}"] if buy.terms.pack > 1 else []
    parts += [f"at most {buy.terms.cap}"] if buy.terms.cap else []
    return "Price by total: " + ", ".join(parts)


def _conditions(buy: GroupBuy) -> list[str]:
    """Give what there is to know before pledging: the variants, and limits for each member."""
    if buy.status is not Status.OPEN and not buy.status.is_planned:
        return []
    terms = buy.terms
    each = [f"at least {terms.least}"] if terms.least > 1 else []
    each += [f"at most {terms.most}"] if terms.most is not None else []
    each += [f"in steps of {terms.step}"] if terms.step > 1 else []
    variants = [f"Variants: {', '.join(terms.variants)}"] if terms.variants else []
    return [*variants, *([f"For each member: {', '.join(each)}"] if each else [])]


def _costs(buy: GroupBuy, group: Group) -> list[str]:
    """Give what is paid beside the price or contained in it; nothing where nobody pays."""
    if buy.status in (Status.FAILED, Status.CANCELLED):
        return []
    shared, tax = buy.terms.shared_cost, buy.terms.tax
    costs = []
    if shared:
        costs.append(f"Plus {money(shared, buy.terms.currency, group.locale)} shared cost, split by units")
    if tax is not None and tax.rate:
        costs.append(f"Prices include {percent(tax.rate)} tax" if tax.inclusive else f"Plus {percent(tax.rate)} tax")
    return costs


def _how_to_join(buy: GroupBuy, group: Group) -> str:
    terms = buy.terms
    units = max(2, -(-terms.least // terms.step) * terms.step)  # what one may begin with
    variant = f" {terms.variants[0]}" if terms.variants else ""
    if group.private_pledges:  # nobody sees who takes part
        how = f"pledge by direct message to me: !pledge {units}{variant} {buy.id}"
    elif variant:
        how = f"reply with a number and a variant, like +{units}{variant}"
    else:
        how = _HOW if terms.least == terms.step == 1 else f"reply with a number like +{units}"
    return f"To join: {how}. Free to withdraw until it closes."


def _ending(buy: GroupBuy, group: Group, now: int) -> str:
    when = moment(buy.terms.deadline_at, group)
    match buy.status:
        case _ if buy.status.is_planned and buy.terms.opens_at is not None:
            return f"Opens {moment(buy.terms.opens_at, group)}. Closes {when}"
        case Status.OPEN:
            return f"Closes {when}, {time_left(buy.terms.deadline_at, now)} left"
        case Status.CLOSING:
            return "Closing: counting the last pledges"
        case Status.CANCELLED:
            return "Nothing is owed"
        case _ if buy.status in _STEPS:
            return f"Closed {when}. {_STEPS[buy.status]}"
        case _:
            return f"Closed {when}"
