"""Posting products."""

from collections.abc import Sequence
from dataclasses import dataclass

from appservice.actions.work import Work
from appservice.domain.effect import ReadEvent, Tell
from appservice.domain.ids import EventId, GroupId, ProductId
from appservice.domain.member import Member, Role
from appservice.domain.product import Picture, Product, sku_from
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present import card
from appservice.present.acknowledge import acknowledge, answer
from appservice.present.text import notice
from appservice.present.words import buys as say
from appservice.store.unit import fresh_id


@dataclass(frozen=True, slots=True)
class AddProduct:
    """A product as a concierge described it: `price` in minor units, `picture_in` the message with its picture.

    `card` is the message that shows it already, where a client has posted it; the service then posts none.
    """

    name: str
    price: int
    link: str
    sku: str | None = None
    picture_in: EventId | None = None
    picture: Picture | None = None
    card: EventId | None = None


async def add(work: Work, member: Member, request: AddProduct) -> Refusal | None:
    """Post a product; with a picture, once that has been read."""
    group = await work.unit.groups.lock(member.group_id)
    if group.room_id is None or member.number is None:
        return refuse(Reason.STILL_CREATING)
    taken = frozenset(product.sku for product in await work.unit.products.of_group(group.id))
    if request.sku in taken:
        return refuse(Reason.SKU_TAKEN, sku=request.sku)
    product = Product(
        id=ProductId(fresh_id()),
        group_id=group.id,
        sku=request.sku or sku_from(request.name, taken),
        name=request.name,
        price=request.price,
        currency=group.currency,
        link=request.link,
        posted_by=member.number,
        posted_at=work.unit.now,
        picture=request.picture,
    )
    await work.unit.products.add(product)
    await work.owe(*acknowledge(work.cause), answer(work.cause, say.product_posted(product)))
    if request.card is not None:
        await work.unit.products.set_event(product.id, request.card)
    elif request.picture_in is None:
        await work.owe(*card.product_events(group.room_id, product, group))
    else:
        subject = f"{product.id} {work.cause.sender}"
        await work.owe(ReadEvent(work.cause.room_id, request.picture_in, answer="picture", subject=subject))
    return None


async def picture_read(work: Work, subject: str, picture: Picture | None) -> None:
    """Post the product whose picture has been looked up, or without one where the message held none."""
    product_id, _, asked_by = subject.partition(" ")
    product = await work.unit.products.get(product_id)
    group = await work.unit.groups.get(product.group_id)
    if picture is None:
        from_whom = (await work.unit.groups.member(group.id, asked_by)) if asked_by else None
        if from_whom is not None:
            await work.owe(Tell(from_whom.user_id, notice(say.not_a_picture())))
    else:
        await work.unit.products.set_picture(product.id, picture)
        product = await work.unit.products.get(product_id)
    if group.room_id is not None:
        await work.owe(*card.product_events(group.room_id, product, group))


async def picture_left_out(work: Work, product_id: ProductId) -> None:
    """Tell who posted a product that its picture could not be shown, if they are still in the group."""
    product = await work.unit.products.get(product_id)
    who = await work.unit.groups.member_by_number(product.group_id, product.posted_by)
    if who.role > Role.STRANGER:
        await work.owe(Tell(who.user_id, notice(say.picture_left_out(product))))


async def shown(work: Work, product_id: ProductId, event_id: EventId) -> None:
    """Note which event shows a product."""
    await work.unit.products.set_event(product_id, event_id)


async def find(work: Work, group_id: GroupId, name: str, reply_to: EventId | None) -> Product | Refusal:
    """Give the product that a person means: by reply to its card, by SKU, or by a part of its name."""
    if reply_to is not None and not name:
        found = await work.unit.products.by_event(reply_to)
        if found is not None and found.group_id == group_id:
            return found
    return choose(await work.unit.products.of_group(group_id), name)


def choose(products: Sequence[Product], name: str) -> Product | Refusal:
    """Give the one of some products that a person means by its SKU, or by a part of its name."""
    exact = [p for p in products if name.casefold() == p.sku.casefold()]
    matching = exact or [p for p in products if name.casefold() == p.name.casefold()]
    matching = matching or [p for p in products if name and name.casefold() in p.name.casefold()]
    match matching:
        case [product]:
            return product
        case []:
            return refuse(Reason.NO_PRODUCT, product=name)
        case _:
            choices = [(p.name, p.sku, p.sku) for p in matching[:10]]
            return refuse(Reason.WHICH_PRODUCT, choices=choices)
