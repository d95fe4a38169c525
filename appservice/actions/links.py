"""Ready links to cards, for a concierge who answers in the group: in the desk, `!product <sku>` and `!buy <id>`."""

from appservice.actions.work import Work
from appservice.domain.group import Group
from appservice.domain.group_buy import GroupBuy
from appservice.domain.ids import EventId
from appservice.domain.product import Product
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.acknowledge import answer
from appservice.present.amounts import money
from appservice.present.question import event_link
from appservice.present.words import tools as say


async def product_card(work: Work, group: Group, product: Product) -> Refusal | None:
    """Give the link to a product's card in its group, with its name and price."""
    return await _link(
        work, group, product.name, money(product.price, product.currency, group.locale), product.event_id
    )


async def buy_card(work: Work, group: Group, buy: GroupBuy) -> Refusal | None:
    """Give the link to the newest card of a group buy in a group that shows it, with its product's name and price."""
    product = await work.unit.products.get(buy.product_id)
    cards = await work.unit.buys.cards(buy.id)
    event_id = next((card.event_id for card in cards if card.room_id == group.room_id), None)
    return await _link(work, group, product.name, say.price_now(buy, group), event_id)


async def _link(work: Work, group: Group, name: str, price: str, event_id: EventId | None) -> Refusal | None:
    if group.room_id is None or event_id is None:
        return refuse(Reason.NO_CARD)
    link = event_link(group.room_id, event_id, work.config.homeserver.domain)
    await work.owe(answer(work.cause, say.card_link(name, price, link)))
    return None
