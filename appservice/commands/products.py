"""!product."""

from appservice.actions import links, recommending
from appservice.actions import products as action
from appservice.actions.work import Work
from appservice.commands.command import Call, Command, call_example, one_group, usage
from appservice.domain.cause import Place
from appservice.domain.group import Group
from appservice.domain.member import Role
from appservice.domain.money import parse_amount
from appservice.domain.product import parse_link, parse_sku
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.domain.text import clean_name

_PRODUCT = (
    '!product add "Merino throw" 89.00 https://shop.example/throw (as a reply to a picture, if there is one; '
    "sku THROW-1 at the end sets the SKU), or !product history merino-throw, or in the desk !product merino-throw"
)


async def _product(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.CONCIERGE, call.words(), call_example("product", call))
    if isinstance(found, Refusal):
        return found
    group, member, words = found
    sku = None
    match words:
        case ["history", *rest]:
            return await _history(work, call, group, " ".join(rest))
        case ["add", raw_name, amount, raw_link]:
            pass
        case ["add", raw_name, amount, raw_link, "sku", raw_sku]:
            sku = parse_sku(raw_sku)
            if sku is None:
                return refuse(Reason.NOT_SKU)
        case [first, *_] if first != "add" and call.place is Place.DESK:
            product = await action.find(work, group.id, " ".join(words), call.reply_to)
            return product if isinstance(product, Refusal) else await links.product_card(work, group, product)
        case _:
            return usage(_PRODUCT)
    name, price, link = clean_name(raw_name), parse_amount(amount, group.currency), parse_link(raw_link)
    if name is None:
        return refuse(Reason.BAD_NAME)
    if not price:
        return refuse(Reason.BAD_AMOUNT, amount=amount[:40], currency=group.currency)
    if link is None:
        return refuse(Reason.BAD_LINK)
    return await action.add(work, member, action.AddProduct(name, price, link, sku, call.reply_to))


async def _history(work: Work, call: Call, group: Group, name: str) -> Refusal | None:
    if not name and call.reply_to is None:
        return usage(_PRODUCT)
    product = await action.find(work, group.id, name, call.reply_to)
    if isinstance(product, Refusal):
        return product
    await recommending.tell_history(work, group, product)
    return None


COMMANDS = (
    Command(
        "product", _PRODUCT, "post a product, see what came of it, or get a link to its card", Role.CONCIERGE, _product
    ),
)
