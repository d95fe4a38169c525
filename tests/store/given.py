"""Things to begin with: a group with members, a product, an open buy."""

from __future__ import annotations

from dataclasses import replace

from appservice.config import Appservice, Config, Homeserver
from appservice.domain.clearing import Tier
from appservice.domain.group import Group, GroupStatus
from appservice.domain.group_buy import GroupBuy, Pledged, Pledger, Terms
from appservice.domain.ids import BuyId, GroupId, Number, ProductId, RoomId, UserId
from appservice.domain.member import Member, Presence
from appservice.domain.product import Product
from appservice.store.inbox import NewArrival
from appservice.store.rooms import Room, RoomKind
from appservice.store.unit import Store
from tests.store.engine import START

CONFIG = Config(
    Homeserver("http://127.0.0.1:8008", "example.org"), Appservice(as_token="as-" + "x" * 40, hs_token="hs-" + "y" * 40)
)
ROOM, DESK = RoomId("!group:example.org"), RoomId("!desk:example.org")
DEADLINE = START + 3_600_000

GROUP = Group(
    id=GroupId("g1"),
    name="Räucherwerk & Söhne 🕯",
    owner=UserId("@ana:example.org"),
    cap=10,
    currency="EUR",
    locale="de_AT",
    time_zone="Europe/Vienna",
    status=GroupStatus.OPEN,
    room_id=ROOM,
    desk_id=DESK,
)
PRODUCT = Product(
    id=ProductId("p1"),
    group_id=GROUP.id,
    sku="merino-throw",
    name="Merino throw",
    price=8900,
    currency="EUR",
    link="https://shop.example/throw?colour=gr%C3%BCn",
    posted_by=Number(1),
    posted_at=START,
)
BUY = GroupBuy(
    id=BuyId("b1"),
    group_id=GROUP.id,
    product_id=PRODUCT.id,
    terms=Terms("EUR", (Tier(10, 7900), Tier(25, 6900)), DEADLINE),
    opened_by=Number(1),
    opened_at=START,
)


def member(number: int, presence: Presence = Presence.JOINED) -> Member:
    return Member(
        GROUP.id, UserId(f"@member{number}:example.org"), presence, 0, Number(number), f"Member {number}", GROUP.owner
    )


def pledged(id: str, number: int, quantity: int, position: int, flex: int = 0, most: int | None = None) -> Pledged:
    return Pledged(id, Pledger(GROUP.id, Number(number)), quantity, position, flex, most)


def arrival(id: str, lane: str = ROOM, type: str = "m.room.message", content: str = "{}") -> NewArrival:
    return NewArrival(id, lane, type, content)


async def group_exists(store: Store, group: Group = GROUP, members: int = 0) -> None:
    """Write a group down, with as many joined members."""
    async with store.unit() as unit:
        await unit.groups.add(group, unit.now)
        await unit.groups.save(group)
        for room_id, kind in ((group.room_id, RoomKind.GROUP), (group.desk_id, RoomKind.DESK)):
            if room_id is not None:
                await unit.rooms.add(Room(room_id, kind, group.id))
        for number in range(1, members + 1):
            await unit.groups.next_number(group.id)
            await unit.groups.save_member(replace(member(number), group_id=group.id), unit.now)


async def buy_exists(store: Store, buy: GroupBuy = BUY, members: int = 1) -> None:
    """Write a buy down with its product, its group and as many joined members."""
    await group_exists(store, members=members)
    async with store.unit() as unit:
        await unit.products.add(PRODUCT)
        await unit.buys.add(replace(buy, pledged=()))
        await unit.buys.save(replace(buy, pledged=()), buy)
