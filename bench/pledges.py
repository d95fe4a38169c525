"""How fast pledges are handled: 1,000 arrivals in one group, from journal to recorded, on SQLite or PostgreSQL.

    python -m bench.pledges [count] [database URL]

Local only; ends by itself. Prints seconds and pledges per second.
"""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from appservice import routes
from appservice.clock import SystemClock
from appservice.config import Appservice, Config, Homeserver
from appservice.domain.clearing import Tier
from appservice.domain.group import Group, GroupStatus
from appservice.domain.group_buy import GroupBuy, Terms
from appservice.domain.ids import BuyId, EventId, GroupId, Number, ProductId, RoomId, UserId
from appservice.domain.member import Member, Presence
from appservice.domain.product import Product
from appservice.store import db
from appservice.store.buys import Card
from appservice.store.inbox import Arrival, NewArrival
from appservice.store.rooms import Room, RoomKind
from appservice.store.unit import Store, Unit
from appservice.workers.inbox import handle_lane

ROOM = RoomId("!room")
CONFIG = Config(Homeserver("http://127.0.0.1:1", "x"), Appservice("a" * 32, "b" * 32))


async def prepare(store: Store, count: int) -> None:
    async with store.unit() as unit:
        now = unit.now
        group = Group(
            GroupId("g"), "Bench", UserId("@o:x"), 500, "EUR", "en", "UTC", GroupStatus.OPEN, ROOM, RoomId("!d")
        )
        await unit.groups.add(group, now)
        await unit.groups.save(group)
        await unit.rooms.add(Room(ROOM, RoomKind.GROUP, group.id))
        for n in range(1, 201):
            member = Member(group.id, UserId(f"@m{n}:x"), Presence.JOINED, 0, Number(n), f"Member {n}")
            await unit.groups.save_member(member, now)
        product = Product(ProductId("p"), group.id, "sku", "Throw", 8900, "EUR", "https://x", Number(1), now)
        await unit.products.add(product)
        tiers = (Tier(10, 7900), Tier(count, 6900))
        buy = GroupBuy(BuyId("b"), group.id, product.id, Terms("EUR", tiers, now + 3_600_000), Number(1), now)
        await unit.buys.add(buy)
        await unit.buys.add_card(Card(buy.id, ROOM, None, "{}", now))
        await unit.buys.set_card_event(buy.id, ROOM, EventId("$card"))
    arrivals = []
    for n in range(count):
        content = {"msgtype": "m.text", "body": "+1", "m.relates_to": {"m.in_reply_to": {"event_id": "$card"}}}
        event = {"event_id": f"$e{n}", "room_id": ROOM, "type": "m.room.message", "sender": f"@m{n % 200 + 1}:x",
                 "content": content}  # fmt: skip
        arrivals.append(NewArrival(f"$e{n}", ROOM, "m.room.message", json.dumps(event)))
    await store.journal(arrivals)


async def main(count: int, url: str) -> None:
    async def handle(unit: Unit, arrival: Arrival) -> None:
        await routes.handle(unit, CONFIG, arrival)

    async with db.opened(url) as database:
        store = Store(database, SystemClock().now)
        await prepare(store, count)
        start = time.perf_counter()
        while True:
            async with store.look() as unit:
                if not await unit.inbox.due_lanes(unit.now, 1):
                    break
            await handle_lane(store, handle, ROOM)
        seconds = time.perf_counter() - start
        async with store.look() as unit:
            recorded = sum(t.quantity for t in (await unit.buys.get("b")).pledged)
    print(f"{recorded} of {count} pledges in {seconds:.2f} s, {count / seconds:.0f} a second ({url.split(':')[0]})")


if __name__ == "__main__":
    how_many = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(main(how_many, sys.argv[2] if len(sys.argv) > 2 else f"sqlite:{Path(directory) / 'bench.db'}"))
